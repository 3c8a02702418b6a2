//! A service that does not keep its contract fails, with operation and case; so does a walk with holes.

use partie_testkit::{Case, Conformance, Example};

use crate::menu;

#[tokio::test]
async fn every_broken_promise_is_found_and_named() {
    let run = menu::start(true).await;
    let failed = menu::conformance(&run).run().await.unwrap_err();
    let found = failed.by_case();
    for (operation, case, needle) in [
        ("menu.add", Case::Replay, "without having recorded its key"),
        ("menu.add", Case::ReusedKey, "expected 422 idempotency-key-reused"),
        ("menu.find", Case::OddValues, "name=: nothing a client sends earns 500"),
        ("menu.reprice", Case::StalePrecondition, "expected 412 precondition-failed, got 200"),
        ("menu.remove", Case::Success, "expected 204, got 404"),
        ("menu.smells", Case::FirstEvent, "ended without an event"),
    ] {
        let details =
            found.get(&(operation, Some(case))).unwrap_or_else(|| panic!("{operation}, {case}: {failed}"));
        assert!(details.iter().any(|detail| detail.contains(needle)), "{operation}, {case}: {details:?}");
        let line = format!("{operation}, {case}: ");
        assert!(failed.to_string().contains(&line), "{failed}");
    }
    // What is not broken is not complained about: beside those above only removing again and again.
    let others = found.keys().filter(|(operation, _)| *operation != "menu.remove");
    assert_eq!(others.count(), 5, "{failed}");
}

#[tokio::test]
async fn a_walk_with_holes_fails() {
    let run = menu::start(false).await;
    let walk = Conformance::new(&run)
        .example("menu.now", async |_| Example::new())
        .example("menu.now", async |_| Example::new())
        .example("menu.dish", async |_| Example::new())
        .example("menu.soup", async |_| Example::new())
        .skip("menu.now", Case::BrokenToken, " ")
        .skip("menu.now", Case::TooLarge, "there is no body");
    let failed = walk.run().await.unwrap_err().to_string();
    for line in [
        "menu.now: there are two examples",
        "menu.now, broken token: skipped without a reason",
        "menu.now, 1 MiB + 1: skipped, but does not apply to it",
        "menu.add: there is no example of it",
        "menu.dish, success: the example has no path parameter id",
        "menu.soup: there is no such operation",
    ] {
        assert!(failed.contains(&format!("\n  {line}")), "{line}: {failed}");
    }
}
