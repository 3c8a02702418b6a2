//! A driver: takes offers and brings food, mostly.

use std::thread;
use std::time::Duration;

use food_contracts::delivery::{Delivery, DeliveryStatus, Offer};
use serde_json::{Value, json};

use super::{Play, Word};
use crate::faults::caller::Caller;
use crate::faults::wish::Wish;

/// The middle of town, in the middle of the demo restaurants.
const HOME: (f64, f64) = (52.516, 13.398);

/// How long who waits to be told waits for an offer, in seconds.
const PATIENCE: u32 = 2;
/// How long who waits to be told waits before it asks for the food again.
const COOKING: Duration = Duration::from_secs(1);

/// How somebody drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Takes what comes, and looks at everything all the time.
    Willing,
    /// Takes what comes, and waits to be told.
    Busy,
    /// Declines everything.
    Picky,
    /// Comes online far away and is never heard of again.
    Silent,
}

pub(crate) struct Driver<'p> {
    play: &'p Play<'p>,
    caller: Caller<'p>,
    habit: Habit,
    place: (f64, f64),
    /// Counts what it does with deliveries, and the reports of places.
    acts: u32,
    reports: i64,
}

// === impl Driver ===

impl<'p> Driver<'p> {
    pub(crate) fn new(play: &'p Play<'p>, name: &str, habit: Habit) -> Self {
        let caller = Caller::new(play.stage, name, "driver");
        let place = if habit == Habit::Silent { (HOME.0 + 0.07, HOME.1) } else { HOME };
        Self { play, caller, habit, place, acts: 0, reports: 0 }
    }

    pub(crate) fn work(mut self) {
        self.set_status("available");
        if self.habit == Habit::Silent {
            return;
        }
        while self.play.goes_on() {
            for offer in self.offers() {
                self.look(&offer.deliveries[0].delivery_id.to_string());
                match self.decide(&offer) {
                    Some(true) => self.take(&offer),
                    Some(false) => {
                        let path = format!("/api/v1/offers/{}/decline", offer.id);
                        self.caller.post(&path, &format!("decline-{}", offer.id), None);
                    }
                    None => {}
                }
            }
        }
        self.set_status("on_break");
        self.set_status("offline");
    }

    fn set_status(&mut self, status: &str) {
        let (lat, lon) = self.place;
        let body = json!({ "status": status, "location": { "lat": lat, "lon": lon } });
        self.caller.put("/api/v1/drivers/me/status", &body);
    }

    fn offers(&mut self) -> Vec<Offer> {
        let path = "/api/v1/drivers/me/offers";
        let answer = if self.habit == Habit::Busy {
            self.caller.wait(path, PATIENCE)
        } else {
            self.play.glance();
            self.caller.get(path)
        };
        serde_json::from_value(answer.json()["data"].clone()).unwrap()
    }

    /// Yes, no, or no answer.
    fn decide(&self, offer: &Offer) -> Option<bool> {
        let wish = |drop_off| Wish::of_way(offer.pick_up, drop_off);
        if self.habit == Habit::Picky || offer.deliveries.iter().any(|one| wish(one.drop_off).is_for_nobody())
        {
            return Some(false);
        }
        let ignored = offer.deliveries.iter().find(|one| wish(one.drop_off) == Wish::OfferIgnored);
        match ignored {
            // It stays open until its time is over, and this driver keeps looking at it.
            Some(one) if !self.play.was_said(Word::LeftToOthers, one.order_id) => {
                let left = offer.expires_at.since(self.play.now());
                thread::sleep(left + Duration::from_millis(50));
                self.play.say(Word::LeftToOthers, one.order_id);
                None
            }
            _ => Some(true),
        }
    }

    /// Takes an offer and does all that follows from it.
    fn take(&mut self, offer: &Offer) {
        let body = json!({ "token": offer.token });
        let path = format!("/api/v1/offers/{}/accept", offer.id);
        if self.caller.post(&path, &format!("take-{}", offer.id), Some(&body)).status != 200 {
            return;
        }
        let mut tour: Vec<String> = offer.deliveries.iter().map(|one| one.delivery_id.to_string()).collect();
        self.look(&tour[0]);
        self.report(0.5);
        self.look(&tour[0]);
        tour.retain(|id| self.pick_up(offer, id));
        for id in tour {
            self.report(1.0);
            self.look(&id);
            self.bring(offer, &id);
        }
        let pick_up = offer.pick_up;
        self.place = (pick_up.lat, pick_up.lon);
    }

    /// Gets the food of one delivery. Not, if it was taken away or given up.
    fn pick_up(&mut self, offer: &Offer, id: &str) -> bool {
        let one = offer.deliveries.iter().find(|one| one.delivery_id.to_string() == id).unwrap();
        let wish = Wish::of_way(offer.pick_up, one.drop_off);
        if wish == Wish::GivenUp && self.play.say(Word::LeftToOthers, one.order_id) {
            let reason = json!({ "reason": "driver_unable" });
            self.act(id, "fail", Some(&reason));
            return false;
        }
        if self.act(id, "arrived-pickup", None).is_none() {
            return false;
        }
        while self.play.goes_on() {
            self.acts += 1;
            let path = format!("/api/v1/deliveries/{id}/picked-up");
            let answer = self.caller.post(&path, &format!("picked-up-{id}-{}", self.acts), None);
            match answer.status {
                200 => {
                    self.play.say(Word::PickedUp, one.order_id);
                    return true;
                }
                409 if answer.code() == "food-not-ready" => self.wait_for_food(),
                _ => return false,
            }
        }
        false
    }

    fn wait_for_food(&self) {
        if self.habit == Habit::Busy { thread::sleep(COOKING) } else { self.play.glance() }
    }

    /// Brings the food to the door, and back again if nobody opens.
    fn bring(&mut self, offer: &Offer, id: &str) {
        let Some(delivery) = self.act(id, "arrived-dropoff", None) else { return };
        if Wish::of_way(offer.pick_up, delivery.drop_off) != Wish::NobodyAtDoor {
            self.act(id, "delivered", None);
            return;
        }
        let reason = json!({ "reason": "customer_absent" });
        let failed = self.act(id, "fail", Some(&reason));
        if failed.is_some_and(|delivery| delivery.status == DeliveryStatus::Returning) {
            self.act(id, "return", None);
            self.act(id, "return", None);
        }
    }

    /// Does something with a delivery, unless it is not the driver's any more.
    fn act(&mut self, id: &str, action: &str, body: Option<&Value>) -> Option<Delivery> {
        self.acts += 1;
        // Each time is another intent: a delivery may be lost and come back, and food is given back in two steps.
        let key = format!("{action}-{id}-{}", self.acts);
        let answer = self.caller.post(&format!("/api/v1/deliveries/{id}/{action}"), &key, body);
        (answer.status == 200).then(|| serde_json::from_value(answer.json()).unwrap())
    }

    /// Where a delivery stands is on the screen of who looks.
    fn look(&mut self, id: &str) {
        if self.habit != Habit::Busy {
            self.caller.get("/api/v1/drivers/me");
            self.caller.get(&format!("/api/v1/deliveries/{id}"));
        }
    }

    /// Says where it is: somewhere on the way.
    fn report(&mut self, part: f64) {
        self.reports += 1;
        let point = json!({ "seq": self.reports, "lat": self.place.0 + part * 0.0001, "lon": self.place.1 });
        self.caller.report("/api/v1/drivers/me/location", &json!({ "points": [point] }));
    }
}
