//! What is tried again, where, how often, and what is not.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use partie_contract::wire;
use partie_mesh::discovery::{Announcement, EmbeddedRegistry, EmbeddedRegistryConfig, Instance, Registry};
use partie_mesh::{BreakerConfig, BudgetConfig, Handles, Mesh, MeshConfig, Overrides, ServicePolicy};
use partie_runtime::Ids;

use crate::fleet::{Fleet, Manner};
use crate::support::{FOREVER, within};

const KEYED: &[(&str, &str)] = &[("idempotency-key", "k-1")];
const BAD: Manner = Manner::Status(StatusCode::BAD_GATEWAY);

/// No breaker: what is looked at here are single calls.
fn config() -> MeshConfig {
    let mut config = MeshConfig::default();
    config.breaker.failures = u32::MAX;
    config.breaker.least = u32::MAX;
    config
}

fn asked(fleet: &Fleet) -> usize {
    fleet.asked().iter().sum()
}

#[tokio::test]
async fn what_may_be_done_twice_is_tried_again_elsewhere() {
    for (method, headers, again) in [
        (Method::GET, &[][..], true),
        (Method::PUT, &[], true),
        (Method::DELETE, &[], true),
        (Method::POST, KEYED, true),
        (Method::POST, &[], false),
        (Method::PATCH, &[], false),
    ] {
        // Whichever is asked first, half of them fail.
        let (mut failed, calls) = (0, 20);
        for _ in 0..calls {
            let fleet = Fleet::with(&[BAD, Manner::Well], config(), &[]);
            let answer = fleet.send(method.clone(), headers, FOREVER).await;
            failed += usize::from(answer.is_err());
            if again {
                assert_eq!(answer.as_deref(), Ok("1"), "{method}");
            } else {
                assert_eq!(asked(&fleet), 1, "{method}");
            }
        }
        assert_eq!(failed > 0, !again, "{method}: {failed}");
    }
}

#[tokio::test]
async fn the_attempt_is_told_and_the_last_failure_is_the_answer() {
    let fleet = Fleet::with(&[BAD], config(), &[]);
    assert_eq!(fleet.get().await, Err("502".to_owned()));
    let told = fleet.members[0].said(&wire::ATTEMPT);
    assert_eq!(told, [None, Some("2".to_owned()), Some("3".to_owned())]);
}

#[tokio::test]
async fn one_hop_tries_again_and_no_other() {
    // Work that is itself a second attempt.
    let fleet = Fleet::with(&[BAD, BAD], config(), &[]);
    assert_eq!(fleet.send(Method::GET, &[("partie-attempt", "2")], FOREVER).await, Err("502".to_owned()));
    assert_eq!(asked(&fleet), 1);
    // Somebody further on has failed, and whoever called that one has tried again.
    let fleet = Fleet::with(&[Manner::Upstream, Manner::Upstream], config(), &[]);
    assert_eq!(fleet.get().await, Err("503".to_owned()));
    assert_eq!(asked(&fleet), 1);
    // A failure that would only come again.
    let fleet = Fleet::with(&[Manner::Status(StatusCode::INTERNAL_SERVER_ERROR); 2], config(), &[]);
    assert_eq!(fleet.get().await, Err("500".to_owned()));
    assert_eq!(asked(&fleet), 1);
}

#[tokio::test]
async fn the_table_says_how_often() {
    for (retries, times) in [(0, 1), (1, 2), (4, 5)] {
        let mut config = config();
        let policy = ServicePolicy { retries: Some(retries), ..ServicePolicy::default() };
        config.services.insert("orders".to_owned(), policy);
        let fleet = Fleet::with(&[BAD, BAD], config, &[]);
        assert_eq!(fleet.get().await, Err("502".to_owned()));
        assert_eq!(asked(&fleet), times);
    }
}

#[tokio::test]
async fn when_everything_fails_the_budget_keeps_the_load_from_growing() {
    let budget = BudgetConfig { percent: 20, per_second: 1 };
    let fleet = Fleet::with(&[BAD, BAD, BAD], MeshConfig { budget, ..config() }, &[]);
    for _ in 0..100 {
        futures_util::future::join_all((0..10).map(|_| fleet.get())).await;
    }
    let asked = asked(&fleet);
    assert!((1_000..=1_200).contains(&asked), "{asked}");
}

