//! The contract `Drivers`.

use std::time::Duration;

use food_contracts::OfferId;
use food_contracts::delivery::{
    AcceptOffer, Driver, DriverError, Drivers, Offer, OfferError, Offers, Points, PointsTaken, SetStatus,
    Tour,
};
use partie::contract::{Call, Outcome, Versioned};
use partie::runtime::monotonic;

use super::DeliveryDesk;
use crate::board::drivers::{any, own};
use crate::rows;

impl Drivers for DeliveryDesk {
    async fn driver(&self, cx: &Call, id: String) -> Outcome<Versioned<Driver>, DriverError> {
        let (subject, is_admin) = (cx.subject()?.to_owned(), cx.caller().has_role("admin"));
        self.store
            .read(move |tx| {
                let found = if is_admin && id != "me" { any(tx, &id)? } else { own(tx, &id, &subject)? };
                Ok(Versioned(found.driver))
            })
            .await
    }

    async fn set_status(
        &self,
        cx: &Call,
        id: String,
        status: SetStatus,
    ) -> Outcome<Versioned<Driver>, DriverError> {
        let (subject, board, precondition) = (cx.subject()?.to_owned(), self.board.clone(), cx.if_match());
        self.store.once(cx, move |tx| board.set_status(tx, &subject, &id, &status, precondition)).await
    }

    async fn report(&self, cx: &Call, id: String, points: Points) -> Outcome<PointsTaken, DriverError> {
        let (subject, board) = (cx.subject()?.to_owned(), self.board.clone());
        self.store.once(cx, move |tx| board.report(tx, &subject, &id, &points)).await
    }

    async fn offers(&self, cx: &Call, id: String) -> Outcome<Offers, DriverError> {
        let (begun, wait) = (monotonic(), cx.wait());
        let mut waiter = self.board.wakes.waiter();
        // What wakes the call is going on until there is an answer.
        let mut woken = None;
        loop {
            let (driver, data) = self.waiting(cx, &id).await?;
            drop(woken.take());
            let left = wait.saturating_sub(begun.elapsed());
            if !data.is_empty() || left < Duration::from_millis(1) {
                return Ok(Offers { data });
            }
            let news = tokio::time::timeout(left, waiter.news_of(driver));
            woken = cx.parked(news).await.ok().flatten();
        }
    }

    async fn deliveries(&self, cx: &Call, id: String) -> Outcome<Tour, DriverError> {
        let subject = cx.subject()?.to_owned();
        self.store
            .read(move |tx| {
                let driver = own(tx, &id, &subject)?.driver.id;
                let carried = rows::deliveries::carried(tx, driver)?;
                Ok(Tour { data: carried.into_iter().map(|record| record.delivery).collect() })
            })
            .await
    }

    async fn accept(&self, cx: &Call, id: OfferId, accept: AcceptOffer) -> Outcome<Offer, OfferError> {
        let (subject, board) = (cx.subject()?.to_owned(), self.board.clone());
        self.store.once(cx, move |tx| board.accept(tx, &subject, id, accept.token)).await
    }

    async fn decline(&self, cx: &Call, id: OfferId) -> Outcome<Offer, OfferError> {
        let (subject, board) = (cx.subject()?.to_owned(), self.board.clone());
        self.store.once(cx, move |tx| board.decline(tx, &subject, id)).await
    }
}

impl DeliveryDesk {
    /// The driver and the offers that wait for it. Whoever asks is there.
    async fn waiting(
        &self,
        cx: &Call,
        id: &str,
    ) -> Outcome<(food_contracts::DriverId, Vec<Offer>), DriverError> {
        let (subject, id, board) = (cx.subject()?.to_owned(), id.to_owned(), self.board.clone());
        let heard = subject.clone();
        let (driver, offers, must_write) = self
            .store
            .read(move |tx| {
                let record = own(tx, &id, &subject)?;
                let (offers, must_write) = board.waiting(tx, &record)?;
                Ok((record.driver.id, offers, must_write))
            })
            .await?;
        if must_write {
            let board = self.board.clone();
            let written: Outcome<(), DriverError> =
                self.store.write(move |tx| Ok(board.hear(tx, &heard)?)).await;
            written?;
        }
        Ok((driver, offers))
    }
}
