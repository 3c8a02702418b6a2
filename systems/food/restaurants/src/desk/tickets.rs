//! The contract `Tickets`.

use food_contracts::TicketId;
use food_contracts::tickets::{
    AcceptTicket, CancelTicket, CancelledTicket, ListTickets, NewTicket, Ticket, TicketError, Tickets,
};
use partie::contract::{Call, Created, Id, Outcome, Page, Timestamp, Versioned};
use uuid::Uuid;

use super::RestaurantDesk;
use crate::actor::Actor;
use crate::kitchen;
use crate::rows;
use crate::rows::tickets::Wanted;
use crate::ticket::Action;

impl Tickets for RestaurantDesk {
    async fn list(&self, cx: &Call, query: ListTickets) -> Outcome<Page<Ticket>, TicketError> {
        let ListTickets { restaurant_id, status, limit, after } = query;
        let Actor { subject, is_admin } = Actor::of(cx)?;
        let wanted = Wanted { owner: (!is_admin).then_some(subject), restaurant: restaurant_id, status };
        let start = || (Timestamp::MIN, TicketId::from_uuid(Uuid::nil()));
        let after = after.map_or_else(|| Ok(start()), |after| after.key())?;
        self.store
            .read(move |tx| {
                let slips = rows::tickets::by_age(tx, &wanted, after, limit.get() as usize + 1)?;
                let tickets = slips.into_iter().map(|slip| slip.ticket).collect();
                Ok(Page::from_rows(tickets, limit, |ticket: &Ticket| (ticket.created_at, ticket.id))?)
            })
            .await
    }

    async fn ticket(&self, cx: &Call, id: TicketId) -> Outcome<Versioned<Ticket>, TicketError> {
        let (actor, is_service) = (Actor::of(cx)?, cx.caller().has_role("service"));
        self.store
            .read(move |tx| {
                let found = rows::tickets::find(tx, id)?;
                let seen = found.filter(|slip| is_service || actor.may_act_for(&slip.owner));
                Ok(Versioned(seen.ok_or(TicketError::NotFound)?.ticket))
            })
            .await
    }

    async fn create(&self, cx: &Call, ticket: NewTicket) -> Outcome<Created<Ticket>, TicketError> {
        let accept_within = self.ticket_accept;
        self.store.once(cx, move |tx| kitchen::create(tx, &ticket, accept_within)).await
    }

    async fn accept(
        &self,
        cx: &Call,
        id: TicketId,
        accept: AcceptTicket,
    ) -> Outcome<Versioned<Ticket>, TicketError> {
        self.act(cx, id, Action::Accept, Some(accept.ready_by)).await
    }

    async fn decline(&self, cx: &Call, id: TicketId) -> Outcome<Versioned<Ticket>, TicketError> {
        self.act(cx, id, Action::Decline, None).await
    }

    async fn start(&self, cx: &Call, id: TicketId) -> Outcome<Versioned<Ticket>, TicketError> {
        self.act(cx, id, Action::Start, None).await
    }

    async fn ready(&self, cx: &Call, id: TicketId) -> Outcome<Versioned<Ticket>, TicketError> {
        self.act(cx, id, Action::Ready, None).await
    }

    async fn hand_over(&self, cx: &Call, id: TicketId) -> Outcome<Versioned<Ticket>, TicketError> {
        self.act(cx, id, Action::HandOver, None).await
    }

    async fn cancel(&self, cx: &Call, cancel: CancelTicket) -> Outcome<CancelledTicket, TicketError> {
        self.store.once(cx, move |tx| kitchen::cancel(tx, &cancel)).await
    }
}

impl RestaurantDesk {
    async fn act(
        &self,
        cx: &Call,
        id: TicketId,
        action: Action,
        ready_by: Option<Timestamp>,
    ) -> Outcome<Versioned<Ticket>, TicketError> {
        let actor = Actor::of(cx)?;
        self.store.once(cx, move |tx| kitchen::act(tx, &actor, id, action, ready_by)).await
    }
}
