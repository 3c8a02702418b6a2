//! The contract `SeedDelivery`: the tutorial's route.

use food_contracts::seed::{SeedAssign, SeedAssigned, SeedDelivery, SeedError};
use partie::contract::{Call, Outcome};

use super::DeliveryDesk;

impl SeedDelivery for DeliveryDesk {
    async fn assign(&self, cx: &Call, order: SeedAssign) -> Outcome<SeedAssigned, SeedError> {
        let board = self.board.clone();
        self.store.once(cx, move |tx| board.assign_at_once(tx, order.order_id)).await
    }
}
