//! What becomes of orders: through all services, on a clock that stands still between the steps.

mod town;

use food_contracts::delivery::{DeliveryError, DeliveryStatus, FailureReason};
use food_contracts::orders::OrderError;
use food_contracts::tickets::{AcceptTicket, TicketStatus};
use partie::contract::Fault;
use partie::messaging::Phase;

use self::town::Town;

#[tokio::test]
async fn an_order_is_cooked_driven_and_delivered() {
    let town = Town::open().await;
    let order = town.order("at_ready").await;
    assert_eq!(
        (town.status(order).await, town.saga(order).await.step),
        ("pending".into(), "acceptance".into())
    );
    town.accept(order).await;
    assert_eq!(town.status(order).await, "confirmed");
    town.driver("dan").await;
    town.cook(order).await;
    assert_eq!(town.status(order).await, "preparing");
    let delivery = town.take("dan").await;
    let seen = town.read(order).await;
    assert_eq!(
        (seen.driver.unwrap().name.as_str(), seen.eta.is_some(), seen.ready_by.is_some()),
        ("DAN", true, true)
    );
    town.seconds(5).await;
    town.serve(order).await;
    assert_eq!(town.status(order).await, "ready");
    town.pick_up("dan", delivery).await;
    assert_eq!(town.status(order).await, "picked_up");
    let tracking = town.tracking(order).await;
    assert!(tracking.position.is_some() && tracking.driver.is_some(), "{tracking:?}");
    town.bring("dan", delivery).await;
    assert_eq!(town.status(order).await, "completed");
    assert_eq!(town.ticket_status(order).await, TicketStatus::HandedOver);
    assert_eq!(town.tracking(order).await.position, None, "where the driver goes now is nobody's business");
    let story = town.story(order).await;
    let steps: Vec<&str> = story.split(' ').filter(|event| *event != "delivery.eta_changed").collect();
    assert_eq!(
        steps.join(" "),
        "order.placed order.confirmed order.preparing delivery.assigned order.ready order.picked_up order.delivered \
         order.completed"
    );
    let saga = town.saga(order).await;
    assert_eq!((saga.phase, saga.failure), (Phase::Done, None));
}

#[tokio::test]
async fn a_kitchen_that_declines_or_says_nothing_rejects_the_order() {
    let town = Town::open().await;
    let (declined, ignored) = (town.order("at_ready").await, town.order("at_ready").await);
    town.decline(declined).await;
    assert_eq!(town.status(declined).await, "rejected restaurant_declined");
    town.minutes(5).await;
    assert_eq!(town.status(ignored).await, "rejected restaurant_timeout");
    assert_eq!(town.ticket_status(ignored).await, TicketStatus::Expired);
    assert_eq!(town.saga(ignored).await.phase, Phase::Failed);
    assert_eq!(town.story(ignored).await, "order.placed order.rejected");
}

#[tokio::test]
async fn without_a_driver_the_order_is_cancelled_or_was_never_confirmed() {
    let town = Town::open().await;
    let (late, early) = (town.order("at_ready").await, town.order("at_order").await);
    town.accept(late).await;
    town.cook(late).await;
    // T3 counts from when the food is to be ready; the driver of the other one is searched from the start.
    town.minutes(15).await;
    town.seconds(2).await;
    assert_eq!(town.status(late).await, "cancelled no_driver");
    assert_eq!(town.ticket_status(late).await, TicketStatus::Cancelled);
    town.minutes(15).await;
    assert_eq!(town.status(early).await, "rejected no_driver");
    assert_eq!(town.story(early).await, "order.placed order.rejected");
}

#[tokio::test]
async fn the_driver_may_come_first() {
    let town = Town::open().await;
    town.driver("dan").await;
    let order = town.order("at_order").await;
    let delivery = town.take("dan").await;
    assert_eq!(
        (town.status(order).await.as_str(), town.read(order).await.driver.is_some()),
        ("pending", true)
    );
    town.accept(order).await;
    assert_eq!(town.status(order).await, "confirmed");
    town.cook(order).await;
    town.deliveries.arrived_pickup(&town.by("dan"), delivery).await.unwrap();
    let early = town.deliveries.picked_up(&town.by("dan"), delivery).await.unwrap_err();
    assert!(matches!(early, Fault::Domain(DeliveryError::NotReady { .. })), "{early:?}");
    town.serve(order).await;
    town.deliveries.picked_up(&town.by("dan"), delivery).await.unwrap();
    town.bring("dan", delivery).await;
    assert_eq!(town.status(order).await, "completed");
}

