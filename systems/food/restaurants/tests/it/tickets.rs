//! Tickets: portions, capacity, the kitchen's commands, cancellation.

use std::time::Duration;

use food_contracts::restaurants::{ItemChange, Pause};
use food_contracts::tickets::{AcceptTicket, CancelTicket, ListTickets, TicketError, TicketStatus};
use food_contracts::{OrderId, TicketId};
use partie::contract::{Fault, Id};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{App, new, new_ticket, problem, refusal, with_portions};

fn cancel(order_id: OrderId, force: bool) -> CancelTicket {
    CancelTicket { order_id, force }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_portion_is_sold_once_however_many_want_it() {
    let app = App::start().await;
    let (_, menu) = app.open(with_portions(5)).await;
    let mut all = JoinSet::new();
    for _ in 0..32 {
        let (tickets, cx) = (app.tickets.clone(), app.orders());
        let new = new_ticket(&menu, app.order(), 2);
        all.spawn(async move { tickets.create(&cx, new).await });
    }
    let mut sold = 0;
    while let Some(outcome) = all.join_next().await {
        match outcome.unwrap() {
            Ok(_) => sold += 1,
            Err(fault) => assert!(matches!(fault, Fault::Domain(TicketError::ItemUnavailable)), "{fault:?}"),
        }
    }
    assert_eq!(sold, 2);
    assert_eq!(app.portions(menu.restaurant_id).await, Some(1));
    // One is left, which is enough for somebody with less of an appetite.
    app.ticket(&menu, 1).await.unwrap();
    assert!(!app.menu(menu.restaurant_id).await.items[0].available);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kitchen_takes_no_more_tickets_than_it_can_cook() {
    let app = App::start().await;
    let mut small = new("Small");
    small.capacity = Some(3);
    let (restaurant, menu) = app.open(small).await;
    let mut all = JoinSet::new();
    for _ in 0..32 {
        let (tickets, cx, new) = (app.tickets.clone(), app.orders(), new_ticket(&menu, app.order(), 1));
        all.spawn(async move { tickets.create(&cx, new).await });
    }
    let (taken, refused): (Vec<_>, Vec<_>) = all.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((taken.len(), refused.len()), (3, 29));
    assert!(refused.into_iter().all(|outcome| problem(outcome) == TicketError::Busy));
    // Whatever ends a ticket makes room for one.
    let ids: Vec<TicketId> = taken.into_iter().map(|made| made.unwrap().0.id).collect();
    app.tickets.decline(&app.owner("ada"), ids[0]).await.unwrap();
    app.ticket(&menu, 1).await.unwrap();
    assert_eq!(problem(app.ticket(&menu, 1).await), TicketError::Busy);
    app.accept(ids[1]).await.unwrap();
    app.tickets.start(&app.owner("ada"), ids[1]).await.unwrap();
    app.tickets.ready(&app.owner("ada"), ids[1]).await.unwrap();
    assert_eq!(problem(app.ticket(&menu, 1).await), TicketError::Busy);
    app.tickets.hand_over(&app.owner("ada"), ids[1]).await.unwrap();
    app.ticket(&menu, 1).await.unwrap();
    assert!(restaurant.open);
}

#[tokio::test]
async fn a_ticket_goes_from_the_question_to_the_driver() {
    let app = App::start().await;
    let (_, menu) = app.open(with_portions(5)).await;
    let asked = app.ticket(&menu, 2).await.unwrap();
    assert_eq!((asked.status, asked.version), (TicketStatus::AwaitingAcceptance, 1));
    assert_eq!(asked.accept_by, app.now() + Duration::from_secs(300));
    app.step(1);
    let accepted = app.accept(asked.id).await.unwrap();
    assert_eq!(accepted.ready_by, Some(app.now() + Duration::from_secs(900)));
    let ada = || app.owner("ada");
    app.tickets.start(&ada(), asked.id).await.unwrap();
    app.step(10);
    let ready = app.tickets.ready(&ada(), asked.id).await.unwrap().0;
    assert_eq!(ready.ready_at, Some(app.now()));
    app.tickets.hand_over(&ada(), asked.id).await.unwrap();
    let seen = app.tickets.ticket(&app.orders(), asked.id).await.unwrap().0;
    assert_eq!((seen.status, seen.version, seen.lines), (TicketStatus::HandedOver, 5, asked.lines));
    assert_eq!(app.portions(menu.restaurant_id).await, Some(3), "what was cooked does not come back");
    assert_eq!(
        app.told(asked.order_id).await,
        ["ticket.created", "ticket.accepted", "ticket.preparing", "ticket.ready"]
    );
}

#[tokio::test]
async fn an_action_out_of_order_is_refused_with_what_is_possible() {
    let app = App::start().await;
    let (_, menu) = app.open(new("Trattoria")).await;
    let ticket = app.ticket(&menu, 1).await.unwrap();
    assert_eq!(
        problem(app.tickets.ready(&app.owner("ada"), ticket.id).await),
        TicketError::InvalidTransition {
            current_state: TicketStatus::AwaitingAcceptance,
            allowed: ["accept", "decline", "cancel"].map(str::to_owned).to_vec(),
        }
    );
    let nobodys = TicketId::from_uuid(Uuid::nil());
    assert_eq!(problem(app.tickets.start(&app.owner("ada"), nobodys).await), TicketError::NotFound);
}

#[tokio::test]
async fn food_is_ready_in_the_future_and_not_in_another_year() {
    let app = App::start().await;
    let (_, menu) = app.open(new("Trattoria")).await;
    let ticket = app.ticket(&menu, 1).await.unwrap();
    let accept =
        async |ready_by| app.tickets.accept(&app.owner("ada"), ticket.id, AcceptTicket { ready_by }).await;
    let past = app.now() - Duration::from_millis(1);
    assert_eq!(problem(accept(past).await), TicketError::ReadyByInvalid);
    let (code, pointers) = refusal(accept(app.now() + Duration::from_hours(25)).await);
    assert_eq!((code, pointers), ("validation-failed", vec!["/ready_by".to_owned()]));
    accept(app.now()).await.unwrap();
}

#[tokio::test]
async fn a_ticket_nobody_answers_expires() {
    let app = App::start().await;
    let (_, menu) = app.open(with_portions(2)).await;
    let ignored = app.ticket(&menu, 1).await.unwrap();
    let answered = app.ticket(&menu, 1).await.unwrap();
    app.accept(answered.id).await.unwrap();
    app.step(5);
    app.settled().await;
    let status = async |id| app.tickets.ticket(&app.orders(), id).await.unwrap().0.status;
    assert_eq!(status(ignored.id).await, TicketStatus::Expired);
    assert_eq!(status(answered.id).await, TicketStatus::Accepted);
    assert_eq!(app.portions(menu.restaurant_id).await, Some(1));
    assert_eq!(app.told(ignored.order_id).await, ["ticket.created", "ticket.expired"]);
    assert_eq!(app.told(menu.restaurant_id).await, ["restaurant.item_unavailable"]);
}

#[tokio::test]
async fn an_answer_after_the_time_is_too_late() {
    let app = App::start().await;
    let (_, menu) = app.open(with_portions(1)).await;
    let ticket = app.ticket(&menu, 1).await.unwrap();
    app.step(5);
    let late = app.owner("ada");
    let ready_by = app.now();
    for _ in 0..2 {
        let TicketError::InvalidTransition { current_state, allowed } =
            problem(app.tickets.accept(&late, ticket.id, AcceptTicket { ready_by }).await)
        else {
            panic!()
        };
        assert_eq!((current_state, allowed), (TicketStatus::Expired, vec![]));
    }
    assert_eq!(app.portions(menu.restaurant_id).await, Some(1));
}

#[tokio::test]
async fn a_repeated_command_gets_its_first_answer() {
    let app = App::start().await;
    let (restaurant, menu) = app.open(with_portions(5)).await;
    let (cx, new) = (app.orders(), new_ticket(&menu, app.order(), 1));
    let first = app.tickets.create(&cx, new.clone()).await.unwrap().0;
    // The restaurant has closed in the meantime; the retry is not judged by that.
    app.restaurants.pause(&app.owner("ada"), restaurant.id, Pause::default()).await.unwrap();
    let again = app.tickets.create(&cx, new.clone()).await.unwrap().0;
    assert_eq!(first, again);
    assert_eq!(app.portions(restaurant.id).await, Some(4));
    // The same order under another key: there is one ticket an order.
    assert_eq!(app.tickets.create(&app.orders(), new.clone()).await.unwrap().0.id, first.id);
    assert_eq!(app.portions(restaurant.id).await, Some(4));
    // Another order under the same key is a mistake of the caller's.
    let (code, _) = refusal(app.tickets.create(&cx, new_ticket(&menu, app.order(), 1)).await);
    assert_eq!(code, "idempotency-key-reused");

    let accept = app.owner("ada");
    let ready_by = app.now() + Duration::from_secs(600);
    let once = app.tickets.accept(&accept, first.id, AcceptTicket { ready_by }).await.unwrap().0;
    let twice = app.tickets.accept(&accept, first.id, AcceptTicket { ready_by }).await.unwrap().0;
    assert_eq!((once.version, &once), (2, &twice));
}

#[tokio::test]
async fn a_closed_or_unknown_restaurant_gets_no_tickets() {
    let app = App::start().await;
    let (restaurant, menu) = app.open(new("Trattoria")).await;
    app.restaurants.pause(&app.owner("ada"), restaurant.id, Pause::default()).await.unwrap();
    assert_eq!(problem(app.ticket(&menu, 1).await), TicketError::Closed);
    app.restaurants.resume(&app.owner("ada"), restaurant.id).await.unwrap();
    app.ticket(&menu, 1).await.unwrap();
    let mut unknown = new_ticket(&menu, app.order(), 1);
    unknown.restaurant_id = food_contracts::RestaurantId::from_uuid(Uuid::nil());
    assert_eq!(problem(app.tickets.create(&app.orders(), unknown).await), TicketError::Closed);
}

#[tokio::test]
async fn items_that_are_off_or_elsewhere_are_not_cooked_and_nothing_is_taken() {
    let app = App::start().await;
    let (_, menu) = app.open(with_portions(5)).await;
    let (_, other) = app.open(new("Other")).await;
    let mut mixed = new_ticket(&menu, app.order(), 1);
    mixed.lines.extend(new_ticket(&other, app.order(), 1).lines);
    assert_eq!(problem(app.tickets.create(&app.orders(), mixed).await), TicketError::ItemUnavailable);
    assert_eq!(app.portions(menu.restaurant_id).await, Some(5));
    app.change(&menu, ItemChange { available: Some(false), ..ItemChange::default() }).await.unwrap();
    assert_eq!(problem(app.ticket(&menu, 1).await), TicketError::ItemUnavailable);
}

#[tokio::test]
async fn portions_of_several_lines_come_back_together() {
    let app = App::start().await;
    let (_, menu) = app.open(with_portions(5)).await;
    let mut twice = new_ticket(&menu, app.order(), 2);
    twice.lines.push(new_ticket(&menu, app.order(), 3).lines.remove(0));
    let ticket = app.tickets.create(&app.orders(), twice).await.unwrap().0;
    assert_eq!(app.portions(menu.restaurant_id).await, Some(0));
    app.tickets.decline(&app.owner("ada"), ticket.id).await.unwrap();
    assert_eq!(app.portions(menu.restaurant_id).await, Some(5));
}

#[tokio::test]
async fn a_cancellation_that_overtakes_its_ticket_wins() {
    let app = App::start().await;
    let (_, menu) = app.open(with_portions(1)).await;
    let order = app.order();
    for _ in 0..2 {
        let done = app.tickets.cancel(&app.orders(), cancel(order, false)).await.unwrap();
        assert_eq!((done.order_id, done.ticket_id), (order, None));
    }
    let late = app.tickets.create(&app.orders(), new_ticket(&menu, order, 1)).await;
    assert_eq!(problem(late), TicketError::Compensated);
    assert_eq!(app.portions(menu.restaurant_id).await, Some(1));
}

#[tokio::test]
async fn a_kitchen_that_cooks_refuses_to_cancel_unless_forced() {
    let app = App::start().await;
    let (_, menu) = app.open(with_portions(9)).await;
    let ada = || app.owner("ada");

    // Before cooking: the portions come back, and the order gets no other ticket.
    let early = app.ticket(&menu, 2).await.unwrap();
    app.accept(early.id).await.unwrap();
    let done = app.tickets.cancel(&app.orders(), cancel(early.order_id, false)).await.unwrap();
    assert_eq!(done.ticket_id, Some(early.id));
    assert_eq!(app.portions(menu.restaurant_id).await, Some(9));
    let again = app.tickets.create(&app.orders(), new_ticket(&menu, early.order_id, 1)).await;
    assert_eq!(problem(again), TicketError::Compensated);
    app.tickets.cancel(&app.orders(), cancel(early.order_id, false)).await.unwrap();

    // While cooking: no, and then yes; the portions are gone.
    let cooking = app.ticket(&menu, 2).await.unwrap();
    app.accept(cooking.id).await.unwrap();
    app.tickets.start(&ada(), cooking.id).await.unwrap();
    let refused = problem(app.tickets.cancel(&app.orders(), cancel(cooking.order_id, false)).await);
    assert!(matches!(refused, TicketError::InvalidTransition { current_state: TicketStatus::Preparing, .. }));
    app.tickets.cancel(&app.orders(), cancel(cooking.order_id, true)).await.unwrap();
    assert_eq!(app.portions(menu.restaurant_id).await, Some(7));

    // Handed over: no, and then yes. Whoever has the food, an order that found no driver can end.
    let gone = app.ticket(&menu, 1).await.unwrap();
    app.accept(gone.id).await.unwrap();
    app.tickets.start(&ada(), gone.id).await.unwrap();
    app.tickets.ready(&ada(), gone.id).await.unwrap();
    app.tickets.hand_over(&ada(), gone.id).await.unwrap();
    let refused = problem(app.tickets.cancel(&app.orders(), cancel(gone.order_id, false)).await);
    assert!(matches!(
        refused,
        TicketError::InvalidTransition { current_state: TicketStatus::HandedOver, .. }
    ));
    app.tickets.cancel(&app.orders(), cancel(gone.order_id, true)).await.unwrap();
    let seen = app.tickets.ticket(&app.orders(), gone.id).await.unwrap().0;
    assert_eq!(seen.status, TicketStatus::Cancelled);

    // Over anyway: that is what was wanted.
    let declined = app.ticket(&menu, 1).await.unwrap();
    app.tickets.decline(&ada(), declined.id).await.unwrap();
    let done = app.tickets.cancel(&app.orders(), cancel(declined.order_id, false)).await.unwrap();
    assert_eq!(done.ticket_id, Some(declined.id));
    let seen = app.tickets.ticket(&app.orders(), declined.id).await.unwrap().0;
    assert_eq!(seen.status, TicketStatus::Declined);
}

#[tokio::test]
async fn tickets_are_listed_oldest_first_page_by_page() {
    let app = App::start().await;
    let (_, one) = app.open(new("One")).await;
    let (_, two) = app.open(new("Two")).await;
    let mut ids = Vec::new();
    for turn in 0..7 {
        ids.push(app.ticket(if turn % 2 == 0 { &one } else { &two }, 1).await.unwrap().id);
        app.step(turn % 3);
    }
    app.accept(ids[6]).await.unwrap();
    let list = async |query: ListTickets, cx: &partie::contract::Call| {
        let (mut query, mut found) = (query, Vec::new());
        query.limit = serde_json::from_str("2").unwrap();
        loop {
            let page = app.tickets.list(cx, query.clone()).await.unwrap();
            found.extend(page.data.into_iter().map(|ticket| ticket.id));
            match page.next {
                Some(next) => query.after = Some(next),
                None => return found,
            }
        }
    };
    let all = ListTickets::default();
    assert_eq!(list(all.clone(), &app.owner("ada")).await, ids);
    assert_eq!(list(all.clone(), &app.by("root", "admin")).await, ids);
    assert_eq!(list(all.clone(), &app.owner("eve")).await, []);
    let of_two = ListTickets { restaurant_id: Some(two.restaurant_id), ..all.clone() };
    assert_eq!(list(of_two.clone(), &app.owner("ada")).await, [ids[1], ids[3], ids[5]]);
    assert_eq!(list(of_two.clone(), &app.owner("eve")).await, []);
    let accepted = ListTickets { status: Some(TicketStatus::Accepted), ..all };
    assert_eq!(list(accepted.clone(), &app.owner("ada")).await, [ids[6]]);
    let none = ListTickets { restaurant_id: Some(two.restaurant_id), ..accepted };
    assert_eq!(list(none, &app.by("root", "admin")).await, []);
}
