//! What the platform itself answers, beside the services: a look at what runs in the background, for those who run the
//! system.

mod backstage;
mod dead_letters;
mod sagas;

use std::sync::Arc;

use partie_contract::{Client, Contract};

pub(crate) use self::backstage::{Backstage, Front, Hand};
pub use self::backstage::{Behind, BehindClient, BehindError, SkipOrder};
pub use self::dead_letters::{
    DeadLetter, DeadLetterError, DeadLetterId, DeadLetterKind, DeadLetterList, DeadLetters,
    DeadLettersClient, SkipEvent, SkippedEvent, SkippedList,
};
pub use self::sagas::{SagaError, SagaId, Sagas, SagasClient};
use crate::server::{Endpoint, Endpoints};
use crate::service::Service;

/// The name under which the platform answers.
pub(crate) const NAME: &str = "platform";
/// What it answers.
pub(crate) const CONTRACTS: &[&Contract] =
    &[<SagasClient as Client>::CONTRACT, <DeadLettersClient as Client>::CONTRACT];

/// The platform's own service.
pub(crate) fn service(backstage: Backstage) -> Service {
    Service::new(NAME)
        .start(async |_| Ok(backstage))
        .serve(Sagas::routes())
        .serve(DeadLetters::routes())
        .into()
}

/// The same for a process that serves more than that.
pub(crate) fn endpoints(backstage: Backstage) -> Endpoints {
    let backstage = Arc::new(backstage);
    let mut endpoints = Endpoint::all(Sagas::routes(), &backstage);
    endpoints.extend(Endpoint::all(DeadLetters::routes(), &backstage));
    endpoints
}
