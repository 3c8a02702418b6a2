//! The desk: answers the contract of orders.

use food_contracts::OrderId;
use food_contracts::orders::{
    EndReason, ListOrders, NewOrder, Order, OrderError, OrderTracking, Orders, QuoteRequest, Timeline,
    Tracking,
};
use food_contracts::restaurants::{Basket, Quote, RestaurantsClient};
use partie::contract::{Created, EventStream, Page, Timestamp, Versioned};
use partie::store::{Store, Tx};
use partie::{Call, Live, Outcome, OutcomeExt, Place};

use crate::order::{Record, Step, refusal};
use crate::rows;

/// The state of the service.
pub(crate) struct OrderDesk {
    pub(crate) store: Store,
    pub(crate) restaurants: RestaurantsClient,
    /// Wakes those who follow an order.
    pub(crate) live: Live<OrderId>,
}

impl Orders for OrderDesk {
    async fn quote(&self, cx: &Call, request: QuoteRequest) -> Outcome<Quote, OrderError> {
        let basket = Basket { items: request.items, drop_off: request.drop_off };
        self.restaurants.quote(cx, request.restaurant_id, basket).await.map_domain(refusal)
    }

    async fn place(&self, cx: &Call, new: NewOrder) -> Outcome<Created<Order>, OrderError> {
        let customer = cx.subject()?.to_owned();
        let basket = Basket::from(new.clone());
        let quote = self.restaurants.quote(cx, new.restaurant_id, basket).await.map_domain(refusal)?;
        let live = self.live.clone();
        self.store
            .once(cx, move |tx| {
                let record = Record::new(tx.new_id(), &customer, &new, &quote, tx.now());
                rows::insert(tx, &record, new.assignment)?;
                remember(tx, &live, &record, Step::Placed)?;
                Ok(Created(record.order))
            })
            .await
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
        let cx = cx.clone();
        let order = self.store.read(move |tx| Ok(visible(tx, &cx, id)?.order)).await?;
        Ok(OrderTracking {
            order_id: order.id,
            status: order.status,
            driver: order.driver,
            position: None,
            position_at: None,
            eta: order.eta,
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
            snapshot: tracking(&order, order.placed_at),
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
                let step = record.cancel(EndReason::CustomerCancelled)?;
                rows::update(tx, &record)?;
                remember(tx, &live, &record, step)?;
                Ok(Versioned(record.order))
            })
            .await
    }
}

/// The order, if the caller may see it. Somebody else's order is not there.
fn visible(tx: &mut Tx, cx: &Call, id: OrderId) -> Outcome<Record, OrderError> {
    let record = rows::find(tx, id)?.ok_or(OrderError::NotFound)?;
    let own = cx.caller().subject() == Some(record.customer.as_str());
    if own || cx.caller().has_role("admin") { Ok(record) } else { Err(OrderError::NotFound.into()) }
}

/// Writes a step into the order's history and tells those who follow the order.
fn remember(tx: &mut Tx, live: &Live<OrderId>, record: &Record, step: Step) -> Outcome<(), OrderError> {
    let order = &record.order;
    let last = rows::last_entry(tx, order.id)?;
    let entry = record.entry(step, last.as_ref(), tx.now());
    rows::append(tx, order.id, &entry, tracking(order, entry.at))?;
    live.wake(tx, order.id);
    Ok(())
}

/// What a stream says of an order.
fn tracking(order: &Order, at: Timestamp) -> Tracking {
    Tracking {
        order_id: order.id,
        status: order.status,
        at,
        reason: order.reason,
        driver: order.driver.clone(),
        eta: order.eta,
    }
}
