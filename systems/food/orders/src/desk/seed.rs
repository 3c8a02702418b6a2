//! The contract `SeedOrders`: the tutorial's route.

use std::time::Duration;

use food_contracts::orders::{Assignment, EndReason, NewOrder, Order, OrderError, OrderStatus};
use food_contracts::restaurants::{Basket, BasketItem, RestaurantError};
use food_contracts::seed::{SeedError, SeedOrder, SeedOrderPlaced, SeedOrders, restaurant_id};
use food_contracts::{Contact, OrderId, Quantity};
use partie::contract::{Settled, Timestamp};
use partie::runtime::monotonic;
use partie::{Call, Outcome, OutcomeExt};

use super::OrderDesk;
/// How long the tutorial's client waits for a driver.
const PATIENCE: Duration = Duration::from_secs(10);

impl SeedOrders for OrderDesk {
    async fn create(&self, cx: &Call, order: SeedOrder) -> Outcome<Settled<SeedOrderPlaced>, SeedError> {
        let new = self.first_item(cx, &order).await?;
        let customer = cx.subject()?.to_owned();
        let basket = Basket::from(new.clone());
        let quoted = self.restaurants.quote(cx, new.restaurant_id, basket).await;
        let quote = quoted.map_domain(|_: RestaurantError| unavailable())?;
        let desk = self.clone();
        let placed = self
            .store
            .once(cx, move |tx| {
                let taken: Outcome<Order, OrderError> = desk.take(tx, &customer, &new, &quote);
                Ok(Settled::Later(answer(&taken.unexpected()?, tx.now())))
            })
            .await?;
        let order = self.assigned(cx, placed.get().order_id).await?;
        let answer = answer(&order, self.start.clock().now());
        match (order.status, order.reason) {
            (OrderStatus::Rejected | OrderStatus::Cancelled, Some(EndReason::NoDriver)) => {
                Err(SeedError::NoDriversAvailable { error: "No drivers available".to_owned() }.into())
            }
            (OrderStatus::Rejected | OrderStatus::Cancelled, _) => Err(unavailable().into()),
            _ if answer.status == "confirmed" => Ok(Settled::Done(answer)),
            _ => Ok(Settled::Later(answer)),
        }
    }
}

impl OrderDesk {
    /// The first available item, once, to the restaurant's own door.
    async fn first_item(&self, cx: &Call, order: &SeedOrder) -> Outcome<NewOrder, SeedError> {
        let id = restaurant_id(order.restaurant_id);
        let restaurant = self.restaurants.restaurant(cx, id).await.map_domain(|_| unavailable())?.0;
        let menu = self.restaurants.menu(cx, id).await.map_domain(|_| unavailable())?.0;
        let item = menu.items.into_iter().find(|item| item.available).ok_or_else(unavailable)?;
        Ok(NewOrder {
            restaurant_id: id,
            items: vec![BasketItem { item_id: item.id, quantity: Quantity::ONE }],
            drop_off: restaurant.location,
            contact: Contact { phone: Some(order.customer_phone.clone()), email: None },
            assignment: Assignment::AtOrder,
        })
    }

    /// The order once a driver is on it and the kitchen has it, or it is over, or the patience is.
    async fn assigned(&self, cx: &Call, id: OrderId) -> Outcome<Order, SeedError> {
        let settled = |order: &Order| {
            order.status.is_terminal() || (order.driver.is_some() && order.status != OrderStatus::Pending)
        };
        let begun = monotonic();
        let mut news = self.live.news(id);
        loop {
            let order = self.read(id).await?.order;
            let left = PATIENCE.saturating_sub(begun.elapsed());
            if settled(&order) || left.is_zero() {
                return Ok(order);
            }
            // Either way the order says how things stand.
            cx.parked(tokio::time::timeout(left, news.arrive())).await.ok();
        }
    }
}

/// What the tutorial's client is told of an order.
fn answer(order: &Order, now: Timestamp) -> SeedOrderPlaced {
    let is_confirmed = order.driver.is_some() && order.status != OrderStatus::Pending;
    let minutes = |eta: Timestamp| i64::try_from(eta.since(now).as_secs().div_ceil(60)).unwrap_or(i64::MAX);
    SeedOrderPlaced {
        order_id: order.id,
        status: if is_confirmed { "confirmed" } else { "pending" }.to_owned(),
        driver: order.driver.as_ref().map(|driver| driver.name.clone()),
        eta: order.eta.map(minutes),
        tracking_id: order.tracking_id.to_string(),
        emoji: "🎉".to_owned(),
    }
}

fn unavailable() -> SeedError {
    SeedError::RestaurantUnavailable { error: "Restaurant unavailable".to_owned() }
}
