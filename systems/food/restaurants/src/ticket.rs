//! Tickets of a kitchen: the states, and what leads from one to the next.

use food_contracts::ItemId;
use food_contracts::tickets::{Ticket, TicketError, TicketStatus};
use partie::contract::Timestamp;
use serde::{Deserialize, Serialize};

use self::Action::{Accept, Cancel, Decline, Expire, ForceCancel, HandOver, Ready, Start};
use TicketStatus as S;

/// What can happen to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Accept,
    Decline,
    Start,
    Ready,
    HandOver,
    /// The order was cancelled, and the kitchen may refuse.
    Cancel,
    /// The order was cancelled, and the kitchen may not refuse.
    ForceCancel,
    /// The kitchen did not answer.
    Expire,
}

/// Everything that may happen. What is not here may not.
const TRANSITIONS: &[(TicketStatus, Action, TicketStatus)] = &[
    (S::AwaitingAcceptance, Accept, S::Accepted),
    (S::AwaitingAcceptance, Decline, S::Declined),
    (S::AwaitingAcceptance, Expire, S::Expired),
    (S::AwaitingAcceptance, Cancel, S::Cancelled),
    (S::AwaitingAcceptance, ForceCancel, S::Cancelled),
    (S::Accepted, Start, S::Preparing),
    (S::Accepted, Decline, S::Cancelled),
    (S::Accepted, Cancel, S::Cancelled),
    (S::Accepted, ForceCancel, S::Cancelled),
    (S::Preparing, Ready, S::Ready),
    (S::Preparing, Decline, S::Cancelled),
    (S::Preparing, ForceCancel, S::Cancelled),
    (S::Ready, HandOver, S::HandedOver),
    (S::Ready, ForceCancel, S::Cancelled),
    // Whoever was given the food, it was not the order's driver.
    (S::HandedOver, ForceCancel, S::Cancelled),
];

/// The states with their names in the store.
const NAMES: &[(TicketStatus, &str)] = &[
    (S::AwaitingAcceptance, "awaiting_acceptance"),
    (S::Accepted, "accepted"),
    (S::Preparing, "preparing"),
    (S::Ready, "ready"),
    (S::HandedOver, "handed_over"),
    (S::Declined, "declined"),
    (S::Expired, "expired"),
    (S::Cancelled, "cancelled"),
];

/// A ticket with what only its kitchen knows.
#[derive(Debug, Clone)]
pub(crate) struct Slip {
    pub(crate) ticket: Ticket,
    /// Who owns the restaurant.
    pub(crate) owner: String,
    /// The portions that were counted off for it and are not cooked yet.
    pub(crate) held: Vec<Portions>,
}

/// Portions of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Portions {
    pub(crate) item_id: ItemId,
    pub(crate) quantity: u32,
}

// === impl Slip ===

impl Slip {
    /// Whether the kitchen's time to answer is over.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.ticket.status == S::AwaitingAcceptance && self.ticket.accept_by <= now
    }

    /// Lets it happen, and says which portions are free again.
    ///
    /// # Errors
    /// [`TicketError::InvalidTransition`], and the ticket stays as it was.
    pub(crate) fn apply(&mut self, action: Action, now: Timestamp) -> Result<Vec<Portions>, TicketError> {
        let ticket = &mut self.ticket;
        let to = after(ticket.status, action).ok_or_else(|| refusal(ticket.status))?;
        ticket.status = to;
        ticket.version += 1;
        if to == S::Ready {
            ticket.ready_at = Some(now);
        }
        let held = match to {
            S::Declined | S::Expired | S::Cancelled => std::mem::take(&mut self.held),
            // What is being cooked does not come back, whatever becomes of the order.
            S::Preparing => {
                self.held.clear();
                Vec::new()
            }
            _ => Vec::new(),
        };
        Ok(held)
    }
}

/// The complaint about an action that does not fit a state.
pub(crate) fn refusal(current_state: TicketStatus) -> TicketError {
    let from_here = TRANSITIONS.iter().filter(|(from, ..)| *from == current_state);
    let allowed = from_here.filter_map(|(_, action, _)| action.route()).map(str::to_owned).collect();
    TicketError::InvalidTransition { current_state, allowed }
}

