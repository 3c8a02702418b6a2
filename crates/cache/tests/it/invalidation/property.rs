//! Whatever comes between whatever: who asks after an invalidation returned is given no version below it.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partie_cache::{Cache, Engine, EngineError, Entry, MemoryEngine, Slot, Token};
use partie_contract::BoxFuture;
use proptest::prelude::*;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{Moods, Moody, call, memory, patient, within};

const KEYS: usize = 2;
const PROCESSES: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    /// The owner of a thing changes it.
    Change(usize),
    /// A process hears of the latest version, or of an earlier one: events may be late and come again.
    Tell { process: usize, key: usize, late: i64 },
    /// Somebody asks. If that takes a load, it reads the source now and comes back later.
    Ask { process: usize, key: usize },
    /// A load comes back: of those that are out, the one of that number.
    Land(prop::sample::Index),
    /// Somebody goes away.
    Cancel(prop::sample::Index),
    /// The engine loses everything.
    Forget,
    /// A process cannot reach the engine, or can again.
    Cut { process: usize, is_cut: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (process, key) = (0..PROCESSES, 0..KEYS);
    let step = prop_oneof![
        3 => key.clone().prop_map(Step::Change),
        4 => (process.clone(), key.clone(), 0..3_i64)
            .prop_map(|(process, key, late)| Step::Tell { process, key, late }),
        8 => (process.clone(), key).prop_map(|(process, key)| Step::Ask { process, key }),
        6 => any::<prop::sample::Index>().prop_map(Step::Land),
        1 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        1 => Just(Step::Forget),
        1 => (process, any::<bool>()).prop_map(|(process, is_cut)| Step::Cut { process, is_cut }),
    ];
    prop::collection::vec(step, 1..80)
}

/// A process with its cache, and what it was told itself, whether or not the engine could be told.
struct Process {
    cache: Cache<str, i64>,
    moods: Arc<Moods>,
    told: [i64; KEYS],
    /// It may not hear of what others were told.
    was_cut: bool,
}

/// Somebody who asked, and what he may be given at least.
struct Asked {
    answer: JoinHandle<i64>,
    at_least: i64,
    /// What makes his load come back.
    land: oneshot::Sender<()>,
}

async fn run<E: Engine<i64>>(
    steps: &[Step],
    engines: [Arc<E>; PROCESSES],
    settle: usize,
    forget: impl AsyncFn(),
) -> usize {
    let source: Arc<[AtomicI64; KEYS]> = Arc::default();
    let loads = Arc::new(AtomicUsize::new(0));
    let mut told = [0; KEYS];
    let mut processes = engines.map(|engine| {
        let moods = Arc::<Moods>::default();
        let cache = patient::<i64>(Arc::new(Moody { engine, moods: Arc::clone(&moods) }));
        Process { cache, moods, told: [0; KEYS], was_cut: false }
    });
    let mut out: Vec<Asked> = Vec::new();
    for step in steps {
        match step {
            Step::Change(key) => {
                source[*key].fetch_add(1, Ordering::SeqCst);
            }
            Step::Tell { process, key, late } => {
                let process = &mut processes[*process];
                let version = source[*key].load(Ordering::SeqCst) - late;
                process.told[*key] = process.told[*key].max(version);
                if process.cache.invalidate(&key.to_string(), version).await.is_ok() {
                    told[*key] = told[*key].max(version);
                }
            }
            Step::Ask { process, key } => {
                let process = &processes[*process];
                let others = if process.was_cut { 0 } else { told[*key] };
                let at_least = others.max(process.told[*key]);
                let (land, landed) = oneshot::channel();
                let (cache, source, loads) = (process.cache.clone(), Arc::clone(&source), Arc::clone(&loads));
                let key = *key;
                let answer = tokio::spawn(async move {
                    let load = || async {
                        loads.fetch_add(1, Ordering::SeqCst);
                        let version = source[key].load(Ordering::SeqCst);
                        landed.await.ok();
                        // The thing comes and goes.
                        let value = (version % 3 != 0).then(|| Arc::new(version));
                        Ok(Entry { version, value })
                    };
                    let value = cache.get(&call(), &key.to_string(), load).await.unwrap();
                    // An absence has no version to look at: nothing is known but that it may have been the latest one.
                    value.map_or(i64::MAX, |version| *version)
                });
                out.push(Asked { answer, at_least, land });
            }
            Step::Land(which) if !out.is_empty() => {
                let asked = out.swap_remove(which.index(out.len()));
                asked.land.send(()).ok();
                // He may wait for the load of another one, who comes back later.
                out.push(Asked { land: oneshot::channel().0, ..asked });
            }
            Step::Cancel(which) if !out.is_empty() => {
                out.swap_remove(which.index(out.len())).answer.abort();
            }
            Step::Land(_) | Step::Cancel(_) => {}
            Step::Forget => forget().await,
            Step::Cut { process, is_cut } => {
                let process = &mut processes[*process];
                process.moods.fail(*is_cut);
                process.was_cut |= *is_cut;
            }
        }
        for _ in 0..settle {
            tokio::task::yield_now().await;
        }
    }
    let mut answers = Vec::new();
    for Asked { answer, at_least, land } in out {
        land.send(()).ok();
        answers.push((answer, at_least));
    }
    for (answer, at_least) in answers {
        let version = within(answer).await.unwrap();
        assert!(version >= at_least, "version {version} after an invalidation to {at_least}");
    }
    loads.load(Ordering::SeqCst)
}

/// Loses everything when it is told to.
struct Forgetful(Mutex<Arc<MemoryEngine<i64>>>);

impl Forgetful {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(memory())))
    }

    fn forget(&self) {
        *self.0.lock().unwrap() = memory();
    }

    fn now(&self) -> Arc<MemoryEngine<i64>> {
        Arc::clone(&self.0.lock().unwrap())
    }
}

impl fmt::Debug for Forgetful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forgetful")
    }
}

impl Engine<i64> for Forgetful {
    fn read<'a>(
        &'a self,
        key: &'a str,
        fresh: Token,
        open: Duration,
    ) -> BoxFuture<'a, Result<Slot<i64>, EngineError>> {
        Box::pin(async move { Engine::read(&*self.now(), key, fresh, open).await })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        token: Token,
        entry: Entry<i64>,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, EngineError>> {
        Box::pin(async move { Engine::put(&*self.now(), key, token, entry, ttl).await })
    }

    fn invalidate<'a>(
        &'a self,
        key: &'a str,
        version: i64,
        fresh: Token,
        keep: Duration,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move { Engine::invalidate(&*self.now(), key, version, fresh, keep).await })
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn nobody_is_given_what_he_could_know_to_be_old_in_memory(steps in steps()) {
        let engine = Forgetful::new();
        let engines = [Arc::clone(&engine), Arc::clone(&engine)];
        runtime().block_on(run(&steps, engines, 30, async || engine.forget()));
    }
}

#[cfg(feature = "redis")]
proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20) })]

    #[test]
    fn nobody_is_given_what_he_could_know_to_be_old_on_redis(steps in steps()) {
        runtime().block_on(async {
            let server = crate::redis::Server::start().await;
            let engines = [server.engine(), server.engine()];
            run(&steps, engines, 30, async || {
                server.ask(&["flushdb"]).await;
            })
            .await;
        });
    }
}