#[tokio::test]
async fn whoever_says_nothing_is_not_waited_for_to_the_end() {
    let fleet = Fleet::start(&[Manner::Never, Manner::Well, Manner::Well]);
    for (method, headers) in [(Method::GET, &[][..]), (Method::POST, KEYED)] {
        for _ in 0..30 {
            let answer = fleet.send(method.clone(), headers, Duration::from_secs(1)).await;
            assert!(answer.is_ok(), "{answer:?}");
        }
    }
    assert!(fleet.members[0].asked() <= 10, "and soon not asked any more: {:?}", fleet.asked());
}

#[tokio::test]
async fn a_slow_answer_is_not_lost_to_a_second_attempt() {
    // Both are slower than half of the time; giving up the first would lose what it has done.
    let slow = Manner::After(Duration::from_millis(700));
    let fleet = Fleet::start(&[slow, slow]);
    let answer = fleet.send(Method::GET, &[], Duration::from_secs(1)).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(fleet.asked(), [1, 1]);
}

#[tokio::test]
async fn a_hedged_read_goes_to_a_second_instance_and_the_first_answer_counts() {
    let mut config = config();
    let hedged = Overrides { hedge: Some(Duration::from_millis(20)), ..Overrides::default() };
    let policy = ServicePolicy { hedge: hedged.hedge, ..ServicePolicy::default() };
    config.services.insert("orders".to_owned(), policy);
    let fleet = Fleet::with(&[Manner::After(Duration::from_secs(5)), Manner::Well], config, &[]);
    for _ in 0..10 {
        assert_eq!(within(fleet.get()).await.as_deref(), Ok("1"));
    }
    // Writes are not hedged.
    let fleet = Fleet::with(&[Manner::After(Duration::from_millis(200))], fleet.mesh.config().clone(), &[]);
    assert_eq!(fleet.send(Method::POST, KEYED, FOREVER).await.as_deref(), Ok("0"));
    assert_eq!(asked(&fleet), 1);
}

#[tokio::test]
async fn an_attempt_has_its_own_time() {
    let mut config = config();
    let attempt = Some(Duration::from_millis(50));
    config.services.insert("orders".to_owned(), ServicePolicy { attempt, ..ServicePolicy::default() });
    let fleet = Fleet::with(&[Manner::Never], config, &[]);
    assert_eq!(within(fleet.get()).await, Err("upstream-timeout".to_owned()));
    assert_eq!(asked(&fleet), 3);
}

#[tokio::test]
async fn a_long_poll_is_not_hurried() {
    let fleet = Fleet::start(&[Manner::After(Duration::from_millis(700)); 2]);
    let answer = fleet.send(Method::GET, &[("prefer", "wait=1")], Duration::from_secs(1)).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(asked(&fleet), 1);
}

#[tokio::test]
async fn nobody_waits_for_an_instance_that_is_gone_while_there_are_others() {
    let mut fleet = Fleet::with(&[Manner::Well; 3], config(), &[]);
    let gone = fleet.members.remove(1);
    gone.server.stopped().await;
    for _ in 0..50 {
        // Not a byte was sent to the one that is gone, so that this is no second attempt, whatever the method.
        let answer = fleet.send(Method::POST, &[], FOREVER).await;
        assert!(matches!(answer.as_deref(), Ok("0" | "2")), "{answer:?}");
    }
    assert!(fleet.members.iter().all(|member| member.said(&wire::ATTEMPT).iter().all(Option::is_none)));
}

