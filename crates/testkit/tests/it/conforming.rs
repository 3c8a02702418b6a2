//! A service that keeps its contract passes.

use partie_testkit::Case;

use crate::menu;

#[tokio::test]
async fn a_service_that_keeps_its_contract_passes_every_case() {
    let run = menu::start(false).await;
    let report = menu::conformance(&run).run().await.unwrap();
    assert!(report.deviations().is_empty());
    assert!(report.passed() > 100, "{}", report.table());
    run.stop().await;
}

#[tokio::test]
async fn a_skip_is_in_the_table_with_its_reason() {
    let run = menu::start(false).await;
    let walk = menu::conformance(&run).skip("menu.now", Case::BrokenToken, "for the test's sake");
    let report = walk.run().await.unwrap();
    let line = "skipped: menu.now, broken token: for the test's sake";
    assert!(report.table().lines().any(|own| own == line), "{}", report.table());
}
