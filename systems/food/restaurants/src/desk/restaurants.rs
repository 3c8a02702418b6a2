//! The contract `Restaurants`.

use food_contracts::restaurants::{
    self as api, Availability, Basket, Hours, ItemChange, ItemUnavailable, ListRestaurants, Menu,
    MenuChanged, NewRestaurant, Pause, Quote, RestaurantError, RestaurantOpened, RestaurantPaused,
    Restaurants,
};
use food_contracts::{ItemId, RestaurantId};
use partie::contract::{Call, Created, FaultKind, IfMatch, Outcome, Page, Platform, Versioned};
use partie::messaging::Publish as _;
use partie::store::Tx;

use super::RestaurantDesk;
use super::listing::Listing;
use crate::actor::Actor;
use crate::basket;
use crate::hours::Week;
use crate::menu::Item;
use crate::restaurant::Restaurant;
use crate::rows;

impl Restaurants for RestaurantDesk {
    async fn list(
        &self,
        _: &Call,
        query: ListRestaurants,
    ) -> Outcome<Page<api::Restaurant>, RestaurantError> {
        let listing = Listing::new(query)?;
        self.store.read(move |tx| listing.page(tx)).await
    }

    async fn open(
        &self,
        cx: &Call,
        restaurant: NewRestaurant,
    ) -> Outcome<Created<api::Restaurant>, RestaurantError> {
        let owner = cx.subject()?.to_owned();
        self.store
            .once(cx, move |tx| {
                let opened =
                    Restaurant::open(tx.new_id(), owner.clone(), &restaurant).map_err(Platform::invalid)?;
                rows::restaurants::insert(tx, &opened)?;
                for (number, item) in (1..).zip(&restaurant.items) {
                    let item = Item::new(tx.new_id(), number, item);
                    rows::items::insert(tx, opened.id, &item)?;
                }
                Ok(Created(opened.view(tx.now())))
            })
            .await
    }

    async fn restaurant(
        &self,
        _: &Call,
        id: RestaurantId,
    ) -> Outcome<Versioned<api::Restaurant>, RestaurantError> {
        self.store.read(move |tx| Ok(Versioned(find(tx, id)?.view(tx.now())))).await
    }

    async fn menu(&self, _: &Call, id: RestaurantId) -> Outcome<Versioned<Menu>, RestaurantError> {
        self.store
            .read(move |tx| {
                let restaurant = find(tx, id)?;
                menu(tx, restaurant)
            })
            .await
    }

    async fn availability(&self, _: &Call, id: RestaurantId) -> Outcome<Availability, RestaurantError> {
        self.store.read(move |tx| Ok(find(tx, id)?.availability(tx.now()))).await
    }

    async fn quote(&self, _: &Call, id: RestaurantId, basket: Basket) -> Outcome<Quote, RestaurantError> {
        self.store
            .read(move |tx| {
                let restaurant = find(tx, id)?;
                let menu = rows::items::menu(tx, &restaurant)?;
                let under_way = match restaurant.capacity {
                    Some(_) => rows::tickets::under_way(tx, id)?,
                    None => 0,
                };
                Ok(basket::quote(&restaurant, &menu, under_way, &basket, tx.now())?)
            })
            .await
    }

    async fn set_hours(
        &self,
        cx: &Call,
        id: RestaurantId,
        hours: Hours,
    ) -> Outcome<Versioned<api::Restaurant>, RestaurantError> {
        let (actor, expected) = (Actor::of(cx)?, precondition(cx)?);
        let week = Week::new(hours).map_err(Platform::invalid)?;
        self.store
            .write(move |tx| {
                let mut restaurant = find_own(tx, &actor, id)?;
                expected.check(restaurant.version)?;
                restaurant.week = week.clone();
                tx.publish(&MenuChanged { restaurant_id: id, menu_version: restaurant.menu_version })?;
                change(tx, restaurant)
            })
            .await
    }

