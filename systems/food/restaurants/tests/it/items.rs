//! Items of a menu: prices, portions, sold out and back.

use food_contracts::ItemId;
use food_contracts::restaurants::{ItemChange, RestaurantError};
use partie::contract::{Id, IfMatch};
use uuid::Uuid;

use crate::support::{App, cents, new, problem, refusal, with_portions};

#[tokio::test]
async fn a_price_changes_the_version_of_the_menu_and_portions_sold_do_not() {
    let app = App::start().await;
    let (_, menu) = app.open(with_portions(5)).await;
    let changed =
        app.change(&menu, ItemChange { price: Some(cents(700)), ..ItemChange::default() }).await.unwrap();
    assert_eq!((changed.version, changed.items[0].price), (2, cents(700)));
    app.ticket(&changed, 1).await.unwrap();
    assert_eq!(app.menu(menu.restaurant_id).await.version, 2);
    let stale = app.change(&menu, ItemChange { portions: Some(9), ..ItemChange::default() }).await;
    assert_eq!(refusal(stale).0, "precondition-failed");
    let same =
        app.change(&changed, ItemChange { price: Some(cents(700)), ..ItemChange::default() }).await.unwrap();
    assert_eq!(same.version, 2, "nothing has changed");
    let bad = app.change(&changed, ItemChange { price: Some(cents(-1)), ..ItemChange::default() }).await;
    assert_eq!(refusal(bad).1, ["/price/amount"]);
}

#[tokio::test]
async fn an_item_that_is_86_comes_back_by_itself() {
    let app = App::start().await;
    let (_, menu) = app.open(new("Trattoria")).await;
    let back_at = Some("2026-07-03T13:00:00Z".parse().unwrap());
    let off = ItemChange { available: Some(false), back_at, ..ItemChange::default() };
    let gone = app.change(&menu, off).await.unwrap();
    assert_eq!((gone.items[0].available, gone.items[0].back_at), (false, back_at));
    app.step(59);
    assert!(!app.menu(menu.restaurant_id).await.items[0].available);
    app.step(1);
    let back = app.menu(menu.restaurant_id).await;
    assert_eq!((back.items[0].available, back.items[0].back_at, back.version), (true, None, 2));
    app.ticket(&back, 1).await.unwrap();
    assert_eq!(
        app.told(menu.restaurant_id).await,
        ["restaurant.menu_changed", "restaurant.item_unavailable"]
    );
}

#[tokio::test]
async fn items_are_changed_where_they_are() {
    let app = App::start().await;
    let (one, _) = app.open(new("One")).await;
    let (_, other) = app.open(new("Two")).await;
    let cx = app.owner("ada").with_if_match(IfMatch::Any);
    for item in [ItemId::from_uuid(Uuid::nil()), other.items[0].id] {
        let outcome = app.restaurants.change_item(&cx, one.id, item, ItemChange::default()).await;
        assert_eq!(problem(outcome), RestaurantError::ItemNotFound);
    }
}
