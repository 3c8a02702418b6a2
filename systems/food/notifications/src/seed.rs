//! The contract `SeedNotify`: the tutorial's route.

use std::sync::Arc;

use food_contracts::NotificationId;
use food_contracts::notifications::{Channel, NewNotification, NotificationError};
use food_contracts::seed::{SeedError, SeedKind, SeedMessage, SeedNotify, SeedSent};
use notifications::{Desk, MESSAGE, Provider};
use partie::OutcomeExt as _;
use partie::contract::{Call, Outcome};

/// The tutorial's door to the desk.
pub(crate) struct Tutorial<P>(pub(crate) Arc<Desk<P>>);

impl<P: Provider> SeedNotify for Tutorial<P> {
    async fn notify(&self, cx: &Call, message: SeedMessage) -> Outcome<SeedSent, SeedError> {
        let desk = Arc::clone(&self.0);
        self.0
            .store()
            .once(cx, move |tx| {
                // The tutorial has no word for the same message again: each request is one of its own.
                let dedupe_key = tx.new_id::<NotificationId>().to_string();
                desk.tell(tx, wanted(message.clone(), dedupe_key)).map_domain(refusal)?;
                Ok(SeedSent { sent: true, kind: message.kind, emoji: "✅".to_owned() })
            })
            .await
    }
}

fn wanted(message: SeedMessage, dedupe_key: String) -> NewNotification {
    let SeedMessage { kind, recipient, message } = message;
    NewNotification {
        channel: match kind {
            SeedKind::Sms => Channel::Sms,
        },
        recipient,
        template: MESSAGE.name.to_owned(),
        variables: [("message".to_owned(), message)].into(),
        dedupe_key,
        until: None,
    }
}

/// Of what was asked here only the recipient can be wrong.
fn refusal(_: NotificationError) -> SeedError {
    SeedError::RecipientInvalid { error: "Invalid recipient".to_owned() }
}
