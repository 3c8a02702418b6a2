//! A customer's wish to cancel: the kitchen is asked, and what it says decides.

use food_contracts::OrderId;
use food_contracts::tickets::{CancelTicket, TicketError};
use partie::contract::Fault;
use partie::messaging::{AfterCrash, Job, JobError, Sagas as _, Signalled};
use partie::store::Tx;
use partie::{Call, Outcome, OutcomeExt};
use serde::{Deserialize, Serialize};

use crate::desk::OrderDesk;
use crate::saga;

/// Ask the kitchen whether an order can still be cancelled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AskKitchen {
    pub(crate) order_id: OrderId,
}

impl Job for AskKitchen {
    const KIND: &'static str = "ask-kitchen";
    /// The kitchen answers the same question twice with the same answer.
    const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
}

impl OrderDesk {
    pub(crate) async fn ask_kitchen(&self, cx: &Call, job: &AskKitchen) -> Result<(), JobError> {
        let order_id = job.order_id;
        // An order without a ticket will not get one any more.
        let answer = self.tickets.cancel(cx, CancelTicket { order_id, force: false }).await;
        let agrees = match answer {
            Ok(_) => true,
            Err(Fault::Domain(TicketError::InvalidTransition { .. })) => false,
            Err(fault) => return Err(fault.into()),
        };
        let desk = self.clone();
        let written: Outcome<()> = self.store.write(move |tx| Ok(desk.settle(tx, order_id, agrees)?)).await;
        Ok(written.unexpected()?)
    }

    fn settle(&self, tx: &mut Tx, id: OrderId, agrees: bool) -> Result<(), partie::contract::Abort> {
        if agrees && tx.fail_saga(id, saga::CUSTOMER)? == Signalled::Accepted {
            return Ok(());
        }
        self.with(tx, id, |record| record.refuse_cancel())
    }
}
