//! The list of restaurants: orders, filters, pages.

use food_contracts::Place;
use food_contracts::restaurants::{Hours, ListRestaurants, Pause};
use tokio::task::JoinSet;

use crate::support::{App, HERE, new, refusal};

impl App {
    /// All names, by pages of two.
    async fn names(&self, query: &ListRestaurants) -> Vec<String> {
        let (mut query, mut names) = (query.clone(), Vec::new());
        query.limit = serde_json::from_str("2").unwrap();
        loop {
            let page = self.restaurants.list(&self.anybody(), query.clone()).await.unwrap();
            assert!(page.data.len() <= 2);
            names.extend(page.data.into_iter().map(|restaurant| restaurant.name));
            match page.next {
                Some(next) => query.after = Some(next),
                None => return names,
            }
        }
    }

    async fn open_at(&self, name: &str, lat: f64, lon: f64) {
        let mut new = new(name);
        (new.location, new.cuisine) = (Place { lat, lon }, format!("Küche {}", name.len()));
        self.open(new).await;
    }
}

#[tokio::test]
async fn restaurants_are_listed_by_name_with_filters() {
    let app = App::start().await;
    let none = ListRestaurants::default();
    assert!(app.names(&none).await.is_empty());
    for name in ["delta", "alfa", "echo", "bravo", "alfa", "charlie"] {
        app.open_at(name, 52.0, 13.0).await;
    }
    assert_eq!(app.names(&none).await, ["alfa", "alfa", "bravo", "charlie", "delta", "echo"]);
    let cuisine = |text: &str| ListRestaurants { cuisine: Some(text.to_owned()), ..none.clone() };
    assert_eq!(app.names(&cuisine("KÜCHE 5")).await, ["bravo", "delta"]);
    assert!(app.names(&cuisine("Küche")).await.is_empty());

    let page = app.restaurants.list(&app.anybody(), none.clone()).await.unwrap();
    for index in [0, 2, 3, 4] {
        let id = page.data[index].id;
        app.restaurants.pause(&app.owner("ada"), id, Pause::default()).await.unwrap();
    }
    let open = ListRestaurants { open_now: Some(true), ..none.clone() };
    assert_eq!(app.names(&open).await, ["alfa", "echo"]);
    let all = ListRestaurants { open_now: Some(false), ..none };
    assert_eq!(app.names(&all).await.len(), 6);
}

#[tokio::test]
async fn the_nearest_come_first_also_across_the_antimeridian() {
    let app = App::start().await;
    for (name, lat, lon) in [
        ("west of it", -17.0, 179.95),
        ("east of it", -17.0, -179.99),
        ("same place", -17.0, 179.99),
        ("same place too", -17.0, 179.99),
        ("an island away", -17.0, -179.0),
        ("Berlin", 52.5, 13.4),
        ("the other side", 17.0, -0.01),
    ] {
        app.open_at(name, lat, lon).await;
    }
    let near = ListRestaurants { near: Some("-17,179.99".to_owned()), ..ListRestaurants::default() };
    let found = app.names(&near).await;
    assert_eq!(found[2..], ["east of it", "west of it", "an island away", "Berlin", "the other side"]);
    assert!(found[..2].iter().all(|name| name.starts_with("same place")));
    let within = ListRestaurants { radius: Some(5_000), ..near.clone() };
    assert_eq!(app.names(&within).await[2..], ["east of it", "west of it"]);
    let here = ListRestaurants { radius: Some(0), ..near.clone() };
    assert_eq!(app.names(&here).await.len(), 2);
    let kind = ListRestaurants { cuisine: Some("küche 6".to_owned()), open_now: Some(true), ..near };
    assert_eq!(app.names(&kind).await, ["Berlin"]);
}

#[tokio::test]
async fn a_request_looks_at_so_many_and_the_next_one_goes_on() {
    let app = App::start().await;
    let mut never = new("Never");
    never.hours = Some(Hours { time_zone: "UTC".to_owned(), open: vec![] });
    let mut all = JoinSet::new();
    let cx = app.owner("ada");
    for _ in 0..1_000 {
        let (api, never) = (app.restaurants.clone(), never.clone());
        let cx = cx.clone().with_key(app.fresh().to_string());
        all.spawn(async move { api.open(&cx, never).await.unwrap() });
    }
    all.join_all().await;
    app.open_at("the one that is open", HERE.lat, HERE.lon).await;
    for near in [None, Some("52.52,13.405".to_owned())] {
        let query = ListRestaurants { near, open_now: Some(true), ..ListRestaurants::default() };
        let first = app.restaurants.list(&app.anybody(), query.clone()).await.unwrap();
        assert!(first.data.is_empty() && first.next.is_some());
        assert_eq!(app.names(&query).await, ["the one that is open"]);
    }
}

#[tokio::test]
async fn what_is_no_place_is_refused() {
    let app = App::start().await;
    for near in ["", "1", "a,b", "91,0", "0,181", "NaN,1", "inf,1", "0,0", "1,2,3", "52.5;13.4"] {
        let query = ListRestaurants { near: Some(near.to_owned()), ..ListRestaurants::default() };
        let refused = refusal(app.restaurants.list(&app.anybody(), query).await);
        assert_eq!(refused, ("validation-failed", vec!["/near".to_owned()]), "{near}");
    }
    let query = ListRestaurants { radius: Some(1), ..ListRestaurants::default() };
    assert_eq!(refusal(app.restaurants.list(&app.anybody(), query).await).1, ["/radius"]);
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let app = App::start().await;
    app.open_at("one", 52.0, 13.0).await;
    app.open_at("two", 52.0, 13.0).await;
    let mut query =
        ListRestaurants { limit: serde_json::from_str("1").unwrap(), ..ListRestaurants::default() };
    query.after = app.restaurants.list(&app.anybody(), query.clone()).await.unwrap().next;
    assert!(query.after.is_some());
    query.near = Some("52,13".to_owned());
    let refused = refusal(app.restaurants.list(&app.anybody(), query).await);
    assert_eq!(refused.0, "malformed-request");
}