#[tokio::test]
async fn a_kitchen_may_give_up_what_it_has_taken() {
    let town = Town::open().await;
    town.driver("dan").await;
    let order = town.order("at_ready").await;
    town.accept(order).await;
    town.cook(order).await;
    let delivery = town.take("dan").await;
    town.decline(order).await;
    assert_eq!(town.status(order).await, "cancelled restaurant_cancelled");
    assert_eq!(town.delivery(delivery).await.status, DeliveryStatus::Cancelled);
}

#[tokio::test]
async fn food_may_be_ready_long_before_it_was_promised() {
    let town = Town::open().await;
    let order = town.order("at_order").await;
    town.driver("dan").await;
    let delivery = town.take("dan").await;
    let ticket = town.ticket(order).await;
    // News of promise, start and readiness may overtake each other.
    town.tickets
        .accept(&town.kitchen(), ticket.id, AcceptTicket { ready_by: ticket.accept_by })
        .await
        .unwrap();
    town.tickets.start(&town.kitchen(), ticket.id).await.unwrap();
    town.tickets.ready(&town.kitchen(), ticket.id).await.unwrap();
    town.settled().await;
    town.pick_up("dan", delivery).await;
    town.bring("dan", delivery).await;
    assert_eq!(town.status(order).await, "completed");
}

#[tokio::test]
async fn a_customer_may_cancel_until_the_kitchen_cooks() {
    let town = Town::open().await;
    town.driver("dan").await;
    let [pending, confirmed, preparing] =
        [town.order("at_ready").await, town.order("at_ready").await, town.order("at_ready").await];
    town.accept(confirmed).await;
    let delivery = town.take("dan").await;
    town.accept(preparing).await;
    town.cook(preparing).await;
    for order in [pending, confirmed, preparing] {
        let answered = town.orders.cancel(&town.ann(), order).await.unwrap().0;
        assert_eq!(serde_json::to_value(answered.status).unwrap(), "cancel_pending");
    }
    town.settled().await;
    assert_eq!(town.status(pending).await, "cancelled customer_cancelled");
    assert_eq!(town.status(confirmed).await, "cancelled customer_cancelled");
    assert_eq!(town.status(preparing).await, "preparing");
    assert_eq!(town.ticket_status(confirmed).await, TicketStatus::Cancelled);
    assert_eq!(town.delivery(delivery).await.status, DeliveryStatus::Cancelled);
    assert_eq!(
        town.story(preparing).await,
        "order.placed order.confirmed order.preparing order.cancel_requested order.cancel_refused"
    );
    let again = town.orders.cancel(&town.ann(), confirmed).await.unwrap_err();
    assert!(matches!(again, Fault::Domain(OrderError::InvalidTransition { .. })), "{again:?}");
}

#[tokio::test]
async fn food_that_nobody_takes_goes_back() {
    let town = Town::open().await;
    town.driver("dan").await;
    let order = town.order("at_ready").await;
    town.accept(order).await;
    town.cook(order).await;
    town.serve(order).await;
    let delivery = town.take("dan").await;
    town.pick_up("dan", delivery).await;
    let late = town.orders.cancel(&town.ann(), order).await.unwrap_err();
    assert!(matches!(late, Fault::Domain(OrderError::InvalidTransition { .. })), "{late:?}");
    town.fail("dan", delivery, FailureReason::CustomerAbsent).await;
    assert_eq!(town.status(order).await, "delivery_failed");
    town.give_back("dan", delivery).await;
    assert_eq!((town.status(order).await.as_str(), town.saga(order).await.phase), ("returned", Phase::Done));
}

#[tokio::test]
async fn a_lost_driver_is_replaced() {
    let town = Town::open().await;
    town.driver("dan").await;
    let order = town.order("at_ready").await;
    town.accept(order).await;
    town.cook(order).await;
    town.serve(order).await;
    let delivery = town.take("dan").await;
    town.fail("dan", delivery, FailureReason::DriverUnable).await;
    assert_eq!(town.read(order).await.driver, None);
    town.driver("eve").await;
    assert_eq!(town.take("eve").await, delivery);
    assert_eq!(town.read(order).await.driver.unwrap().name, "EVE");
    town.pick_up("eve", delivery).await;
    town.bring("eve", delivery).await;
    assert_eq!(town.status(order).await, "completed");
    assert!(town.story(order).await.contains("delivery.assigned delivery.reassigned delivery.assigned"));
}