/// The name of a state in the store.
pub(crate) fn name(status: TicketStatus) -> &'static str {
    NAMES.iter().find(|(known, _)| *known == status).map_or("", |(_, name)| name)
}

/// The state with that name.
pub(crate) fn named(name: &str) -> Option<TicketStatus> {
    NAMES.iter().find(|(_, known)| *known == name).map(|(status, _)| *status)
}

fn after(from: TicketStatus, action: Action) -> Option<TicketStatus> {
    TRANSITIONS.iter().find(|row| (row.0, row.1) == (from, action)).map(|row| row.2)
}

// === impl Action ===

impl Action {
    /// The last segment of its route, if callers have one for it.
    fn route(self) -> Option<&'static str> {
        match self {
            Accept => Some("accept"),
            Decline => Some("decline"),
            Start => Some("start"),
            Ready => Some("ready"),
            HandOver => Some("hand-over"),
            Cancel => Some("cancel"),
            ForceCancel | Expire => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use food_contracts::{OrderId, RestaurantId, TicketId};
    use partie::contract::Id;
    use uuid::Uuid;

    use super::*;

    const ALL: [Action; 8] = [Accept, Decline, Start, Ready, HandOver, Cancel, ForceCancel, Expire];
    const NOW: Timestamp = Timestamp::EPOCH;

    fn slip(status: TicketStatus) -> Slip {
        let id = Uuid::from_u128(1);
        let ticket = Ticket {
            id: TicketId::from_uuid(id),
            order_id: OrderId::from_uuid(id),
            restaurant_id: RestaurantId::from_uuid(id),
            status,
            lines: Vec::new(),
            accept_by: NOW,
            ready_by: None,
            ready_at: None,
            created_at: NOW,
            version: 1,
        };
        let held = vec![Portions { item_id: ItemId::from_uuid(id), quantity: 2 }];
        Slip { ticket, owner: "o".to_owned(), held }
    }

    #[test]
    fn every_state_and_action() {
        // Where each action leads to, in the order of `ALL`; `-` is refused.
        for (from, expected) in [
            ("awaiting_acceptance", "accepted declined - - - cancelled cancelled expired"),
            ("accepted", "- cancelled preparing - - cancelled cancelled -"),
            ("preparing", "- cancelled - ready - - cancelled -"),
            ("ready", "- - - - handed_over - cancelled -"),
            ("handed_over", "- - - - - - cancelled -"),
            ("declined", "- - - - - - - -"),
            ("expired", "- - - - - - - -"),
            ("cancelled", "- - - - - - - -"),
        ] {
            let ends: Vec<&str> = ALL
                .into_iter()
                .map(|action| {
                    let mut slip = slip(named(from).unwrap());
                    match slip.apply(action, NOW) {
                        Ok(_) => name(slip.ticket.status),
                        Err(error) => {
                            assert_eq!(error, refusal(named(from).unwrap()));
                            assert_eq!((name(slip.ticket.status), slip.ticket.version), (from, 1));
                            "-"
                        }
                    }
                })
                .collect();
            assert_eq!(ends.join(" "), expected, "{from}");
        }
    }

    #[test]
    fn portions_come_back_until_the_kitchen_cooks() {
        for (from, action, back) in [
            (S::AwaitingAcceptance, Decline, 1),
            (S::AwaitingAcceptance, Expire, 1),
            (S::AwaitingAcceptance, Cancel, 1),
            (S::AwaitingAcceptance, Accept, 0),
            (S::Accepted, Cancel, 1),
        ] {
            assert_eq!(slip(from).apply(action, NOW).unwrap().len(), back, "{from:?} {action:?}");
        }
        let mut cooking = slip(S::Accepted);
        cooking.apply(Start, NOW).unwrap();
        assert_eq!(cooking.apply(ForceCancel, NOW).unwrap(), []);
    }

    #[test]
    fn a_refusal_names_what_is_possible() {
        let TicketError::InvalidTransition { allowed, .. } = refusal(S::AwaitingAcceptance) else { panic!() };
        assert_eq!(allowed, ["accept", "decline", "cancel"]);
        let TicketError::InvalidTransition { allowed, .. } = refusal(S::Ready) else { panic!() };
        assert_eq!(allowed, ["hand-over"]);
    }
}
