//! The contract `Sagas`.

use partie_contract::{Call, Outcome, Problem, contract, id};
use partie_messaging::SagaView;

use super::Backstage;

id! {
    /// Names a saga; often that of what it is about.
    pub struct SagaId;
}

/// Sagas, for those who run the system.
#[contract(service = "platform", version = 1)]
pub trait Sagas {
    /// Look at a saga: where it is, what it did, what it waits for, and why it failed if it did.
    #[get("/sagas/{id}", role = "admin")]
    async fn saga(&self, cx: &Call, id: SagaId) -> Outcome<SagaView, SagaError>;
}

/// What can go wrong with a saga.
#[derive(Debug, PartialEq, Problem)]
pub enum SagaError {
    /// There is no such saga.
    #[problem(404, "saga-not-found")]
    NotFound,
}

impl Sagas for Backstage {
    async fn saga(&self, _: &Call, id: SagaId) -> Outcome<SagaView, SagaError> {
        for (_, hand) in self.hands() {
            if let Some(view) = hand.saga(id).await? {
                return Ok(view);
            }
        }
        Err(SagaError::NotFound.into())
    }
}
