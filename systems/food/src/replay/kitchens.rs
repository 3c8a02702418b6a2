//! Kitchens: they accept what is ordered at once, say when it is ready as the day has it, and keep their word.

use std::collections::HashMap;

use food_contracts::TicketId;
use food_contracts::tickets::{AcceptTicket, ListTickets, Ticket, TicketStatus, TicketsClient};
use partie::contract::Timestamp;

use super::agenda::{Agenda, Turn};
use super::customers::Customers;
use super::play::Action;
use super::slips::Slips;
use super::stage::{Player, Stage};
use super::town::Town;
use super::{Failure, chart, failed};

/// All kitchens of a day.
#[derive(Debug)]
pub(crate) struct Kitchens {
    tickets: TicketsClient,
    /// Restaurants with orders whose tickets have not come yet.
    expecting: Vec<usize>,
    /// When none of them had come. Looking again at the same time would be of no use.
    looked: Option<Timestamp>,
    /// The tickets on the boards, by order.
    cooking: HashMap<usize, TicketId>,
}

impl Kitchens {
    pub(crate) fn new(stage: &Stage) -> Self {
        let (expecting, cooking) = (Vec::new(), HashMap::new());
        Self { tickets: stage.http.client(), expecting, looked: None, cooking }
    }

    /// An order was placed there.
    pub(crate) fn expect(&mut self, restaurant: usize) {
        self.expecting.push(restaurant);
        self.looked = None;
    }

    /// Looks for new tickets where there should be some, and accepts them. Says whether there were any.
    pub(crate) async fn look(
        &mut self,
        town: &Town<'_>,
        customers: &Customers,
        agenda: &mut Agenda<Action>,
        slips: &mut Slips,
    ) -> Result<bool, Failure> {
        let now = town.stage.now();
        if self.expecting.is_empty() || self.looked == Some(now) {
            return Ok(false);
        }
        let mut came = false;
        for restaurant in std::mem::take(&mut self.expecting) {
            let dish = town.dish(restaurant);
            let query = ListTickets {
                restaurant_id: Some(dish.restaurant),
                status: Some(TicketStatus::AwaitingAcceptance),
                ..ListTickets::default()
            };
            let page = self.tickets.list(&dish.owner.call(), query).await;
            let page = page
                .map_err(|fault| failed("the tickets of", &town.day.restaurants[restaurant].name, &fault))?;
            if page.data.is_empty() {
                self.expecting.push(restaurant);
            }
            for ticket in page.data {
                came = true;
                let number =
                    customers.number(ticket.order_id).ok_or("a kitchen has a ticket nobody ordered")?;
                let order = &town.day.orders[number];
                slips.compare(
                    format_args!("the ticket of {}", order.name),
                    chart::at(order.placed),
                    ticket.created_at,
                );
                self.accept(&dish.owner, &ticket, chart::at(order.ready))
                    .await
                    .map_err(|fault| failed("accepting", &order.name, &*fault))?;
                self.cooking.insert(number, ticket.id);
                agenda.put(chart::at(order.ready), Turn::Kitchens, Action::Ready(number));
            }
        }
        self.looked = (!came).then_some(now);
        Ok(came)
    }

    /// Accepts and begins to cook.
    async fn accept(&self, owner: &Player, ticket: &Ticket, ready_by: Timestamp) -> Result<(), Failure> {
        let call = owner.keyed(&ticket.id);
        self.tickets.accept(&call, ticket.id, AcceptTicket { ready_by }).await?;
        self.tickets.start(&call, ticket.id).await?;
        Ok(())
    }

    /// The food of an order is ready.
    pub(crate) async fn ready(
        &self,
        town: &Town<'_>,
        number: usize,
        slips: &mut Slips,
    ) -> Result<(), Failure> {
        let (order, ticket) = (&town.day.orders[number], self.ticket(number)?);
        let ready = self.tickets.ready(&town.owner(number).keyed(&ticket), ticket).await;
        let ready = ready.map_err(|fault| failed("the food of", &order.name, &fault))?.0;
        let at = ready.ready_at.ok_or("food is ready at no time")?;
        slips.compare(format_args!("the food of {}", order.name), chart::at(order.ready), at);
        Ok(())
    }

    /// A driver takes the food of an order.
    pub(crate) async fn hand_over(&mut self, town: &Town<'_>, number: usize) -> Result<(), Failure> {
        let (order, ticket) = (&town.day.orders[number], self.ticket(number)?);
        let handed = self.tickets.hand_over(&town.owner(number).keyed(&ticket), ticket).await;
        handed.map_err(|fault| failed("handing over", &order.name, &fault))?;
        Ok(())
    }

    fn ticket(&self, number: usize) -> Result<TicketId, Failure> {
        self.cooking.get(&number).copied().ok_or_else(|| "an order without a ticket was picked up".into())
    }
}
