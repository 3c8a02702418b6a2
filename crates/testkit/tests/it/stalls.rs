//! A handler that computes where it should await, and what others notice of it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use partie_contract::{Call, Outcome, contract};
use partie_runtime::monotonic;
use partie_testkit::TestSystem;

/// Asked in many ways.
#[contract(service = "desk", version = 1)]
trait Desk {
    /// Answers at once.
    #[get("/quick", public)]
    async fn quick(&self, cx: &Call) -> Outcome<bool>;

    /// Thinks without letting anybody else on.
    #[get("/spin", public)]
    async fn spin(&self, cx: &Call) -> Outcome<u32>;

    /// Breaks.
    #[get("/panic", public)]
    async fn panic(&self, cx: &Call) -> Outcome<bool>;
}

#[derive(Default)]
struct Clerk {
    spinning: AtomicBool,
    spun: AtomicU32,
}

impl Desk for Clerk {
    /// Whether somebody spins meanwhile.
    async fn quick(&self, _: &Call) -> Outcome<bool> {
        Ok(self.spinning.load(Ordering::SeqCst))
    }

    async fn spin(&self, _: &Call) -> Outcome<u32> {
        self.spinning.store(true, Ordering::SeqCst);
        let began = monotonic();
        while began.elapsed() < Duration::from_millis(500) {
            std::hint::spin_loop();
        }
        self.spinning.store(false, Ordering::SeqCst);
        Ok(self.spun.fetch_add(1, Ordering::SeqCst) + 1)
    }

    async fn panic(&self, _: &Call) -> Outcome<bool> {
        panic!("on purpose")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_spins_does_so_on_a_thread_of_its_own_the_next_time() {
    let system = TestSystem::new().fake(Desk::routes(), Clerk::default());
    let run = system
        .configure(|config| {
            // One thread for all requests.
            config.gateway.workers = Some(1);
            // While it is held up for the first time nobody is to be turned away.
            config.gateway.limits.lag = Duration::ZERO;
        })
        .start()
        .await;
    let http = run.http();
    let get = async |path| http.get(path).send().await.unwrap();
    assert_eq!(get("/api/v1/spin").await.status, 200);
    // From now on the operation is known for it, and others are answered while it spins.
    let spin = tokio::spawn(run.http().get("/api/v1/spin").send());
    let mut meanwhile = 0;
    while !spin.is_finished() {
        meanwhile += u32::from(get("/api/v1/quick").await.text() == "true");
    }
    assert_eq!(spin.await.unwrap().unwrap().status, 200);
    assert!(meanwhile > 3, "{meanwhile}");
    for _ in 0..20 {
        assert_eq!(get("/api/v1/panic").await.status, 500);
        assert_eq!(get("/api/v1/quick").await.status, 200);
    }
    run.stop().await;
}
