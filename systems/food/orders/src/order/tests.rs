//! What may happen to an order, and what it says of it.

use partie::contract::{Currency, Money};

use super::*;

fn placed() -> Record {
    let restaurant_id = "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a".parse().unwrap();
    let place = Place::new(52.5, 13.4).unwrap();
    let contact = Contact { phone: Some("+4930123456".parse().unwrap()), email: None };
    let new =
        NewOrder { restaurant_id, items: vec![], drop_off: place, contact, assignment: Assignment::AtReady };
    let quote = Quote {
        restaurant_id,
        restaurant_name: "Pizza Paradise".to_owned(),
        pick_up: place,
        menu_version: 3,
        lines: vec![],
        total: Money::zero(Currency::USD),
        prep_minutes: 15,
    };
    let id = "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3b".parse().unwrap();
    Record::new(id, "ada", &new, &quote, Timestamp::EPOCH)
}

fn at(stage: OrderStatus) -> Record {
    let mut record = placed();
    record.advance(stage);
    record
}

fn driver(number: u32) -> AssignedDriver {
    let id = format!("01931f0e-7f2a-7c3e-9a51-{number:012}").parse().unwrap();
    AssignedDriver { id, name: format!("driver {number}") }
}

#[test]
fn stages_are_reached_one_by_one_and_never_left_backwards() {
    use Step::{Completed, Confirmed, Delivered, PickedUp, Preparing, Ready};
    let mut record = placed();
    assert_eq!(record.advance(S::Confirmed), [Confirmed]);
    assert_eq!(record.advance(S::PickedUp), [Preparing, Ready, PickedUp], "what was picked up was ready");
    assert_eq!(record.advance(S::Ready), [], "late news of what is past");
    assert_eq!(record.advance(S::Completed), [Delivered, Completed]);
    assert_eq!((record.order.status, record.order.version), (S::Completed, 4));
    let mut over = placed();
    over.end(EndReason::RestaurantDeclined);
    assert_eq!(over.advance(S::Confirmed), [], "it is over");
}

#[test]
fn an_order_ends_by_where_it_stood() {
    use EndReason::{CustomerCancelled, NoDriver};
    for (stage, wished, status, reason) in [
        (S::Pending, false, S::Rejected, NoDriver),
        (S::Pending, true, S::Cancelled, CustomerCancelled),
        (S::Confirmed, false, S::Cancelled, NoDriver),
        (S::Ready, false, S::Cancelled, NoDriver),
        (S::Preparing, true, S::Cancelled, CustomerCancelled),
    ] {
        let mut record = at(stage);
        record.assign(driver(1), Timestamp::EPOCH);
        if wished {
            record.request_cancel().unwrap();
        }
        assert_eq!(record.end(NoDriver).len(), 1);
        let Order { status: ended, reason: why, driver, eta, .. } = &record.order;
        assert_eq!((*ended, *why, driver, eta), (status, Some(reason), &None, &None), "{stage:?} {wished}");
        assert_eq!(record.end(NoDriver), []);
    }
    assert_eq!(at(S::PickedUp).end(NoDriver), []);
}

#[test]
fn a_wish_to_cancel_goes_back_or_ends_with_the_pickup() {
    let mut record = at(S::Confirmed);
    assert_eq!(record.request_cancel().unwrap(), [Step::CancelRequested]);
    assert_eq!(record.order.status, S::CancelPending);
    let OrderError::InvalidTransition { current_state, allowed } = record.request_cancel().unwrap_err()
    else {
        panic!()
    };
    assert_eq!((current_state, allowed), (S::CancelPending, vec![]));
    record.advance(S::Preparing);
    assert_eq!((record.order.status, record.stage), (S::CancelPending, S::Preparing));
    assert_eq!(record.refuse_cancel(), [Step::CancelRefused]);
    assert_eq!(record.order.status, S::Preparing);
    record.request_cancel().unwrap();
    record.advance(S::PickedUp);
    assert_eq!(record.order.status, S::PickedUp);
    assert_eq!(record.refuse_cancel(), []);
    assert_eq!(record.request_cancel().unwrap_err(), record.refusal());
}

#[test]
fn food_that_nobody_takes_comes_back() {
    let mut record = at(S::PickedUp);
    assert_eq!(record.give_back(), []);
    assert_eq!(record.fail_delivery(), [Step::DeliveryFailed]);
    assert_eq!(record.advance(S::Delivered), []);
    assert_eq!(record.give_back(), [Step::Returned]);
    assert!(record.order.status.is_terminal());
}

#[test]
fn the_driver_is_the_latest_one() {
    let mut record = at(S::Confirmed);
    let (soon, later) = (Timestamp::from_millis(1), Timestamp::from_millis(2));
    assert_eq!(record.expect(soon), [], "nobody is under way");
    assert_eq!(record.assign(driver(1), soon), [Step::DriverAssigned]);
    assert_eq!(record.expect(soon), []);
    assert_eq!(record.expect(later), [Step::EtaChanged]);
    assert_eq!(record.assign(driver(2), later), [Step::DriverAssigned]);
    assert_eq!(record.lose_driver(driver(1).id), [], "that one was lost before");
    assert_eq!(record.lose_driver(driver(2).id), [Step::DriverLost]);
    assert_eq!((record.order.driver.clone(), record.order.eta), (None, None));
    record.advance(S::PickedUp);
    assert_eq!(record.assign(driver(3), later), []);
}

#[test]
fn a_timeline_is_monotone_even_when_the_clock_goes_back() {
    let mut record = placed();
    let later = Timestamp::from_millis(5_000);
    let first = record.entry(Step::Placed, None, later);
    record.end(EndReason::NoDriver);
    let second = record.entry(Step::Rejected, Some(&first), Timestamp::EPOCH);
    assert_eq!((first.sequence, second.sequence), (1, 2));
    assert_eq!((second.at, second.status), (later, S::Rejected));
    let mut quick = placed();
    quick.advance(S::Ready);
    assert_eq!(quick.entry(Step::Confirmed, Some(&first), later).status, S::Confirmed);
}
