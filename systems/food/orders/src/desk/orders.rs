//! The contract `Orders`.

use food_contracts::OrderId;
use food_contracts::orders::{
    ListOrders, NewOrder, Order, OrderError, OrderTracking, Orders, QuoteRequest, Timeline, Tracking,
};
use food_contracts::restaurants::{Basket, Quote};
use partie::contract::{Created, EventStream, Page, Versioned};
use partie::messaging::Enqueue as _;
use partie::{Call, Outcome, OutcomeExt, Place};

use super::{OrderDesk, visible};
use crate::cancel::AskKitchen;
use crate::order::refusal;
use crate::{chronicle, rows};

impl Orders for OrderDesk {
    async fn quote(&self, cx: &Call, request: QuoteRequest) -> Outcome<Quote, OrderError> {
        let basket = Basket { items: request.items, drop_off: request.drop_off };
        self.restaurants.quote(cx, request.restaurant_id, basket).await.map_domain(refusal)
    }

    async fn place(&self, cx: &Call, new: NewOrder) -> Outcome<Created<Order>, OrderError> {
        let customer = cx.subject()?.to_owned();
        let basket = Basket::from(new.clone());
        let quote = self.restaurants.quote(cx, new.restaurant_id, basket).await.map_domain(refusal)?;
        let desk = self.clone();
        self.store.once(cx, move |tx| Ok(Created(desk.take(tx, &customer, &new, &quote)?))).await
    }

    async fn list(&self, cx: &Call, query: ListOrders) -> Outcome<Page<Order>, OrderError> {
        let customer = cx.subject()?.to_owned();
        let after = query.after.as_ref().map(|cursor| cursor.key::<OrderId>()).transpose()?;
        self.store
            .read(move |tx| {
                let found = rows::of_customer(tx, &customer, query.status, after, query.limit)?;
                Ok(Page::from_rows(found, query.limit, |order| order.id)?)
            })
            .await
    }

    async fn order(&self, cx: &Call, id: OrderId) -> Outcome<Versioned<Order>, OrderError> {
        let cx = cx.clone();
        self.store.read(move |tx| Ok(Versioned(visible(tx, &cx, id)?.order))).await
    }

    async fn timeline(&self, cx: &Call, id: OrderId) -> Outcome<Timeline, OrderError> {
        let cx = cx.clone();
        self.store
            .read(move |tx| {
                visible(tx, &cx, id)?;
                Ok(Timeline { data: rows::history(tx, id)? })
            })
            .await
    }

    async fn tracking(&self, cx: &Call, id: OrderId) -> Outcome<OrderTracking, OrderError> {
        let caller = cx.clone();
        let order = self.store.read(move |tx| Ok(visible(tx, &caller, id)?.order)).await?;
        // Where the driver is, is worth less than where the order stands: without it there is still an answer.
        let position = match &order.driver {
            Some(_) => self.deliveries.position(&self.own_call(cx), id).await.ok(),
            None => None,
        };
        Ok(OrderTracking {
            order_id: order.id,
            status: order.status,
            driver: order.driver,
            position: position.as_ref().and_then(|position| position.position),
            position_at: position.as_ref().and_then(|position| position.at),
            eta: position.and_then(|position| position.eta).or(order.eta),
        })
    }

    async fn track(&self, cx: &Call, id: OrderId) -> Outcome<EventStream<Tracking>, OrderError> {
        let caller = cx.clone();
        let (order, newest) = self
            .store
            .read(move |tx| Ok((visible(tx, &caller, id)?.order, rows::last_entry(tx, id)?)))
            .await?;
        let place = Place {
            seen: cx.last_event_id().map(str::to_owned),
            newest: newest.map_or(0, |entry| entry.sequence),
            snapshot: chronicle::tracking(&order, order.placed_at),
        };
        let store = self.store.clone();
        let after = move |seen| store.read::<_, OrderError, _>(move |tx| Ok(rows::stream(tx, id, seen)?));
        Ok(self.live.follow(id, place, after, |tracking| tracking.status.is_terminal()))
    }

    async fn cancel(&self, cx: &Call, id: OrderId) -> Outcome<Versioned<Order>, OrderError> {
        let (caller, live) = (cx.clone(), self.live.clone());
        self.store
            .once(cx, move |tx| {
                let mut record = visible(tx, &caller, id)?;
                let steps = record.request_cancel()?;
                chronicle::note(tx, &live, &record, &steps)?;
                tx.enqueue(&AskKitchen { order_id: id })?;
                Ok(Versioned(record.order))
            })
            .await
    }
}
