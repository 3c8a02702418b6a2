//! Quotes: the rules an order must meet, with every place that breaks them.

use food_contracts::restaurants::{Pause, RestaurantError};
use food_contracts::{ItemId, Place, RestaurantId};
use partie::contract::Id;
use uuid::Uuid;

use crate::support::{App, basket, cents, problem, refusal, with_portions};

#[tokio::test]
async fn a_quote_has_the_price_and_reserves_nothing() {
    let app = App::start().await;
    let (restaurant, menu) = app.open(with_portions(3)).await;
    let customer = app.by("cid", "customer");
    for _ in 0..2 {
        let basket = basket(&[(menu.items[0].id, 3)]);
        let quote = app.restaurants.quote(&customer, restaurant.id, basket).await.unwrap();
        assert_eq!((quote.total, quote.menu_version), (cents(1500), 1));
        assert_eq!((quote.restaurant_name.as_str(), quote.pick_up), ("Trattoria", restaurant.location));
    }
    assert_eq!(app.portions(restaurant.id).await, Some(3));
}

#[tokio::test]
async fn every_rule_has_its_answer() {
    let app = App::start().await;
    let mut strict = with_portions(3);
    (strict.minimum, strict.zone_metres, strict.capacity) = (Some(cents(1000)), Some(5_000), Some(1));
    let (restaurant, menu) = app.open(strict).await;
    let (id, soup) = (restaurant.id, menu.items[0].id);
    let unknown = ItemId::from_uuid(Uuid::nil());
    let quote = async |basket| app.restaurants.quote(&app.by("cid", "customer"), id, basket).await;

    let pointers = ["/items/0/item_id", "/items/2/item_id"].map(str::to_owned).to_vec();
    let bad = basket(&[(unknown, 1), (soup, 1), (unknown, 2)]);
    assert_eq!(problem(quote(bad).await), RestaurantError::ItemInvalid { pointers });
    let small = problem(quote(basket(&[(soup, 1)])).await);
    assert_eq!(small, RestaurantError::BelowMinimum { minimum: cents(1000) });
    let mut far = basket(&[(soup, 2)]);
    far.drop_off = Place { lat: 52.6, lon: 13.4 };
    assert_eq!(problem(quote(far).await), RestaurantError::OutOfZone);
    let pointers = vec!["/items/1/quantity".to_owned()];
    let many = basket(&[(soup, 2), (soup, 2)]);
    assert_eq!(problem(quote(many).await), RestaurantError::ItemUnavailable { pointers });

    app.ticket(&menu, 1).await.unwrap();
    assert_eq!(problem(quote(basket(&[(soup, 2)])).await), RestaurantError::Busy);
    let until = Some("2026-07-03T12:30:00Z".parse().unwrap());
    app.restaurants.pause(&app.owner("ada"), id, Pause { until }).await.unwrap();
    let closed = problem(quote(basket(&[(soup, 2)])).await);
    assert_eq!(closed, RestaurantError::Closed { next_open: until });

    let nowhere = RestaurantId::from_uuid(Uuid::nil());
    let outcome = app.restaurants.quote(&app.by("cid", "customer"), nowhere, basket(&[(soup, 1)])).await;
    assert_eq!(problem(outcome), RestaurantError::NotFound);
    let nobody = app.restaurants.quote(&app.anybody(), id, basket(&[(soup, 1)])).await;
    assert_eq!(refusal(nobody).0, "unauthenticated");
}
