//! A kitchen: takes orders and cooks them, some of them.

use std::time::Duration;

use food_contracts::RestaurantId;
use food_contracts::tickets::{Ticket, TicketStatus};
use serde_json::json;

use super::{Play, Word};
use crate::faults::caller::Caller;
use crate::faults::wish::Wish;

/// How long everything takes to cook.
const COOKING: Duration = Duration::from_millis(250);

/// The tickets that somebody has to look after.
const STATUSES: [&str; 4] = ["awaiting_acceptance", "accepted", "preparing", "ready"];

pub(crate) struct Kitchen<'p> {
    play: &'p Play<'p>,
    caller: Caller<'p>,
    restaurant: RestaurantId,
    /// The tickets that it looks after.
    statuses: &'static [&'static str],
}

// === impl Kitchen ===

impl<'p> Kitchen<'p> {
    pub(crate) fn new(play: &'p Play<'p>, restaurant: RestaurantId) -> Self {
        let caller = Caller::new(play.stage, "demo-kitchen", "owner");
        Self { play, caller, restaurant, statuses: &STATUSES }
    }

    /// A kitchen of many hands, each for another kind of tickets.
    pub(crate) fn hands(play: &'p Play<'p>, restaurant: RestaurantId) -> impl Iterator<Item = Self> {
        STATUSES.chunks(1).map(move |statuses| Self { statuses, ..Self::new(play, restaurant) })
    }

    pub(crate) fn work(mut self) {
        while self.play.goes_on() {
            for status in self.statuses {
                for ticket in self.tickets(status) {
                    self.serve(&ticket);
                }
            }
            self.play.glance();
        }
    }

    fn tickets(&mut self, status: &str) -> Vec<Ticket> {
        let first = format!("/api/v1/tickets?restaurant_id={}&status={status}&limit=100", self.restaurant);
        let (mut all, mut path) = (Vec::new(), first.clone());
        loop {
            let page = self.caller.get(&path).json();
            let tickets: Vec<Ticket> = serde_json::from_value(page["data"].clone()).unwrap();
            all.extend(tickets);
            match page["next_cursor"].as_str() {
                Some(next) => path = format!("{first}&after={next}"),
                None => return all,
            }
        }
    }

    /// Does the next thing that is to be done for a ticket, if there is one. A no is somebody else's yes: the order was
    /// cancelled, or the time is over.
    fn serve(&mut self, ticket: &Ticket) {
        let (order, now) = (ticket.order_id, self.play.now());
        let wish = Wish::of_quantity(ticket.lines[0].quantity.get());
        let asked_to_cancel = self.play.was_said(Word::Cancel, order);
        match (ticket.status, wish) {
            (TicketStatus::AwaitingAcceptance, Wish::Ignored | Wish::CancelledPending) => {}
            (TicketStatus::AwaitingAcceptance, Wish::Declined | Wish::DeclinedTooLate) => {
                self.act(ticket, "decline");
            }
            (TicketStatus::AwaitingAcceptance, _) => {
                let ready_by = now + COOKING;
                let path = format!("/api/v1/tickets/{}/accept", ticket.id);
                // Another time is another promise.
                let key = format!("accept-{}-{}", ticket.id, ready_by.as_millis());
                self.caller.post(&path, &key, Some(&json!({ "ready_by": ready_by })));
            }
            (TicketStatus::Accepted, Wish::CancelledConfirmed) => {}
            (TicketStatus::Accepted, _) => self.act(ticket, "start"),
            (TicketStatus::Preparing, Wish::CancelledTooLate) if !asked_to_cancel => {}
            (TicketStatus::Preparing, Wish::Burnt) => self.act(ticket, "decline"),
            (TicketStatus::Preparing, _) if ticket.ready_by.is_none_or(|ready_by| ready_by <= now) => {
                self.act(ticket, "ready");
            }
            (TicketStatus::Ready, Wish::HandedToNobody) => self.act(ticket, "hand-over"),
            (TicketStatus::Ready, _) if self.play.was_said(Word::PickedUp, order) => {
                self.act(ticket, "hand-over");
            }
            _ => {}
        }
    }

    fn act(&mut self, ticket: &Ticket, action: &str) {
        let path = format!("/api/v1/tickets/{}/{action}", ticket.id);
        self.caller.post(&path, &format!("{action}-{}", ticket.id), None);
    }
}
