//! The demo kitchens: they take every order, cook it in a few seconds, and never run out of anything.

use std::sync::Arc;
use std::time::Duration;

use food_contracts::tickets::{AcceptTicket, ListTickets, Ticket, TicketStatus, TicketsClient};
use partie::contract::Limit;
use partie::{Call, Running};

use super::Person;

/// Who owns the demo restaurants.
const OWNER: &str = "demo-kitchen";
/// How often somebody looks at the screen with the tickets.
const GLANCE: Duration = Duration::from_millis(500);
/// How long everything takes to cook.
const COOKING: Duration = Duration::from_secs(6);

pub(super) async fn run(running: Arc<Running>) {
    let tickets: TicketsClient = running.client();
    let owner = Person { running, subject: OWNER.to_owned(), role: "owner" };
    loop {
        for status in [TicketStatus::AwaitingAcceptance, TicketStatus::Accepted, TicketStatus::Preparing] {
            for ticket in waiting(&owner, &tickets, status).await {
                // What fails now is tried again at the next glance.
                let _ = serve(&owner, &tickets, &ticket).await;
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
}

async fn waiting(owner: &Person, tickets: &TicketsClient, status: TicketStatus) -> Vec<Ticket> {
    let query = ListTickets { status: Some(status), limit: Limit::MAX, ..ListTickets::default() };
    match owner.call() {
        Some(call) => tickets.list(&call, query).await.map(|page| page.data).unwrap_or_default(),
        None => Vec::new(),
    }
}

/// Does the next thing that is to be done for a ticket, if its time has come.
async fn serve(owner: &Person, tickets: &TicketsClient, ticket: &Ticket) -> Option<()> {
    let now = owner.running.clock().now();
    let act = |what| -> Option<Call> { owner.act(what, ticket.id) };
    let done = match ticket.status {
        TicketStatus::AwaitingAcceptance => {
            tickets.accept(&act("accept")?, ticket.id, AcceptTicket { ready_by: now + COOKING }).await
        }
        TicketStatus::Accepted => tickets.start(&act("start")?, ticket.id).await,
        TicketStatus::Preparing if ticket.ready_by.is_none_or(|ready_by| ready_by <= now) => {
            tickets.ready(&act("ready")?, ticket.id).await
        }
        _ => return None,
    };
    done.ok().map(drop)
}
