//! Of all who miss the same thing at the same time, one loads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partie_contract::{FaultKind, Platform};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::{
    Loaded, Moods, Moody, call, call_within, fill, lasting_a_minute, memory, on, peek, text, texts, within,
};

/// A source that answers when it is told to, and counts.
#[derive(Clone)]
struct Source {
    loads: Arc<AtomicUsize>,
    answers: Arc<Semaphore>,
}

impl Source {
    fn new() -> Self {
        Self { loads: Arc::default(), answers: Arc::new(Semaphore::new(0)) }
    }

    async fn load(&self, answer: Loaded) -> Loaded {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.unwrap().forget();
        answer
    }

    /// Waits until so many loads have begun.
    async fn begun(&self, loads: usize) {
        while self.loads.load(Ordering::SeqCst) < loads {
            tokio::task::yield_now().await;
        }
    }
}

/// Lets everybody go as far as he can get.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hundred_callers_share_one_load() {
    let (cache, source) = (texts(lasting_a_minute()), Source::new());
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let (cache, source) = (cache.clone(), source.clone());
        callers.spawn(async move { cache.get(&call(), "a", || source.load(text(1, "one"))).await });
    }
    settle().await;
    source.answers.add_permits(100);
    for answer in within(callers.join_all()).await {
        assert_eq!(answer.unwrap().unwrap().as_str(), "one");
    }
    assert_eq!(source.loads.load(Ordering::SeqCst), 1);
    assert!(peek(&cache, "a").await.is_some());
}

#[tokio::test]
async fn keys_do_not_wait_for_each_other() {
    let (cache, source) = (texts(lasting_a_minute()), Source::new());
    let waiting = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.get(&call(), "a", || source.load(text(1, "one"))).await }
    });
    within(source.begun(1)).await;
    within(fill(&cache, "b", 1)).await;
    source.answers.add_permits(1);
    within(waiting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_leader_who_is_cancelled_hands_over() {
    let (cache, source) = (texts(lasting_a_minute()), Source::new());
    let mut callers: Vec<_> = (0..10)
        .map(|_| {
            let (cache, source) = (cache.clone(), source.clone());
            tokio::spawn(async move { cache.get(&call(), "a", || source.load(text(1, "one"))).await })
        })
        .collect();
    within(source.begun(1)).await;
    settle().await;
    // The first one asked first.
    callers.remove(0).abort();
    within(source.begun(2)).await;
    source.answers.add_permits(10);
    for caller in callers {
        assert!(within(caller).await.unwrap().unwrap().is_some());
    }
    assert_eq!(source.loads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_load_that_panics_hands_over() {
    let (cache, source) = (texts(lasting_a_minute()), Source::new());
    let panicking = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move {
            let load = || async {
                source.load(text(1, "one")).await.unwrap();
                panic!("a bug")
            };
            cache.get(&call(), "a", load).await
        }
    });
    within(source.begun(1)).await;
    let other = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.get(&call(), "a", || source.load(text(1, "one"))).await }
    });
    settle().await;
    source.answers.add_permits(2);
    assert!(within(panicking).await.unwrap_err().is_panic());
    assert!(within(other).await.unwrap().unwrap().is_some());
}

#[tokio::test]
async fn a_failed_load_fails_for_all_who_waited_and_for_nobody_else() {
    let (cache, source) = (texts(lasting_a_minute()), Source::new());
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let (cache, source) = (cache.clone(), source.clone());
        let fault = Platform::new(FaultKind::UpstreamUnavailable)
            .with_detail("restaurants is away")
            .retry_after(Duration::from_secs(3))
            .caused_by("connection refused");
        callers.spawn(async move { cache.get(&call(), "a", || source.load(Err(fault))).await });
    }
    settle().await;
    source.answers.add_permits(20);
    for answer in within(callers.join_all()).await {
        let fault = answer.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::UpstreamUnavailable);
        assert_eq!(fault.detail(), Some("restaurants is away"));
        assert_eq!(fault.retry_after_hint(), Some(Duration::from_secs(3)));
        assert!(format!("{fault:?}").contains("connection refused"));
    }
    assert_eq!(source.loads.load(Ordering::SeqCst), 1);
    fill(&cache, "a", 1).await;
}

#[tokio::test]
async fn who_comes_after_a_load_ended_does_not_share_it() {
    let (moods, source) = (Arc::<Moods>::default(), Source::new());
    // Nothing is kept, so that what is shared can be seen.
    moods.fail(true);
    let cache = on::<String>(Arc::new(Moody { engine: memory(), moods }), lasting_a_minute());
    let leader = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.get(&call(), "a", || source.load(text(1, "one"))).await }
    });
    within(source.begun(1)).await;
    // He waits with the leader, and then nobody looks after him for a while.
    let cx = call();
    let slow = cache.get(&cx, "a", || async { text(1, "one") });
    tokio::pin!(slow);
    tokio::select! {
        biased;
        _ = &mut slow => unreachable!("he does not lead"),
        () = settle() => {}
    }
    source.answers.add_permits(1);
    within(leader).await.unwrap().unwrap();
    within(fill(&cache, "a", 2)).await;
    assert_eq!(within(slow).await.unwrap().unwrap().as_str(), "one");
}

#[tokio::test]
async fn everybody_keeps_his_own_deadline() {
    let (cache, source) = (texts(lasting_a_minute()), Source::new());
    let ask = |time| {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { cache.get(&call_within(time), "a", || source.load(text(1, "one"))).await })
    };
    let (short, long) = (Duration::from_millis(50), Duration::from_secs(60));
    // The leader's time ends first: who waits takes over and does not fail with it.
    let leader = ask(short);
    within(source.begun(1)).await;
    let waiting = ask(long);
    settle().await;
    let fault = within(leader).await.unwrap().unwrap_err();
    assert_eq!(fault.kind(), FaultKind::UpstreamTimeout);
    within(source.begun(2)).await;
    // Who waits gives up by himself, and the leader goes on.
    let impatient = ask(short);
    let fault = within(impatient).await.unwrap().unwrap_err();
    assert_eq!(fault.kind(), FaultKind::UpstreamTimeout);
    source.answers.add_permits(1);
    assert!(within(waiting).await.unwrap().unwrap().is_some());
    assert_eq!(source.loads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_load_that_reports_the_leaders_deadline_is_no_failure_of_the_others() {
    let (cache, source) = (texts(lasting_a_minute()), Source::new());
    source.answers.add_permits(1);
    let leader = tokio::spawn({
        let cache = cache.clone();
        async move {
            let cx = call_within(Duration::from_millis(30));
            let load = || async {
                settle().await;
                // A client that looks at the deadline by itself, and is the first one to say that it has passed.
                while !cx.deadline().has_passed() {
                    std::thread::yield_now();
                }
                Err(Platform::new(FaultKind::UpstreamTimeout))
            };
            cache.get(&cx, "a", load).await
        }
    });
    let other = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.get(&call(), "a", || source.load(text(1, "one"))).await }
    });
    assert_eq!(within(leader).await.unwrap().unwrap_err().kind(), FaultKind::UpstreamTimeout);
    assert!(within(other).await.unwrap().unwrap().is_some());
}
