//! Customers: each places one order, at its minute.

use std::collections::HashMap;

use food_contracts::orders::{NewOrder, OrderStatus, OrdersClient};
use food_contracts::restaurants::BasketItem;
use food_contracts::{Contact, OrderId, Quantity};

use super::slips::Slips;
use super::stage::{Player, Stage};
use super::town::Town;
use super::{Failure, chart, failed};

/// All customers of a day.
#[derive(Debug)]
pub(crate) struct Customers {
    orders: OrdersClient,
    /// The day's orders by the ids they got.
    placed: HashMap<OrderId, usize>,
    /// Who placed them.
    waiting: Vec<(OrderId, Player)>,
}

impl Customers {
    pub(crate) fn new(stage: &Stage) -> Self {
        Self { orders: stage.http.client(), placed: HashMap::new(), waiting: Vec::new() }
    }

    /// Places an order of the day.
    pub(crate) async fn place(
        &mut self,
        town: &Town<'_>,
        number: usize,
        slips: &mut Slips,
    ) -> Result<(), Failure> {
        let order = &town.day.orders[number];
        let dish = town.dish(order.restaurant);
        let new = NewOrder {
            restaurant_id: dish.restaurant,
            items: vec![BasketItem { item_id: dish.item, quantity: Quantity::ONE }],
            drop_off: chart::place(order.drop_off),
            contact: Contact { phone: Some(format!("+4930{:07}", number + 1).parse()?), email: None },
            assignment: Default::default(),
        };
        let customer = town.stage.player(&format!("customer-{}", number + 1), "customer")?;
        let placed = self.orders.place(&customer.keyed("order"), new).await;
        let placed = placed.map_err(|fault| failed("placing order", &order.name, &fault))?.0;
        slips.compare(format_args!("placing {}", order.name), chart::at(order.placed), placed.placed_at);
        self.placed.insert(placed.id, number);
        self.waiting.push((placed.id, customer));
        Ok(())
    }

    /// Which order of the day that is. Players know each other's orders by their ids only.
    pub(crate) fn number(&self, order: OrderId) -> Option<usize> {
        self.placed.get(&order).copied()
    }

    /// How many orders are completed, as those who placed them see it.
    pub(crate) async fn completed(&self) -> Result<usize, Failure> {
        let mut completed = 0;
        for (id, customer) in &self.waiting {
            let order = self.orders.order(&customer.call(), *id).await?.0;
            completed += usize::from(order.status == OrderStatus::Completed);
        }
        Ok(completed)
    }
}
