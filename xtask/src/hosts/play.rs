//! What is played: orders, a link that is cut and mended, and an audit.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::cast::{Cast, GATEWAY};
use super::http::{Answer, LONGEST, ask};
use super::{audit, network};
use crate::process::{Result, timed};

/// How often somebody looks.
const GLANCE: Duration = Duration::from_millis(250);
/// How long an order may take, a mended link included.
const COMPLETES: Duration = Duration::from_secs(120);
/// How long host B is away: longer than the leases of its instances.
const AWAY: Duration = Duration::from_secs(20);
/// Until when answers to what needs host B have to be fast: the first of them wait whether it comes back (`mesh.hold`).
const HOLD: Duration = Duration::from_secs(7);
/// Orders that are under way when the link is cut.
const UNDER_WAY: usize = 6;

/// The customer.
struct Customer {
    token: String,
    basket: Value,
    placed: Vec<String>,
}

/// How long the answers of one kind took at most, and how many there were.
#[derive(Default)]
struct Worst {
    answers: usize,
    took: Duration,
    settled: Duration,
}

pub(super) fn play(food: &Path, data: &Path) -> Result {
    let mut cast = Cast::start(food, data)?;
    println!(
        "the system is on two hosts, gateway http://{GATEWAY}; between them TLS, both sides with a certificate, \
         and the key of the system on one of them only"
    );
    let played = scenes(&mut cast);
    let placed = played.map_err(|error| format!("{error}\n{}", cast.complaints()))?;
    cast.end()?;
    println!("drained; audit: {}", audit::audit(data, &placed)?);
    Ok(())
}

fn scenes(cast: &mut Cast) -> Result<Vec<String>> {
    let mut ada = Customer::new(cast.token("ada", "customer")?)?;
    ada.place("before")?;
    let (completed, took) = timed(|| ada.all_complete());
    completed?;
    println!("joined: an order was cooked, driven and delivered in {:.1} s", took.as_secs_f64());

    for n in 0..UNDER_WAY {
        ada.place(&format!("under-way-{n}"))?;
    }
    network::cut()?;
    println!("cut: host B is away for {} s, {UNDER_WAY} orders are under way", AWAY.as_secs());
    let (mut reads, mut writes, mut own) = (Worst::default(), Worst::default(), Worst::default());
    let mut away = Duration::ZERO;
    let mut refused = 0;
    let mut killed = false;
    while away < AWAY {
        let (round, took) = timed(|| {
            reads.take(away, &ada.get("/api/v1/restaurants")?, 503)?;
            writes.take(away, &ada.try_to_place(&format!("refused-{refused}"))?, 503)?;
            refused += 1;
            for order in &ada.placed {
                own.take(away, &ada.get(&format!("/api/v1/orders/{order}"))?, 200)?;
            }
            Ok::<_, String>(())
        });
        round?;
        if away > AWAY / 2 && !std::mem::replace(&mut killed, true) {
            // What was answered is on disk, so it is there again.
            cast.replace("orders")?;
            ada.is_back()?;
        }
        std::thread::sleep(GLANCE);
        away += took + GLANCE;
    }
    reads.say("reads that need host B, 503");
    writes.say("orders, which need host B, 503");
    own.say("reads of placed orders, 200");

    network::mend()?;
    let (found, took) = timed(|| ada.eventually("/api/v1/restaurants", |answer| answer.status == 200));
    found?;
    println!("mended: what needs host B is answered after {:.1} s", took.as_secs_f64());
    let (completed, took) = timed(|| ada.all_complete());
    completed?;
    println!(
        "  the {UNDER_WAY} orders that were under way completed by themselves in {:.1} s",
        took.as_secs_f64()
    );
    let (completed, took) = timed(|| {
        // Whoever was refused asks again under the same key, and has one order then.
        (0..refused).try_for_each(|n| ada.place(&format!("refused-{n}")))?;
        ada.all_complete()
    });
    completed?;
    println!("  the {refused} that were refused, placed again under their keys: {:.1} s", took.as_secs_f64());
    Ok(ada.placed)
}

// === impl Customer ===

impl Customer {
    /// Somebody who wants the first dish of the first restaurant, at its own door.
    fn new(token: String) -> Result<Self> {
        let mut ada = Self { token, basket: Value::Null, placed: Vec::new() };
        let restaurants = ada.eventually("/api/v1/restaurants", |answer| answer.status == 200)?;
        let restaurant = &restaurants.body["data"][0];
        let id = restaurant["id"].as_str().ok_or("there is no restaurant")?;
        let menu = ada.get(&format!("/api/v1/restaurants/{id}/menu"))?.body;
        ada.basket = json!({
            "restaurant_id": id,
            "items": [{ "item_id": menu["items"][0]["id"], "quantity": 2 }],
            "drop_off": restaurant["location"],
            "contact": { "phone": "+4930123456" }
        });
        Ok(ada)
    }

    fn get(&self, path: &str) -> Result<Answer> {
        ask("GET", path, &self.token, "", &Value::Null)
    }

    /// Looks until it is so.
    fn eventually(&self, path: &str, is_so: impl Fn(&Answer) -> bool) -> Result<Answer> {
        let mut waited = Duration::ZERO;
        loop {
            let answer = self.get(path)?;
            if is_so(&answer) {
                return Ok(answer);
            }
            if waited > COMPLETES {
                return Err(format!("{path}: still {} {}", answer.status, answer.body));
            }
            std::thread::sleep(GLANCE);
            waited += answer.took + GLANCE;
        }
    }

    fn try_to_place(&self, key: &str) -> Result<Answer> {
        ask("POST", "/api/v1/orders", &self.token, key, &self.basket)
    }

    /// Places an order, as often as it takes.
    fn place(&mut self, key: &str) -> Result {
        let mut waited = Duration::ZERO;
        loop {
            let answer = self.try_to_place(key)?;
            match (answer.status, answer.body["id"].as_str()) {
                (201, Some(id)) => {
                    self.placed.push(id.to_owned());
                    return Ok(());
                }
                (503 | 504, _) if waited < COMPLETES => {}
                (status, _) => return Err(format!("an order: {status} {}", answer.body)),
            }
            std::thread::sleep(GLANCE);
            waited += answer.took + GLANCE;
        }
    }

    fn all_complete(&self) -> Result {
        self.placed.iter().try_for_each(|order| {
            let path = format!("/api/v1/orders/{order}");
            self.eventually(&path, |answer| answer.body["status"] == "completed").map(drop)
        })
    }

    /// Waits until the orders can be read again after somebody was killed.
    fn is_back(&self) -> Result {
        let order = self.placed.first().ok_or("nothing was placed")?;
        self.eventually(&format!("/api/v1/orders/{order}"), |answer| answer.status == 200).map(drop)
    }
}

// === impl Worst ===

impl Worst {
    /// Takes note of an answer that far into the cut.
    fn take(&mut self, away: Duration, answer: &Answer, status: u16) -> Result {
        if answer.status != status {
            return Err(format!("{} instead of {status}: {}", answer.status, answer.body));
        }
        if answer.took >= LONGEST {
            return Err(format!("an answer took {:.1} s", answer.took.as_secs_f64()));
        }
        self.answers += 1;
        self.took = self.took.max(answer.took);
        if away > HOLD {
            self.settled = self.settled.max(answer.took);
        }
        Ok(())
    }

    fn say(&self, what: &str) {
        let (took, settled) = (self.took.as_millis(), self.settled.as_millis());
        println!(
            "  {:>3} {what}: at most {took} ms, after the first {} s {settled} ms",
            self.answers,
            HOLD.as_secs()
        );
    }
}
