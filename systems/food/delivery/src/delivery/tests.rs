//! Every state with every step, and the times they leave behind.

use food_contracts::{OrderId, Place};
use partie::contract::Id;
use uuid::Uuid;

use super::*;

const ALL: [Step; 17] = [
    Search,
    Offer,
    Unoffer,
    Assign,
    SetOut,
    ArrivePickup,
    PickUp,
    Leave,
    ArriveDropoff,
    Deliver,
    GiveUp,
    Fail,
    TurnBack,
    ArriveReturn,
    TakeBack,
    TimeOut,
    Cancel,
];
const PLACE: Place = Place { lat: 52.5, lon: 13.4 };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn delivery(status: DeliveryStatus) -> Record {
    let id = Uuid::from_u128(1);
    let new = NewDelivery {
        order_id: OrderId::from_uuid(id),
        restaurant_id: RestaurantId::from_uuid(id),
        pick_up: PLACE,
        drop_off: PLACE,
        placed_at: at(0),
        ready_at: at(600),
        is_promise: false,
    };
    let mut record = Record::new(DeliveryId::from_uuid(id), &new, Duration::from_mins(10), at(0));
    record.delivery.status = status;
    record
}

#[test]
fn every_state_and_step() {
    // The steps that are possible, and where they lead to.
    for (from, expected) in [
        (S::Pending, "Search:Searching Cancel:Cancelled"),
        (S::Searching, "Offer:Offered TimeOut:UnassignedTimeout Cancel:Cancelled"),
        (S::Offered, "Unoffer:Searching Assign:Assigned Cancel:Cancelled"),
        (
            S::Assigned,
            "SetOut:EnRouteToPickup ArrivePickup:ArrivedAtPickup GiveUp:Searching Cancel:Cancelled",
        ),
        (S::EnRouteToPickup, "ArrivePickup:ArrivedAtPickup GiveUp:Searching Cancel:Cancelled"),
        (S::ArrivedAtPickup, "PickUp:PickedUp GiveUp:Searching Cancel:Cancelled"),
        (S::PickedUp, "Leave:EnRouteToDropoff ArriveDropoff:ArrivedAtDropoff Fail:Failed"),
        (S::EnRouteToDropoff, "ArriveDropoff:ArrivedAtDropoff Fail:Failed"),
        (S::ArrivedAtDropoff, "Deliver:Delivered Fail:Failed"),
        (S::Failed, "TurnBack:Returning"),
        (S::Returning, "ArriveReturn:ArrivedAtReturn"),
        (S::ArrivedAtReturn, "TakeBack:Returned"),
        (S::Delivered, ""),
        (S::UnassignedTimeout, ""),
        (S::Returned, ""),
        (S::Cancelled, ""),
    ] {
        let possible = ALL.into_iter().filter_map(|step| {
            let mut record = delivery(from);
            match record.apply(step, at(1)) {
                Ok(()) => Some(format!("{step:?}:{:?}", record.delivery.status)),
                Err(error) => {
                    assert_eq!(error, refusal(from));
                    assert_eq!((record.delivery.status, record.delivery.version), (from, 1));
                    None
                }
            }
        });
        assert_eq!(possible.collect::<Vec<_>>().join(" "), expected, "{from:?}");
        assert_eq!(delivery(from).is_over(), expected.is_empty());
    }
}

#[test]
fn a_refusal_names_what_is_possible() {
    let DeliveryError::InvalidTransition { allowed, .. } = refusal(S::Assigned) else { panic!() };
    assert_eq!(allowed, ["arrived-pickup", "fail", "cancel"]);
    let DeliveryError::InvalidTransition { allowed, .. } = refusal(S::Delivered) else { panic!() };
    assert_eq!(allowed, [""; 0]);
}

#[test]
fn food_is_not_picked_up_before_it_is_ready() {
    let mut record = delivery(S::ArrivedAtPickup);
    let not_ready = Err(DeliveryError::NotReady { ready_at: at(600) });
    assert_eq!(record.pick_up(false, at(599)), not_ready);
    record.is_promise = true;
    assert_eq!(record.pick_up(false, at(600)), not_ready, "a promise is not kept by the clock");
    record.pick_up(true, at(600)).unwrap();
    assert_eq!(record.delivery.picked_up_at, Some(at(600)));
    assert!(matches!(
        delivery(S::Assigned).pick_up(true, at(1)),
        Err(DeliveryError::InvalidTransition { .. })
    ));
}

#[test]
fn times_are_monotone_under_a_clock_that_went_back() {
    let mut record = delivery(S::Offered);
    for (step, now) in
        [(Assign, 700), (ArrivePickup, 690), (PickUp, 680), (ArriveDropoff, 670), (Deliver, 660)]
    {
        record.apply(step, at(now)).unwrap();
    }
    let Delivery { assigned_at, picked_up_at, delivered_at, .. } = record.delivery;
    assert_eq!([assigned_at, picked_up_at, delivered_at], [Some(at(700)); 3]);
}

#[test]
fn a_search_begins_again_when_the_driver_is_lost() {
    let mut record = delivery(S::ArrivedAtPickup);
    assert_eq!(record.search_until, at(1200), "counted from when the food is ready");
    record.delivery.driver_id = Some(DriverId::from_uuid(Uuid::from_u128(2)));
    record.give_up(Duration::from_mins(10), at(900)).unwrap();
    assert_eq!((record.search_until, record.delivery.driver_id), (at(1500), None));
}
