//! Owners: each acts on their own restaurants, and to all others these do not exist.

use food_contracts::restaurants::{Day, Hours, ItemChange, OpenSpan, Pause, RestaurantError};
use food_contracts::tickets::{AcceptTicket, TicketError};
use partie::contract::{Fault, IfMatch};

use crate::support::{App, new, problem, refusal};

fn hours(time_zone: &str) -> Hours {
    let span = OpenSpan { day: Day::Friday, from: "18:00".to_owned(), to: "02:00".to_owned() };
    Hours { time_zone: time_zone.to_owned(), open: vec![span] }
}

#[tokio::test]
async fn others_find_nothing_and_administrators_find_all() {
    let app = App::start().await;
    let (restaurant, menu) = app.open(new("Trattoria")).await;
    let (id, item) = (restaurant.id, menu.items[0].id);
    let ticket = app.ticket(&menu, 1).await.unwrap().id;
    let eve = || app.owner("eve").with_if_match(IfMatch::Any);
    let api = &app.restaurants;
    for outcome in [
        api.set_hours(&eve(), id, hours("UTC")).await,
        api.pause(&eve(), id, Pause::default()).await,
        api.resume(&eve(), id).await,
    ] {
        assert_eq!(problem(outcome), RestaurantError::NotFound);
    }
    let change = ItemChange { portions: Some(1), ..ItemChange::default() };
    assert_eq!(problem(api.change_item(&eve(), id, item, change).await), RestaurantError::NotFound);
    let ready_by = app.now();
    for outcome in [
        app.tickets.ticket(&eve(), ticket).await,
        app.tickets.accept(&eve(), ticket, AcceptTicket { ready_by }).await,
        app.tickets.decline(&eve(), ticket).await,
        app.tickets.start(&eve(), ticket).await,
        app.tickets.ready(&eve(), ticket).await,
        app.tickets.hand_over(&eve(), ticket).await,
    ] {
        assert_eq!(problem(outcome), TicketError::NotFound);
    }

    let root = || app.by("root", "admin").with_if_match(IfMatch::Any);
    api.set_hours(&root(), id, hours("UTC")).await.unwrap();
    app.tickets.accept(&root(), ticket, AcceptTicket { ready_by }).await.unwrap();
}

#[tokio::test]
async fn a_role_is_needed() {
    let app = App::start().await;
    let (restaurant, menu) = app.open(new("Trattoria")).await;
    let customer = || app.by("cid", "customer").with_if_match(IfMatch::Any);
    let forbidden = [
        refusal(app.restaurants.open(&customer(), new("Mine")).await).0,
        refusal(app.restaurants.pause(&customer(), restaurant.id, Pause::default()).await).0,
        refusal(app.ticket_by(&customer(), &menu).await).0,
    ];
    assert_eq!(forbidden, ["forbidden"; 3]);
    let anonymous = app.restaurants.pause(&app.anybody(), restaurant.id, Pause::default()).await;
    assert_eq!(refusal(anonymous).0, "unauthenticated");
}

#[tokio::test]
async fn hours_change_only_for_who_has_seen_them() {
    let app = App::start().await;
    let (restaurant, _) = app.open(new("Trattoria")).await;
    let set = async |precondition: Option<IfMatch>, hours| {
        let cx = app.owner("ada");
        let cx =
            precondition.map_or_else(|| cx.clone(), |precondition| cx.clone().with_if_match(precondition));
        app.restaurants.set_hours(&cx, restaurant.id, hours).await
    };
    assert_eq!(refusal(set(None, hours("UTC")).await).0, "precondition-required");
    assert_eq!(refusal(set(Some(IfMatch::Version(7)), hours("UTC")).await).0, "precondition-failed");
    let wrong = refusal(set(Some(IfMatch::Version(1)), hours("Nowhere/Land")).await);
    assert_eq!(wrong, ("validation-failed", vec!["/time_zone".to_owned()]));
    // Friday noon, UTC: still closed in Berlin, where it is two.
    let changed = set(Some(IfMatch::Version(1)), hours("Europe/Berlin")).await.unwrap().0;
    assert_eq!((changed.version, changed.open), (2, false));
    let seen = app.restaurants.availability(&app.anybody(), restaurant.id).await.unwrap();
    assert_eq!(seen.next_open, Some("2026-07-03T16:00:00Z".parse().unwrap()));
    app.step(4 * 60);
    let seen = app.restaurants.availability(&app.anybody(), restaurant.id).await.unwrap();
    assert_eq!((seen.open, seen.next_open), (true, None));
    assert_eq!(seen.next_close, Some("2026-07-04T00:00:00Z".parse().unwrap()));
}

#[tokio::test]
async fn a_pause_ends_by_itself_or_by_hand() {
    let app = App::start().await;
    let (restaurant, _) = app.open(new("Trattoria")).await;
    let (id, ada) = (restaurant.id, app.owner("ada"));
    let until = Some("2026-07-03T12:30:00Z".parse().unwrap());
    let paused = app.restaurants.pause(&ada, id, Pause { until }).await.unwrap().0;
    assert_eq!((paused.open, paused.version), (false, 2));
    let seen = app.restaurants.availability(&app.anybody(), id).await.unwrap();
    assert_eq!((seen.paused, seen.next_open), (true, until));
    app.step(30);
    assert!(app.restaurants.restaurant(&app.anybody(), id).await.unwrap().0.open);
    let past = app.restaurants.pause(&ada, id, Pause { until }).await;
    assert_eq!(refusal(past).1, ["/until"]);
    app.restaurants.pause(&ada, id, Pause { until: None }).await.unwrap();
    let resumed = app.restaurants.resume(&ada, id).await.unwrap().0;
    assert_eq!((resumed.open, resumed.version), (true, 4));
    assert_eq!(app.restaurants.resume(&ada, id).await.unwrap().0.version, 4, "nothing to resume");
    let told = ["restaurant.paused", "restaurant.paused", "restaurant.opened"];
    assert_eq!(app.told(id).await, told);
}

#[tokio::test]
async fn a_new_restaurant_is_checked_and_opened_once() {
    let app = App::start().await;
    let mut bad = new(" ");
    bad.hours = Some(hours("Nowhere/Land"));
    let (code, pointers) = refusal(app.restaurants.open(&app.owner("ada"), bad).await);
    assert_eq!((code, pointers), ("validation-failed", vec!["/name".into(), "/hours/time_zone".into()]));
    let cx = app.owner("ada");
    let one = app.restaurants.open(&cx, new("Trattoria")).await.unwrap().0;
    let same = app.restaurants.open(&cx, new("Trattoria")).await.unwrap().0;
    assert_eq!(one.id, same.id);
    let other = app.restaurants.open(&app.owner("eve"), new("Trattoria")).await.unwrap().0;
    assert_ne!(one.id, other.id);
}

impl App {
    async fn ticket_by(
        &self,
        cx: &partie::contract::Call,
        menu: &food_contracts::restaurants::Menu,
    ) -> Result<food_contracts::tickets::Ticket, Fault<TicketError>> {
        let new = crate::support::new_ticket(menu, self.order(), 1);
        self.tickets.create(cx, new).await.map(|made| made.0)
    }
}
