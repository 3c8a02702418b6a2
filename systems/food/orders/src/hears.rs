//! What the other services say of an order, and what this service makes of it.

use food_contracts::OrderId;
use food_contracts::delivery::{
    DeliveryAssigned, DeliveryDelivered, DeliveryFailed, DeliveryPickedUp, DeliveryReassigned,
    DeliveryReturned, DeliveryUnassigned, EtaChanged,
};
use food_contracts::orders::{AssignedDriver, Assignment, OrderStatus};
use food_contracts::tickets::{
    TicketAccepted, TicketCancelled, TicketDeclined, TicketExpired, TicketPreparing, TicketReady,
};
use partie::contract::Abort;
use partie::messaging::Sagas as _;
use partie::store::Tx;

use crate::desk::OrderDesk;
use crate::order::{Record, Step};
use crate::saga::{self, AtDoor, Promise};
use crate::{chronicle, rows};

// === kitchens ===

impl OrderDesk {
    pub(crate) fn ticket_accepted(&self, tx: &mut Tx, news: &TicketAccepted) -> Result<(), Abort> {
        tx.resume_saga(news.order_id, saga::ACCEPTANCE, &Promise { ready_by: news.ready_by })?;
        Ok(())
    }

    pub(crate) fn ticket_declined(&self, tx: &mut Tx, news: &TicketDeclined) -> Result<(), Abort> {
        give_up(tx, news.order_id, saga::DECLINED)
    }

    pub(crate) fn ticket_expired(&self, tx: &mut Tx, news: &TicketExpired) -> Result<(), Abort> {
        give_up(tx, news.order_id, saga::EXPIRED)
    }

    /// The kitchen gave the order up, or was asked to.
    pub(crate) fn ticket_cancelled(&self, tx: &mut Tx, news: &TicketCancelled) -> Result<(), Abort> {
        give_up(tx, news.order_id, saga::KITCHEN_GAVE_UP)
    }

    pub(crate) fn ticket_preparing(&self, tx: &mut Tx, news: &TicketPreparing) -> Result<(), Abort> {
        self.with(tx, news.order_id, |record| record.advance(OrderStatus::Preparing))
    }

    pub(crate) fn ticket_ready(&self, tx: &mut Tx, news: &TicketReady) -> Result<(), Abort> {
        self.with(tx, news.order_id, |record| record.advance(OrderStatus::Ready))
    }
}

// === drivers ===

impl OrderDesk {
    pub(crate) fn driver_assigned(&self, tx: &mut Tx, news: &DeliveryAssigned) -> Result<(), Abort> {
        let driver = AssignedDriver { id: news.driver_id, name: news.driver_name.clone() };
        self.with(tx, news.order_id, |record| record.assign(driver.clone(), news.eta))?;
        // Only there the saga waits for it.
        if rows::find(tx, news.order_id)?.is_some_and(|record| record.assignment == Assignment::AtOrder) {
            tx.resume_saga(news.order_id, saga::ASSIGNMENT, &())?;
        }
        Ok(())
    }

    pub(crate) fn driver_lost(&self, tx: &mut Tx, news: &DeliveryReassigned) -> Result<(), Abort> {
        self.with(tx, news.order_id, |record| record.lose_driver(news.driver_id))
    }

    pub(crate) fn eta_changed(&self, tx: &mut Tx, news: &EtaChanged) -> Result<(), Abort> {
        self.with(tx, news.order_id, |record| record.expect(news.eta))
    }

    pub(crate) fn nobody_assigned(&self, tx: &mut Tx, news: &DeliveryUnassigned) -> Result<(), Abort> {
        give_up(tx, news.order_id, saga::NO_DRIVER)
    }

    pub(crate) fn picked_up(&self, tx: &mut Tx, news: &DeliveryPickedUp) -> Result<(), Abort> {
        tx.resume_saga(news.order_id, saga::HANDOVER, &())?;
        Ok(())
    }

    pub(crate) fn delivered(&self, tx: &mut Tx, news: &DeliveryDelivered) -> Result<(), Abort> {
        tx.resume_saga(news.order_id, saga::DOOR, &AtDoor::Delivered)?;
        Ok(())
    }

    pub(crate) fn delivery_failed(&self, tx: &mut Tx, news: &DeliveryFailed) -> Result<(), Abort> {
        tx.resume_saga(news.order_id, saga::DOOR, &AtDoor::Failed)?;
        Ok(())
    }

    pub(crate) fn returned(&self, tx: &mut Tx, news: &DeliveryReturned) -> Result<(), Abort> {
        tx.resume_saga(news.order_id, saga::RETURN, &())?;
        Ok(())
    }
}

impl OrderDesk {
    /// Changes an order and writes down what happened to it. Deliveries without an order are none of this service's
    /// business.
    pub(crate) fn with(
        &self,
        tx: &mut Tx,
        id: OrderId,
        change: impl Fn(&mut Record) -> Vec<Step>,
    ) -> Result<(), Abort> {
        let Some(mut record) = rows::find(tx, id)? else { return Ok(()) };
        let steps = change(&mut record);
        chronicle::note(tx, &self.live, &record, &steps)?;
        Ok(())
    }
}

/// Asks the order's saga to give up. One that is giving up, or over, has no more need to know.
fn give_up(tx: &mut Tx, id: OrderId, code: &str) -> Result<(), Abort> {
    tx.fail_saga(id, code)?;
    Ok(())
}
