//! Large factorials take the processor, not the threads that serve requests.

use std::time::Duration;

use partie_testkit::TestSystem;

use crate::support::within;

/// Takes long, whatever the machine.
const LARGE: u32 = 300_000;

#[tokio::test]
async fn small_ones_are_answered_while_a_large_one_is_computed() {
    let run = TestSystem::of(ncr::system())
        .configure(|config| {
            for service in ["calculator", "factorial"] {
                let limit = toml::Table::from_iter([("limit".to_owned(), i64::from(LARGE).into())]);
                config.services.insert(service.to_owned(), limit.into());
            }
            // One thread serves everything: what held it up would hold up everybody.
            config.gateway.workers = Some(1);
            config.gateway.longest_timeout = Duration::from_secs(60);
        })
        .start()
        .await;
    let now = partie::runtime::monotonic;
    let http = run.http();
    let begun = now();
    let large = tokio::spawn(async move {
        let answer = http.get(format!("/api/v1/ncr/{LARGE}/{}", LARGE / 2)).send().await.unwrap();
        (answer.status, begun.elapsed())
    });
    let (mut answered, mut slowest) = (0, Duration::ZERO);
    while !large.is_finished() {
        let asked = now();
        let answer = within(run.http().get("/api/v1/ncr/10/5").send()).await.unwrap();
        assert_eq!(answer.status, 200);
        if !large.is_finished() {
            answered += 1;
            slowest = slowest.max(asked.elapsed());
        }
    }
    let (status, took) = large.await.unwrap();
    assert_eq!(status, 200);
    // Were it computed where requests are served, one small request would have waited for most of it.
    assert!(
        answered >= 10 && slowest < took / 2,
        "{answered} while it took {took:?}, the slowest {slowest:?}"
    );
}
