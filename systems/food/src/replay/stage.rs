//! The system a day is played on: all of it, in this process, its business time moved by hand.

use std::sync::Arc;
use std::time::Duration;

use food_delivery::Settings;
use partie::contract::{Call, Caller, Timestamp};
use partie::runtime::{Activity, Clock, Ids, Stepper};
use partie::{Config, Environment, Running, System};

use super::Failure;
use super::chart::ORIGIN;
use super::client::Http;
use super::day::{Day, Parameters};

const MINUTE: Duration = Duration::from_mins(1);
/// Rounds of dispatch follow what happens on the full minute.
const AFTERWARDS: Duration = Duration::from_millis(1);
/// Longer than any day: nobody lapses, and no search ends, while a day is played.
const NEVER: Duration = Duration::from_hours(24 * 365);

/// The running system, and how its time is moved.
#[derive(Debug)]
pub(crate) struct Stage {
    running: Arc<Running>,
    stepper: Stepper,
    pub(crate) http: Http,
}

/// Somebody who calls the system. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Player {
    running: Arc<Running>,
    caller: Caller,
}

// === impl Stage ===

impl Stage {
    /// Starts the system at that time. Its travel model is the day's; that is all it is told of the day.
    pub(crate) async fn start(system: System, day: &Day, seed: u64, now: Timestamp) -> Result<Self, Failure> {
        let (clock, stepper) = Clock::stepped(now);
        let environment = Environment { clock, ids: Ids::seeded(seed), activity: Activity::default() };
        let config = config(&system, &day.parameters)?;
        let running = system.launch(config, environment).await?;
        let http = Http::new(running.address());
        Ok(Self { running, stepper, http })
    }

    /// Somebody of that name and role.
    pub(crate) fn player(&self, subject: &str, role: &str) -> Result<Player, Failure> {
        let caller = self.running.call_as(subject, &[role])?.caller().clone();
        Ok(Player { running: Arc::clone(&self.running), caller })
    }

    /// Business time.
    pub(crate) fn now(&self) -> Timestamp {
        self.running.clock().now()
    }

    /// When something happens next by itself.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.stepper.next_wake()
    }

    /// Moves time on.
    pub(crate) fn step_to(&self, now: Timestamp) {
        self.stepper.step_to(now, &self.running.activity().begin());
    }

    /// Waits until nothing goes on but that many long polls.
    pub(crate) async fn quiet_but(&self, polls: usize) {
        self.running.activity().quiet_but(polls).await;
    }

    /// Takes the system down.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        Ok(self.running.stop().await?)
    }
}

/// On a free port, with data that goes when the program ends, and without anybody else who plays.
fn config(system: &System, given: &Parameters) -> Result<Config, Failure> {
    let mut config = system.defaults().clone();
    config.ephemeral = true;
    config.demo = false;
    // Nobody else takes part in a day that is played again.
    config.registry.consul = false;
    config.gateway.listen.set_port(0);
    let delivery = toml::Table::try_from(delivery(given))?;
    config.services.insert("delivery".to_owned(), delivery.into());
    Ok(config)
}

fn delivery(given: &Parameters) -> Settings {
    let minutes = |number: i64| MINUTE.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
    let mut settings = Settings::default();
    settings.dispatch_interval = MINUTE;
    settings.dispatch_offset = AFTERWARDS;
    settings.accept_margin = Duration::ZERO;
    settings.search = NEVER;
    settings.stale = NEVER;
    settings.offline = NEVER + MINUTE;
    settings.origin = Some(ORIGIN);
    settings.snap_to_metres = true;
    settings.metres_per_minute = given.metres_per_minute;
    settings.pickup_service = minutes(given.pickup_service);
    settings.dropoff_service = minutes(given.dropoff_service);
    settings.after_dropoff = minutes(given.dropoff_service / 2);
    settings.round_up_to = MINUTE;
    settings.refuse_overdue = true;
    settings
}

// === impl Player ===

impl Player {
    /// A call without a key.
    pub(crate) fn call(&self) -> Call {
        self.running.call().with_caller(self.caller.clone())
    }

    /// A call under that key.
    pub(crate) fn keyed(&self, key: &(impl ToString + ?Sized)) -> Call {
        self.call().with_key(key.to_string())
    }
}
