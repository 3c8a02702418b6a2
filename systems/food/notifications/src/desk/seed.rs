//! The contract `SeedNotify`: the tutorial's route.

use food_contracts::NotificationId;
use food_contracts::notifications::{NewNotification, NotificationError};
use food_contracts::seed::{SeedError, SeedMessage, SeedNotify, SeedSent};
use partie::OutcomeExt as _;
use partie::contract::{Call, Outcome};

use super::NotificationDesk;
use crate::provider::Provider;
use crate::queue::{self, New};
use crate::request;
use crate::templates::MESSAGE;

impl<P: Provider> SeedNotify for NotificationDesk<P> {
    async fn notify(&self, cx: &Call, message: SeedMessage) -> Outcome<SeedSent, SeedError> {
        let kind = message.kind;
        let new = request::checked(wanted(message)).map_domain(refusal)?;
        self.store
            .once(cx, move |tx| {
                // The tutorial has no word for the same message again: each request is one of its own.
                let dedupe_key = tx.new_id::<NotificationId>().to_string();
                queue::tell(tx, &New { dedupe_key, ..new.clone() })?;
                Ok(SeedSent { sent: true, kind, emoji: "✅".to_owned() })
            })
            .await
    }
}

fn wanted(message: SeedMessage) -> NewNotification {
    let SeedMessage { kind, recipient, message } = message;
    NewNotification {
        channel: kind,
        recipient,
        template: MESSAGE.name.to_owned(),
        variables: [("message".to_owned(), message)].into(),
        dedupe_key: String::new(),
    }
}

/// Of what was asked here only the recipient can be wrong.
fn refusal(_: NotificationError) -> SeedError {
    SeedError::RecipientInvalid { error: "Invalid recipient".to_owned() }
}
