//! A customer: orders, looks what becomes of it, and sometimes thinks again.

use food_contracts::OrderId;
use food_contracts::orders::{Order, OrderStatus};

use super::{Play, Word};
use crate::faults::caller::Caller;
use crate::faults::wish::Wish;

pub(crate) struct Customer<'p> {
    play: &'p Play<'p>,
    caller: Caller<'p>,
    phone: String,
    /// Where it orders.
    favourite: u32,
    /// What was ordered and has not ended.
    open: Vec<(Wish, OrderId)>,
    /// How many orders there were.
    placed: usize,
    name: String,
}

// === impl Customer ===

impl<'p> Customer<'p> {
    pub(crate) fn new(play: &'p Play<'p>, number: usize) -> Self {
        let name = format!("customer-{number}");
        let caller = Caller::new(play.stage, &name, "customer");
        let (phone, favourite) = (format!("+4930{number:06}"), if number.is_multiple_of(2) { 3 } else { 1 });
        Self { play, caller, phone, favourite, open: Vec::new(), placed: 0, name }
    }

    /// Places an order. Whatever happens, there will be one.
    pub(crate) fn order(&mut self, wish: Wish) {
        self.placed += 1;
        let key = format!("{}-{}", self.name, self.placed);
        let answer = self.caller.post("/api/v1/orders", &key, Some(&wish.order(self.favourite, &self.phone)));
        assert_eq!(answer.status, 201, "{answer:?}");
        let id: OrderId = answer.json()["id"].as_str().unwrap().parse().unwrap();
        assert!(self.play.say(Word::Placed, id), "{key}: {id} is somebody else's order");
        self.open.push((wish, id));
    }

    /// Follows the orders until no more than so many are open.
    pub(crate) fn follow(&mut self, at_most: usize) {
        loop {
            // Most of what is open is among the newest.
            let path = format!("/api/v1/orders?limit={}", (self.open.len() + 5).min(100));
            let newest = self.caller.get(&path).json();
            let newest: Vec<Order> = serde_json::from_value(newest["data"].clone()).unwrap();
            for (wish, id) in std::mem::take(&mut self.open) {
                let order = newest.iter().find(|order| order.id == id).cloned();
                let order = order.unwrap_or_else(|| self.read(id));
                if !self.look(wish, &order) {
                    self.open.push((wish, id));
                }
            }
            if self.open.len() <= at_most || !self.play.goes_on() {
                return;
            }
            self.play.glance();
        }
    }

    fn read(&mut self, id: OrderId) -> Order {
        let answer = self.caller.get(&format!("/api/v1/orders/{id}"));
        assert_eq!(answer.status, 200, "order {id} was answered and is gone: {answer:?}");
        serde_json::from_value(answer.json()).unwrap()
    }

    /// Looks after an order. Says whether it has ended.
    fn look(&mut self, wish: Wish, order: &Order) -> bool {
        let thinks_again = match wish {
            Wish::CancelledPending => order.status == OrderStatus::Pending,
            Wish::CancelledConfirmed => order.status == OrderStatus::Confirmed,
            Wish::CancelledTooLate => order.status == OrderStatus::Preparing,
            _ => false,
        };
        if thinks_again && !self.play.was_said(Word::Cancel, order.id) {
            let path = format!("/api/v1/orders/{}/cancel", order.id);
            self.caller.post(&path, &format!("cancel-{}", order.id), None);
            self.play.say(Word::Cancel, order.id);
        }
        order.status.is_terminal()
    }
}
