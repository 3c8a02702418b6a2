//! The contracts, implemented: each operation is one transaction on the board.

mod deliveries;
mod drivers;
mod seed;

use std::sync::Arc;

use food_contracts::tickets::{TicketAccepted, TicketReady};
use partie::Start;
use partie::contract::{Abort, BoxError};
use partie::runtime::Compute;
use partie::store::{Store, Tx};

use crate::board::Board;
use crate::pace::Bell;
use crate::settings::Settings;
use crate::wakes::Wakes;

/// What answers for all drivers and deliveries. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryDesk {
    pub(crate) store: Store,
    pub(crate) board: Arc<Board>,
    pub(crate) compute: Compute,
}

impl DeliveryDesk {
    /// Opens for business, and lets dispatch work.
    pub(crate) async fn start(s: Start) -> Result<Self, BoxError> {
        let settings: Settings = s.settings()?;
        let activity = s.activity().clone();
        let board = Board {
            settings: settings.checked()?,
            wakes: Wakes::new(activity.clone()),
            bell: Bell::new(activity.clone()),
        };
        let desk = Self { store: s.store(), board: Arc::new(board), compute: s.compute().clone() };
        tokio::spawn(desk.clone().keep_pace(activity.begin()));
        Ok(desk)
    }

    /// The kitchen says that the food is ready.
    pub(crate) fn ticket_accepted(&self, tx: &mut Tx, accepted: &TicketAccepted) -> Result<(), Abort> {
        Ok(self.board.promised(tx, accepted.order_id, accepted.ready_by)?)
    }

    pub(crate) fn ticket_ready(&self, tx: &mut Tx, ready: &TicketReady) -> Result<(), Abort> {
        Ok(self.board.ready(tx, ready.order_id, ready.ready_at)?)
    }
}
