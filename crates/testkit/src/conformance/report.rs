//! What came of a walk: a table of operations and cases, and every deviation.

use std::collections::BTreeMap;
use std::fmt;

use super::case::Case;
use super::walk::Verdict;

/// What came of a walk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Operation by operation, in the order of the walk.
    rows: Vec<(String, Counts)>,
    skipped: Vec<(String, Case, &'static str)>,
    pub(crate) deviations: Vec<Deviation>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
    without: usize,
}

/// One thing that is not as the contract promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// The operation, `orders.place`.
    pub operation: String,
    /// The case; `None` when the test itself has a mistake.
    pub case: Option<Case>,
    /// What was expected and what came.
    pub detail: String,
}

/// A system that does not keep what its contracts promise, or a walk that leaves something out.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotConforming(Report);

// === impl Report ===

impl Report {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn enter(&mut self, operation: &str, case: Case, verdict: Verdict) {
        if self.rows.last().is_none_or(|(last, _)| last != operation) {
            self.rows.push((operation.to_owned(), Counts::default()));
        }
        let Some((_, counts)) = self.rows.last_mut() else { return };
        match verdict {
            Verdict::Passed => counts.passed += 1,
            Verdict::DoesNotApply => counts.without += 1,
            Verdict::Skipped(reason) => {
                counts.skipped += 1;
                self.skipped.push((operation.to_owned(), case, reason));
            }
            Verdict::Failed(details) => {
                counts.failed += 1;
                let case = Some(case);
                self.deviations
                    .extend(details.into_iter().map(|detail| Deviation::new(operation, case, &detail)));
            }
        }
    }

    #[expect(clippy::print_stdout, reason = "the table is what a reader of the test wants to see")]
    pub(crate) fn finish(self) -> Result<Self, NotConforming> {
        println!("{}", self.table());
        if self.deviations.is_empty() { Ok(self) } else { Err(NotConforming(self)) }
    }

    /// How many cases of all operations were as the contracts promise.
    pub fn passed(&self) -> usize {
        self.rows.iter().map(|(_, counts)| counts.passed).sum()
    }

    /// What is not. Empty unless it comes from a [`NotConforming`].
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// A line for each operation and each skip, and the sum.
    pub fn table(&self) -> String {
        let width = self.rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max(9);
        let mut lines = vec![format!(
            "{:width$}  {:>4}  {:>6}  {:>7}  {:>3}",
            "operation", "ok", "failed", "skipped", "n/a"
        )];
        for (name, Counts { passed, failed, skipped, without }) in &self.rows {
            lines.push(format!("{name:width$}  {passed:>4}  {failed:>6}  {skipped:>7}  {without:>3}"));
        }
        for (name, case, reason) in &self.skipped {
            lines.push(format!("skipped: {name}, {case}: {reason}"));
        }
        let sum =
            |count: fn(&Counts) -> usize| self.rows.iter().map(|(_, counts)| count(counts)).sum::<usize>();
        lines.push(format!(
            "{} operations x {} cases: {} ok, {} failed, {} skipped, {} do not apply",
            self.rows.len(),
            Case::ALL.len(),
            self.passed(),
            sum(|counts| counts.failed),
            self.skipped.len(),
            sum(|counts| counts.without),
        ));
        lines.join("\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What matters is at the end of a long output.
        writeln!(f, "{}", self.table())?;
        write!(f, "{} deviations:", self.deviations.len())?;
        self.deviations.iter().try_for_each(|deviation| write!(f, "\n  {deviation}"))
    }
}

// === impl Deviation ===

impl Deviation {
    pub(crate) fn new(operation: &str, case: Option<Case>, detail: &str) -> Self {
        Self { operation: operation.to_owned(), case, detail: detail.to_owned() }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.case {
            Some(case) => write!(f, "{}, {case}: {}", self.operation, self.detail),
            None => write!(f, "{}: {}", self.operation, self.detail),
        }
    }
}

// === impl NotConforming ===

impl NotConforming {
    /// The report it comes from.
    pub fn report(&self) -> &Report {
        &self.0
    }

    /// Deviations by operation and case, for tests that expect some.
    pub fn by_case(&self) -> BTreeMap<(&str, Option<Case>), Vec<&str>> {
        let mut found: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for deviation in &self.0.deviations {
            found.entry((deviation.operation.as_str(), deviation.case)).or_default().push(&deviation.detail);
        }
        found
    }
}

/// As people read it, for it is mostly seen in a failed `unwrap`.
impl fmt::Debug for NotConforming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
