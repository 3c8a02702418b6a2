//! Several callers who ask all the time, never twice for the same answer, and know the right one.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use dashu_int::UBig;
use fastrand::Rng;
use partie_testkit::{Http, within};

use super::company::PATIENCE;

/// Callers at once.
const CALLERS: usize = 4;

/// What has been answered so far.
pub(super) struct Load {
    answered: AtomicUsize,
    enough: AtomicBool,
    /// What was not as it should be.
    wrong: Mutex<Vec<String>>,
}

// === impl Load ===

impl Load {
    /// Has callers ask there while `work` is done; gives back what was wrong, and how many were right.
    pub(super) fn during(to: SocketAddr, work: impl FnOnce(&Self)) -> (Vec<String>, usize) {
        let load =
            Self { answered: AtomicUsize::new(0), enough: AtomicBool::new(false), wrong: Mutex::default() };
        thread::scope(|scope| {
            for caller in 0..CALLERS {
                let load = &load;
                scope.spawn(move || load.ask(to, caller as u64));
            }
            // They stop when `work` fails, too: the scope waits for them.
            let _enough = Enough(&load.enough);
            work(&load);
        });
        (load.wrong.into_inner().unwrap(), load.answered.into_inner())
    }

    /// Waits until so many more have been answered, right or wrong.
    pub(super) fn goes_on(&self, more: usize) {
        let before = self.done();
        within(PATIENCE, "answers", || self.done() >= before + more);
    }

    fn done(&self) -> usize {
        self.answered.load(Ordering::Relaxed) + self.wrong.lock().unwrap().len()
    }

    fn ask(&self, to: SocketAddr, seed: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (http, mut rng) = (Http::new(to), Rng::with_seed(seed));
        while !self.enough.load(Ordering::Relaxed) {
            // Mostly what is computed at once, some of what other threads compute.
            let range = if rng.u32(..20) == 0 { 1_000..=3_000 } else { 0..=250 };
            let n = rng.u32(range);
            let r = rng.u32(0..=n);
            let answer = runtime.block_on(http.get(format!("/api/v1/ncr/{n}/{r}")).send());
            let wrong = match answer {
                Ok(answer) if answer.status == 200 => {
                    let (json, expected) = (answer.json(), choose(n, r).to_string());
                    (json["value"] != *expected).then(|| format!("{json} instead of {expected}"))
                }
                // Other tests may want the whole machine; that is told as what it is.
                Ok(answer) if answer.status == 503 && answer.code().as_deref() == Some("overloaded") => {
                    continue;
                }
                Ok(answer) => Some(format!("{}: {}", answer.status, answer.text())),
                Err(error) => Some(error.to_string()),
            };
            match wrong {
                Some(wrong) => self.wrong.lock().unwrap().push(format!("C({n}, {r}): {wrong}")),
                None => _ = self.answered.fetch_add(1, Ordering::Relaxed),
            }
        }
    }
}

/// Ends the questions when dropped.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How many ways there are, without a factorial: each step is a whole number.
fn choose(n: u32, r: u32) -> UBig {
    (1..=r.min(n - r)).fold(UBig::ONE, |ways, step| ways * (n - r.min(n - r) + step) / step)
}

#[test]
fn the_oracle_is_right() {
    assert_eq!(choose(52, 5), UBig::from(2_598_960_u32));
    assert_eq!((choose(0, 0), choose(7, 7), choose(7, 6)), (UBig::ONE, UBig::ONE, UBig::from(7_u8)));
}
