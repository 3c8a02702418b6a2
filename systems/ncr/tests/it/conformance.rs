//! Every operation of the nCr system keeps what its contract promises.

use partie_testkit::{Conformance, Example, TestSystem};

#[tokio::test]
async fn every_operation_keeps_its_contract() {
    let run = TestSystem::of(ncr::system()).start().await;
    let report = Conformance::new(&run)
        .example("calculator.choose", async |_| Example::new().param("n", 52).param("r", 5))
        .example("calculator.seed_ncr.ncr", async |_| Example::new().param("x", 5).param("y", 2))
        .run()
        .await
        .unwrap();
    assert!(report.passed() > 10, "{report:?}");
}