    async fn pause(
        &self,
        cx: &Call,
        id: RestaurantId,
        pause: Pause,
    ) -> Outcome<Versioned<api::Restaurant>, RestaurantError> {
        let actor = Actor::of(cx)?;
        self.store
            .write(move |tx| {
                let mut restaurant = find_own(tx, &actor, id)?;
                restaurant.pause(pause.clone(), tx.now()).map_err(Platform::invalid)?;
                tx.publish(&RestaurantPaused { restaurant_id: id, until: pause.until })?;
                change(tx, restaurant)
            })
            .await
    }

    async fn resume(
        &self,
        cx: &Call,
        id: RestaurantId,
    ) -> Outcome<Versioned<api::Restaurant>, RestaurantError> {
        let actor = Actor::of(cx)?;
        self.store
            .write(move |tx| {
                let mut restaurant = find_own(tx, &actor, id)?;
                // Nothing to resume, nothing happened.
                if !restaurant.is_paused(tx.now()) {
                    return Ok(Versioned(restaurant.view(tx.now())));
                }
                restaurant.pause = None;
                tx.publish(&RestaurantOpened { restaurant_id: id })?;
                change(tx, restaurant)
            })
            .await
    }

    async fn change_item(
        &self,
        cx: &Call,
        id: RestaurantId,
        item_id: ItemId,
        change: ItemChange,
    ) -> Outcome<Versioned<Menu>, RestaurantError> {
        let (actor, expected) = (Actor::of(cx)?, precondition(cx)?);
        self.store
            .write(move |tx| {
                let mut restaurant = find_own(tx, &actor, id)?;
                let before =
                    rows::items::find(tx, &restaurant, item_id)?.ok_or(RestaurantError::ItemNotFound)?;
                expected.check(restaurant.menu_version)?;
                let mut item = before.clone();
                item.change(&change, tx.now()).map_err(Platform::invalid)?;
                if item != before {
                    restaurant.menu_version += 1;
                    rows::items::update(tx, &item)?;
                    rows::restaurants::update(tx, &restaurant)?;
                    tx.publish(&MenuChanged { restaurant_id: id, menu_version: restaurant.menu_version })?;
                }
                if before.is_available(tx.now()) && !item.is_available(tx.now()) {
                    tx.publish(&ItemUnavailable { restaurant_id: id, item_id })?;
                }
                menu(tx, restaurant)
            })
            .await
    }
}

fn find(tx: &mut Tx, id: RestaurantId) -> Outcome<Restaurant, RestaurantError> {
    Ok(rows::restaurants::find(tx, id)?.ok_or(RestaurantError::NotFound)?)
}

/// One of the actor's. Those of others do not exist.
fn find_own(tx: &mut Tx, actor: &Actor, id: RestaurantId) -> Outcome<Restaurant, RestaurantError> {
    let found = find(tx, id)?;
    if actor.may_act_for(&found.owner) { Ok(found) } else { Err(RestaurantError::NotFound.into()) }
}

/// Writes a restaurant that has changed.
fn change(tx: &mut Tx, mut changed: Restaurant) -> Outcome<Versioned<api::Restaurant>, RestaurantError> {
    changed.version += 1;
    rows::restaurants::update(tx, &changed)?;
    Ok(Versioned(changed.view(tx.now())))
}

fn menu(tx: &mut Tx, of: Restaurant) -> Outcome<Versioned<Menu>, RestaurantError> {
    let now = tx.now();
    let items = rows::items::menu(tx, &of)?.into_iter().map(|item| item.view(now)).collect();
    Ok(Versioned(Menu { restaurant_id: of.id, version: of.menu_version, name: of.name, items }))
}

/// The version that the caller has seen. The server asks for it; without one nothing is changed.
fn precondition(cx: &Call) -> Result<IfMatch, Platform> {
    cx.if_match().ok_or_else(|| Platform::new(FaultKind::PreconditionRequired))
}