#[tokio::test]
async fn calls_wait_for_the_next_instance_of_a_service_that_has_just_gone() {
    let (first, second) = (Fleet::start(&[Manner::Well]), Fleet::start(&[Manner::Well]));
    let config = EmbeddedRegistryConfig { settling: Duration::ZERO, ..EmbeddedRegistryConfig::default() };
    let registry: Arc<dyn Registry> = Arc::new(EmbeddedRegistry::start(config));
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.discover(Arc::clone(&registry));
    let fleet = Fleet { members: Vec::new(), mesh };
    let announce = |id: &str, fleet: &Fleet| {
        let instance = Instance::new(id, fleet.addresses()[0]);
        Announcement::make(Arc::clone(&registry), "orders", instance, Ids::seeded(1))
    };

    // Nobody is there yet.
    let early = fleet.send(Method::POST, &[], FOREVER);
    let (early, announced) = tokio::join!(early, async { announce("a", &first) });
    assert_eq!(early.as_deref(), Ok("0"));

    // It goes, and another one comes.
    announced.withdraw().await.unwrap();
    let Fleet { mut members, .. } = first;
    members.remove(0).server.stopped().await;
    let between = fleet.send(Method::POST, &[], FOREVER);
    let (between, _announced) = tokio::join!(between, async { announce("b", &second) });
    assert_eq!(between.as_deref(), Ok("0"));
    assert_eq!(second.members[0].asked(), 1);
}

#[tokio::test]
async fn who_has_the_address_of_another_is_passed_by() {
    const ELSEWHERE: Manner = Manner::Status(StatusCode::MISDIRECTED_REQUEST);
    for (method, headers, again) in
        [(Method::GET, &[][..], true), (Method::POST, KEYED, true), (Method::POST, &[], false)]
    {
        let mut failed = 0;
        for _ in 0..20 {
            let fleet = Fleet::with(&[ELSEWHERE, Manner::Well], MeshConfig { retries: 0, ..config() }, &[]);
            match fleet.send(method.clone(), headers, FOREVER).await {
                Ok(who) => assert_eq!(who, "1"),
                // What cannot be sent twice was done by nobody.
                Err(fault) => {
                    assert_eq!((&*fault, fleet.asked()), ("upstream-unavailable", vec![1, 0]), "{method}");
                    failed += 1;
                }
            }
            let names: Vec<_> = fleet.members.iter().flat_map(|member| member.said(&wire::TO)).collect();
            assert!(names.iter().all(|name| name.as_deref() == Some("orders")), "{names:?}");
        }
        assert_eq!(failed > 0, !again, "{method}: {failed}");
    }
    // Where somebody said where to go, whoever is there is the right one.
    let fleet = Fleet::start(&[Manner::Well]);
    fleet.mesh.connect_all("orders", &fleet.addresses());
    assert!(fleet.get().await.is_ok());
    assert_eq!(fleet.members[0].said(&wire::TO), [None]);
    // What it says with that status is its answer.
    fleet.members[0].is(ELSEWHERE);
    assert_eq!(fleet.get().await, Err("421".to_owned()));
}

#[tokio::test]
async fn a_service_that_stays_away_is_soon_not_waited_for() {
    let hold = Duration::from_millis(100);
    let mesh = Mesh::new(MeshConfig { hold, ..config() }, Handles::default());
    let config = EmbeddedRegistryConfig::default();
    mesh.discover(Arc::new(EmbeddedRegistry::start(config)));
    let fleet = Fleet { members: Vec::new(), mesh };
    assert_eq!(within(fleet.get()).await, Err("upstream-unavailable".to_owned()));
    let now = futures_util::FutureExt::now_or_never(fleet.get());
    assert_eq!(now, Some(Err("upstream-unavailable".to_owned())), "at once");
}

#[tokio::test]
async fn a_service_that_fails_again_and_again_is_left_alone_if_the_table_says_so() {
    let mut config = MeshConfig { retries: 0, ..config() };
    let breaker =
        BreakerConfig { failures: 5, first: Duration::from_millis(300), ..BreakerConfig::default() };
    let policy = ServicePolicy { breaker: Some(breaker), ..ServicePolicy::default() };
    config.services.insert("orders".to_owned(), policy);
    let fleet = Fleet::with(&[BAD], config, &[]);
    for _ in 0..5 {
        assert_eq!(fleet.get().await, Err("502".to_owned()));
    }
    for _ in 0..20 {
        assert_eq!(fleet.get().await, Err("upstream-unavailable".to_owned()));
    }
    assert_eq!(asked(&fleet), 5, "nobody asks it");
    fleet.members[0].is(Manner::Well);
    // One call finds out that it is well again, when the time has come.
    let well = async {
        while fleet.get().await.is_err() {
            tokio::task::yield_now().await
        }
    };
    within(well).await;
    assert_eq!(asked(&fleet), 6);
    assert!(fleet.get().await.is_ok());
}
