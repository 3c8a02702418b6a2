//! The contract `Deliveries`.

use food_contracts::delivery::{
    CancelDelivery, Deliveries, Delivery, DeliveryError, Failure, NewDelivery, Position,
};
use food_contracts::{DeliveryId, OrderId};
use partie::contract::{Call, Created, NoContent, Outcome, Versioned};

use super::DeliveryDesk;
use crate::board::Act;
use crate::rows;

impl Deliveries for DeliveryDesk {
    async fn request(&self, cx: &Call, delivery: NewDelivery) -> Outcome<Created<Delivery>, DeliveryError> {
        let board = self.board.clone();
        self.store.once(cx, move |tx| board.request(tx, &delivery)).await
    }

    async fn cancel(&self, cx: &Call, cancel: CancelDelivery) -> Outcome<NoContent, DeliveryError> {
        let board = self.board.clone();
        self.store.once(cx, move |tx| board.cancel(tx, cancel.order_id)).await
    }

    async fn delivery(&self, cx: &Call, id: DeliveryId) -> Outcome<Versioned<Delivery>, DeliveryError> {
        let sees_all = cx.caller().has_role("admin") || cx.caller().has_role("service");
        let subject = cx.subject()?.to_owned();
        self.store
            .read(move |tx| {
                let record = rows::deliveries::find(tx, id)?.ok_or(DeliveryError::NotFound)?;
                if !sees_all {
                    let driver = rows::drivers::of_subject(tx, &subject)?.ok_or(DeliveryError::NotFound)?;
                    if !record.is_carried_by(driver.driver.id) {
                        return Err(DeliveryError::NotFound.into());
                    }
                }
                Ok(Versioned(record.delivery))
            })
            .await
    }

    async fn position(&self, _: &Call, order_id: OrderId) -> Outcome<Position, DeliveryError> {
        self.store
            .read(move |tx| {
                let record = rows::deliveries::of_order(tx, order_id)?.ok_or(DeliveryError::NotFound)?;
                // The driver's whereabouts are the customer's business only while the food is on its way.
                let driver = record.delivery.driver_id.filter(|_| record.shows_driver());
                let driver = driver.map(|id| rows::drivers::find(tx, id)).transpose()?.flatten();
                Ok(Position {
                    position: driver.as_ref().and_then(|record| record.driver.location),
                    at: driver.and_then(|record| record.place_at),
                    eta: record.delivery.eta,
                })
            })
            .await
    }

    async fn arrived_pickup(&self, cx: &Call, id: DeliveryId) -> Outcome<Versioned<Delivery>, DeliveryError> {
        self.act(cx, id, Act::ArrivePickup).await
    }

    async fn picked_up(&self, cx: &Call, id: DeliveryId) -> Outcome<Versioned<Delivery>, DeliveryError> {
        self.act(cx, id, Act::PickUp).await
    }

    async fn arrived_dropoff(
        &self,
        cx: &Call,
        id: DeliveryId,
    ) -> Outcome<Versioned<Delivery>, DeliveryError> {
        self.act(cx, id, Act::ArriveDropoff).await
    }

    async fn delivered(&self, cx: &Call, id: DeliveryId) -> Outcome<Versioned<Delivery>, DeliveryError> {
        self.act(cx, id, Act::Deliver).await
    }

    async fn fail(
        &self,
        cx: &Call,
        id: DeliveryId,
        failure: Failure,
    ) -> Outcome<Versioned<Delivery>, DeliveryError> {
        self.act(cx, id, Act::Fail(failure.reason)).await
    }

    async fn give_back(&self, cx: &Call, id: DeliveryId) -> Outcome<Versioned<Delivery>, DeliveryError> {
        self.act(cx, id, Act::GiveBack).await
    }
}

impl DeliveryDesk {
    async fn act(&self, cx: &Call, id: DeliveryId, act: Act) -> Outcome<Versioned<Delivery>, DeliveryError> {
        let (subject, board) = (cx.subject()?.to_owned(), self.board.clone());
        self.store.once(cx, move |tx| board.act(tx, &subject, id, act)).await
    }
}
