//! Handlers together with the state they work on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Abort, BoxFuture, Call};

use super::registered::{OnEvent, OnJob, OnPeriodic, OnTimer, Registry};
use super::undecodable;
use crate::consumer::Decode;
use crate::jobs::{Failpoints, Handler};
use crate::saga::{Engine, WaitTimer};
use crate::timers::{Fire, Timer};

/// A service's handlers with its state.
pub(crate) struct Bound<S> {
    pub(crate) events: Vec<BoundEvent>,
    pub(crate) timers: HashMap<&'static str, Fire>,
    pub(crate) jobs: HashMap<&'static str, Handler>,
    pub(crate) periodic: Vec<BoundPeriodic>,
    pub(crate) engine: Arc<Engine<S>>,
}

/// What a group does with the messages of a type.
pub(crate) struct BoundEvent {
    pub(crate) group: String,
    pub(crate) type_name: &'static str,
    pub(crate) decode: Decode,
}

/// Something to do again and again.
pub(crate) struct BoundPeriodic {
    pub(crate) interval: Duration,
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn Fn(Call) -> BoxFuture<'static, Result<(), Abort>> + Send + Sync>,
}

// === impl Registry ===

impl<S: Send + Sync + 'static> Registry<S> {
    pub(crate) fn bind(self, service: &str, state: &Arc<S>) -> Bound<S> {
        let definitions = self.sagas.into_iter().map(|saga| ((saga.kind, saga.version), saga));
        let engine = Arc::new(Engine { state: Arc::clone(state), definitions: definitions.collect() });
        let mut timers: HashMap<_, _> =
            self.timers.into_iter().map(|on| (on.kind, bind_timer(on, Arc::clone(state)))).collect();
        timers.insert(WaitTimer::KIND, wait_timers(Arc::clone(&engine)));
        let jobs = self.jobs.into_iter().map(|on| (on.kind, bind_job(on, state)));
        let periodic = self.periodic.into_iter().map(|on| bind_periodic(on, Arc::clone(state)));
        let events = self.events.into_iter().map(|on| bind_event(on, service, Arc::clone(state)));
        Bound { events: events.collect(), timers, jobs: jobs.collect(), periodic: periodic.collect(), engine }
    }
}

fn bind_event<S: Send + Sync + 'static>(on: OnEvent<S>, service: &str, state: Arc<S>) -> BoundEvent {
    let (group, type_name, decode) = (on.group(service), on.type_name, on.decode);
    BoundEvent { group, type_name, decode: Arc::new(move |message| decode(&state, message)) }
}

fn bind_timer<S: Send + Sync + 'static>(on: OnTimer<S>, state: Arc<S>) -> Fire {
    Arc::new(move |tx, data| (on.run)(&state, tx, data))
}

fn bind_job<S: Send + Sync + 'static>(on: OnJob<S>, state: &Arc<S>) -> Handler {
    let OnJob { kind, after_crash, begin, failed, ask } = on;
    let (beginning, failing) = (Arc::clone(state), Arc::clone(state));
    let ask = ask.map(|ask| {
        let state = Arc::clone(state);
        Arc::new(move |cx, data| ask(Arc::clone(&state), cx, data)) as _
    });
    Handler {
        after_crash,
        begin: Arc::new(move |tx, data, number| begin(&beginning, tx, data, number)),
        failed: Arc::new(move |tx, data, failure| failed(&failing, tx, data, failure)),
        ask,
        names: Failpoints::of(kind),
    }
}

fn bind_periodic<S: Send + Sync + 'static>(on: OnPeriodic<S>, state: Arc<S>) -> BoundPeriodic {
    let OnPeriodic { interval, name, run } = on;
    BoundPeriodic { interval, name, run: Box::new(move |cx| run(Arc::clone(&state), cx)) }
}

/// The deadlines of waiting steps are timers like any other.
fn wait_timers<S: Send + Sync + 'static>(engine: Arc<Engine<S>>) -> Fire {
    Arc::new(move |tx, data| {
        let timer: WaitTimer =
            serde_json::from_str(data).map_err(|error| undecodable(WaitTimer::KIND, &error))?;
        engine.timeout(tx, &timer)
    })
}
