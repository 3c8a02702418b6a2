//! What was done to the system, and what became of it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Counts, each of something injected beside what the platform made of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    /// Deliveries that came late.
    pub(crate) late: AtomicU64,
    /// Of those: handled all the same.
    pub(crate) late_handled: AtomicU64,
    /// Deliveries that came again after they were handled.
    pub(crate) twice: AtomicU64,
    /// Of those: acknowledged without an effect, by the inbox.
    pub(crate) twice_dropped: AtomicU64,
    /// Publications whose acknowledgement was lost.
    pub(crate) unheard: AtomicU64,
    /// Of those: published again.
    pub(crate) unheard_again: AtomicU64,
    /// Calls that were held up.
    pub(crate) slow: AtomicU64,
    /// Of those: answered.
    pub(crate) slow_answered: AtomicU64,
    /// Calls that were refused before they did anything.
    pub(crate) refused: AtomicU64,
    /// Calls that were carried out, and whose answer was lost.
    pub(crate) lost: AtomicU64,
    /// Of both: made again, and answered then.
    pub(crate) again: AtomicU64,
    /// Processes that were killed.
    pub(crate) killed: AtomicU64,
    /// Of those: in their place again.
    pub(crate) revived: AtomicU64,
}

/// One more.
pub(crate) fn count(what: &AtomicU64) {
    what.fetch_add(1, Ordering::Relaxed);
}

// === impl Tally ===

impl Tally {
    /// Adds what all processes have left in a directory.
    pub(crate) fn gather(&self, dir: &Path) {
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
        for file in files {
            let left = std::fs::read(file.path()).ok().and_then(|text| serde_json::from_slice(&text).ok());
            if let Some(left) = left {
                self.add(&left);
            }
        }
    }

    fn add(&self, other: &Self) {
        for (own, others) in self.all().into_iter().zip(other.all()) {
            own.fetch_add(others.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn all(&self) -> [&AtomicU64; 13] {
        let Self {
            late,
            late_handled,
            twice,
            twice_dropped,
            unheard,
            unheard_again,
            slow,
            slow_answered,
            refused,
            lost,
            again,
            killed,
            revived,
        } = self;
        [
            late,
            late_handled,
            twice,
            twice_dropped,
            unheard,
            unheard_again,
            slow,
            slow_answered,
            refused,
            lost,
            again,
            killed,
            revived,
        ]
    }
}

/// The counts as a table: what was injected, how often, and what became of it.
pub(crate) fn table(tally: &Tally) -> ([String; 4], Vec<[String; 4]>) {
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let row = |what: &str, injected: u64, absorbed: u64, how: &str| {
        [what.to_owned(), injected.to_string(), absorbed.to_string(), how.to_owned()]
    };
    let titles = ["chaos", "injected", "absorbed", "how"].map(str::to_owned);
    let failed = read(&tally.refused) + read(&tally.lost);
    let rows = vec![
        row("events delivered late", read(&tally.late), read(&tally.late_handled), "handled all the same"),
        row("events delivered twice", read(&tally.twice), read(&tally.twice_dropped), "dropped by the inbox"),
        row(
            "acknowledgements lost",
            read(&tally.unheard),
            read(&tally.unheard_again),
            "published again, known by their ids",
        ),
        row("calls held up", read(&tally.slow), read(&tally.slow_answered), "answered"),
        row("calls refused or unanswered", failed, read(&tally.again), "made again, and answered"),
        row("processes killed", read(&tally.killed), read(&tally.revived), "started again"),
    ];
    (titles, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_many_processes_are_one_table() {
        let dir = std::env::temp_dir().join(format!("partie-chaos-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for number in 0..3 {
            let tally = Tally::default();
            count(&tally.twice);
            count(&tally.twice_dropped);
            count(&tally.lost);
            std::fs::write(dir.join(format!("{number}.json")), serde_json::to_vec(&tally).unwrap()).unwrap();
        }
        std::fs::write(dir.join("torn.json"), "{\"twice\": ").unwrap();
        let all = Tally::default();
        all.gather(&dir);
        std::fs::remove_dir_all(&dir).unwrap();
        let (_, rows) = table(&all);
        let cells: Vec<_> = rows.iter().map(|row| (row[1].as_str(), row[2].as_str())).collect();
        assert_eq!(cells, [("0", "0"), ("3", "3"), ("0", "0"), ("0", "0"), ("3", "0"), ("0", "0")]);
    }
}
