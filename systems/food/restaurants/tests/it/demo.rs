//! Demo data, and the tutorial's route.

use food_contracts::restaurants::{ListRestaurants, Pause};
use food_contracts::seed::SeedError;
use food_contracts::tickets::NewTicket;
use serde_json::json;

use crate::support::{App, basket, new, problem};

#[tokio::test]
async fn the_tutorials_menu_is_the_tutorials() {
    let app = App::with_demo().await;
    let menu = app.seed.menu(&app.anybody(), "1".to_owned()).await.unwrap();
    assert_eq!(
        serde_json::to_value(menu).unwrap(),
        json!({
            "restaurant": "Pizza Paradise",
            "menu": [
                { "id": 1, "name": "Margherita", "price": 12.99, "emoji": "🍕" },
                { "id": 2, "name": "Pepperoni", "price": 14.99, "emoji": "🍕" },
            ],
            "emoji": "🍕",
        })
    );
}

#[tokio::test]
async fn a_closed_or_unknown_restaurant_is_not_found_in_the_tutorials_words() {
    let app = App::with_demo().await;
    let closed = SeedError::RestaurantClosed { error: "Restaurant closed".to_owned() };
    for unknown in ["0", "4", "-1", "x", "99999999999", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(problem(app.seed.menu(&app.anybody(), unknown.to_owned()).await), closed, "{unknown}");
    }
    let (restaurant, _) = app.open(new("Trattoria")).await;
    let id = restaurant.id.to_string();
    assert_eq!(app.seed.menu(&app.anybody(), id.clone()).await.unwrap().restaurant, "Trattoria");
    app.restaurants.pause(&app.owner("ada"), restaurant.id, Pause::default()).await.unwrap();
    assert_eq!(problem(app.seed.menu(&app.anybody(), id).await), closed);
}

#[tokio::test]
async fn demo_restaurants_take_any_order_at_their_own_place() {
    let app = App::with_demo().await;
    let page = app.restaurants.list(&app.anybody(), ListRestaurants::default()).await.unwrap();
    let names: Vec<_> = page.data.iter().map(|restaurant| restaurant.name.as_str()).collect();
    assert_eq!(names, ["Burger Barn", "Pizza Paradise", "Sushi Station"]);
    for restaurant in page.data {
        let menu = app.menu(restaurant.id).await;
        let mut basket = basket(&menu.items.iter().map(|item| (item.id, 99)).collect::<Vec<_>>());
        basket.drop_off = restaurant.location;
        let quote = app.restaurants.quote(&app.by("cid", "customer"), restaurant.id, basket).await.unwrap();
        let new = NewTicket { order_id: app.order(), restaurant_id: restaurant.id, lines: quote.lines };
        let ticket = app.tickets.create(&app.orders(), new).await.unwrap().0;
        app.tickets.decline(&app.owner("demo-kitchen"), ticket.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_database_is_filled_once_and_kept() {
    let data = std::env::temp_dir().join(format!("food-restaurants-demo-{}", std::process::id()));
    let app = App::with_demo_in(&data).await;
    let before = app.restaurants.list(&app.anybody(), ListRestaurants::default()).await.unwrap().data;
    let cx = app.owner("demo-kitchen");
    app.restaurants.pause(&cx, before[0].id, Pause::default()).await.unwrap();
    app.stop().await;
    let app = App::with_demo_in(&data).await;
    let after = app.restaurants.list(&app.anybody(), ListRestaurants::default()).await.unwrap().data;
    app.stop().await;
    std::fs::remove_dir_all(&data).unwrap();
    assert_eq!(
        after.iter().map(|one| one.id).collect::<Vec<_>>(),
        before.iter().map(|one| one.id).collect::<Vec<_>>()
    );
    assert_eq!(after.iter().map(|one| one.open).collect::<Vec<_>>(), [false, true, true]);
}
