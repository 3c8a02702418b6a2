//! Conformance: every operation of a running system, through every case its contract promises.

mod ask;
mod bodies;
mod case;
mod example;
mod expect;
mod report;
mod table;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

pub use self::case::Case;
pub use self::example::Example;
pub use self::report::{Deviation, NotConforming, Report};
use self::walk::{Verdict, Walk};
use crate::run::TestRun;

/// Makes a fresh example each time it is asked.
type Make<'r> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Example> + 'r>> + 'r>;

/// Walks the operation tables of a running system over real HTTP.
///
/// Every operation needs an example, and every case it does not pass a deviation or a skip with its reason. Examples
/// are made anew for each case that changes something, so an order is placed before it is cancelled, each time.
///
/// ```no_run
/// # async fn test(food: partie_testkit::TestRun) {
/// use partie_testkit::{Case, Conformance, Example};
///
/// let report = Conformance::new(&food)
///     .example("orders.list", async |_| Example::new())
///     .example("orders.order", async |food| Example::new().param("id", place_order(food).await))
///     .skip("orders.list", Case::UnknownQuery, "old clients send a parameter we no longer read")
///     .run()
///     .await;
/// assert!(report.is_ok(), "{report:?}");
/// # }
/// # async fn place_order(_: &partie_testkit::TestRun) -> u32 { 1 }
/// ```
pub struct Conformance<'r> {
    run: &'r TestRun,
    examples: BTreeMap<&'static str, Make<'r>>,
    skips: BTreeMap<(&'static str, Case), &'static str>,
    /// The services to walk; all, if there are none here.
    only: Vec<&'static str>,
    /// What is wrong with the test itself.
    mistakes: Vec<Deviation>,
}

// === impl Conformance ===

impl<'r> Conformance<'r> {
    /// A walk of that system. It has to have a gateway.
    pub fn new(run: &'r TestRun) -> Self {
        Self {
            run,
            examples: BTreeMap::new(),
            skips: BTreeMap::new(),
            only: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    /// Says how the operation of that name earns its success. It is called for each case that needs it.
    ///
    /// Names are those of [`Operation::full_name`](partie_contract::Operation::full_name), `orders.place`; where two
    /// versions have the same, that of the later one is `orders.place@2`.
    #[must_use]
    pub fn example<F>(mut self, operation: &'static str, make: F) -> Self
    where
        F: AsyncFn(&'r TestRun) -> Example + 'r,
    {
        let (run, make) = (self.run, Rc::new(make));
        let make: Make<'r> = Box::new(move || {
            let make = Rc::clone(&make);
            Box::pin(async move { make(run).await })
        });
        if self.examples.insert(operation, make).is_some() {
            self.mistakes.push(Deviation::new(operation, None, "there are two examples"));
        }
        self
    }

    /// Walks these services alone: the others are in the system because these call them, and have walks of their own.
    #[must_use]
    pub fn only(mut self, services: &[&'static str]) -> Self {
        self.only.extend(services);
        self
    }

    /// Leaves out a case, and says why.
    #[must_use]
    pub fn skip(mut self, operation: &'static str, case: Case, reason: &'static str) -> Self {
        if reason.trim().is_empty() {
            self.mistakes.push(Deviation::new(operation, Some(case), "skipped without a reason"));
        }
        self.skips.insert((operation, case), reason);
        self
    }

    /// Walks. Prints the table of operations and cases.
    ///
    /// # Errors
    /// Every deviation, with the operation and the case it is of.
    pub async fn run(self) -> Result<Report, NotConforming> {
        let mut report = Report::new();
        report.deviations.extend(self.mistakes.iter().cloned());
        let is_walked = |service: &str| self.only.is_empty() || self.only.contains(&service);
        let contracts = self.run.contracts().iter().copied().filter(|contract| is_walked(contract.service));
        let operations = table::operations(&contracts.collect::<Vec<_>>());
        for row in &operations {
            let Some(make) = self.examples.get(row.name.as_str()) else {
                report.deviations.push(Deviation::new(&row.name, None, "there is no example of it"));
                continue;
            };
            let walk = Walk::new(self.run, row, make);
            for case in Case::ALL.iter().copied() {
                let verdict = match self.reason(&row.name, case) {
                    Some(reason) if walk.applies(case) => Verdict::Skipped(reason),
                    Some(_) => Verdict::Failed(vec!["skipped, but does not apply to it".to_owned()]),
                    None if !walk.applies(case) => Verdict::DoesNotApply,
                    // A future of that size is better on the heap.
                    None => Box::pin(walk.check(case)).await,
                };
                report.enter(&row.name, case, verdict);
            }
        }
        let known = |name: &str| operations.iter().any(|row| row.name == name);
        let named = self.examples.keys().chain(self.skips.keys().map(|(name, _)| name));
        for name in named.filter(|name| !known(name)) {
            report.deviations.push(Deviation::new(name, None, "there is no such operation"));
        }
        report.finish()
    }

    fn reason(&self, operation: &str, case: Case) -> Option<&'static str> {
        let skip = self.skips.iter().find(|((name, skipped), _)| *name == operation && *skipped == case);
        skip.map(|(_, reason)| *reason)
    }
}

impl fmt::Debug for Conformance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance")
            .field("examples", &self.examples.keys())
            .field("skips", &self.skips)
            .finish_non_exhaustive()
    }
}
