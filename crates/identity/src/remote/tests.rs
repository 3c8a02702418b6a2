//! Keys that are fetched, from a publisher that is there, away, slow, or a liar.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::fixture::{p256_signer, signer};
use crate::jwk_set;

/// Publishes what it is told to.
pub(crate) struct Publisher {
    keys: Mutex<Option<Value>>,
    asked: AtomicUsize,
    /// How long it takes.
    slow: Duration,
}

impl Publisher {
    pub(crate) fn new(keys: Value) -> Arc<Self> {
        Self::slow(keys, Duration::ZERO)
    }

    pub(crate) fn slow(keys: Value, slow: Duration) -> Arc<Self> {
        Arc::new(Self { keys: Mutex::new(Some(keys)), asked: AtomicUsize::new(0), slow })
    }

    pub(crate) fn publish(&self, keys: impl Into<Option<Value>>) {
        *self.keys.lock().unwrap() = keys.into();
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl KeySource for Publisher {
    fn fetch(&self) -> BoxFuture<'_, Result<Value, FetchError>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let keys = self.keys.lock().unwrap().clone();
            if !self.slow.is_zero() {
                tokio::time::sleep(self.slow).await;
            }
            keys.ok_or_else(|| FetchError::Unreachable { place: self.place(), reason: "it is away".into() })
        })
    }

    fn place(&self) -> String {
        "the publisher".to_owned()
    }
}

fn keys(publisher: &Arc<Publisher>) -> (RemoteKeys, Stop) {
    let source: Arc<dyn KeySource> = Arc::clone(publisher) as _;
    let (keys, stop) = (RemoteKeys::new(source, Refresh::default(), Ids::seeded(7)), Stop::default());
    stop.spawn(keys.clone().run(stop.clone()));
    (keys, stop)
}

fn has(keys: &RemoteKeys, kid: &str) -> bool {
    Algorithm::ALL.into_iter().any(|algorithm| keys.get(algorithm, kid).is_some())
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_at_once_and_again_every_ten_minutes() {
    let publisher = Publisher::new(signer().jwks());
    let (keys, _stop) = keys(&publisher);
    assert!(!keys.is_loaded() && keys.problem().is_some());
    keys.loaded().await;
    assert!(has(&keys, signer().kid()) && keys.problem().is_none());
    publisher.publish(p256_signer().jwks());
    tokio::time::sleep(Duration::from_secs(530)).await;
    assert_eq!(publisher.asked(), 1);
    tokio::time::sleep(Duration::from_secs(140)).await;
    assert_eq!(publisher.asked(), 2);
    assert!(has(&keys, p256_signer().kid()));
    assert!(!has(&keys, signer().kid()), "what is not published any more is not trusted");
}

#[tokio::test(start_paused = true)]
async fn known_keys_stay_while_the_publisher_is_away_or_lies() {
    let publisher = Publisher::new(signer().jwks());
    let (keys, _stop) = keys(&publisher);
    keys.loaded().await;
    for nonsense in
        [None, Some(json!({ "keys": [] })), Some(json!([])), Some(json!({ "keys": [{ "kty": "oct" }] }))]
    {
        publisher.publish(nonsense);
        let before = publisher.asked();
        tokio::time::sleep(Duration::from_secs(1200)).await;
        assert!(publisher.asked() > before + 10, "it is asked again and again");
        assert!(has(&keys, signer().kid()) && keys.problem().is_none());
    }
    publisher.publish(p256_signer().jwks());
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(has(&keys, p256_signer().kid()), "and believed when it is back");
}

#[tokio::test(start_paused = true)]
async fn all_who_want_a_new_key_share_one_request() {
    let publisher = Publisher::slow(signer().jwks(), Duration::from_millis(200));
    let (keys, _stop) = keys(&publisher);
    keys.loaded().await;
    publisher.publish(jwk_set([signer().jwk(), p256_signer().jwk()]));
    let waiters: Vec<_> = (0..100)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { keys.sought().await && has(&keys, p256_signer().kid()) })
        })
        .collect();
    for waiter in waiters {
        assert!(waiter.await.unwrap());
    }
    assert_eq!(publisher.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn made_up_names_of_keys_do_not_become_requests() {
    let publisher = Publisher::new(signer().jwks());
    let (keys, _stop) = keys(&publisher);
    keys.loaded().await;
    for _ in 0..100 {
        for _ in 0..10 {
            keys.sought().await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(publisher.asked(), 1 + 100 / 5, "one in five seconds, however many are asked for");
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_hangs_holds_up_nobody_for_long() {
    let publisher = Publisher::slow(signer().jwks(), Duration::from_secs(3600));
    let (keys, _stop) = keys(&publisher);
    let begun = monotonic();
    assert!(!keys.sought().await);
    assert_eq!(monotonic().duration_since(begun), PATIENCE);
    tokio::time::sleep(ATTEMPT).await;
    assert!(keys.problem().unwrap().contains("in time"), "{:?}", keys.problem());
}

#[tokio::test(start_paused = true)]
async fn fetching_ends_when_it_is_stopped() {
    let publisher = Publisher::slow(signer().jwks(), Duration::from_secs(3600));
    let (_keys, stop) = keys(&publisher);
    tokio::task::yield_now().await;
    stop.finish().await;
}
