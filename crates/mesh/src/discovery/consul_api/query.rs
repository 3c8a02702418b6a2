//! The query of a request, and what it says about waiting.

use std::time::Duration;

use partie_runtime::Ids;

use super::go_duration;
use super::refusal::Refusal;

/// How long a blocking query waits when it does not say.
const WAIT: Duration = Duration::from_secs(5 * 60);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

/// Names and values as they came.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

/// A query that is answered when something is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocking {
    /// What the client knows already.
    pub(super) index: u64,
    pub(super) wait: Duration,
}

// === impl Query ===

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Self {
        Self(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A switch: there, and not told to be off.
    pub(super) fn is_set(&self, name: &str) -> Result<bool, Refusal> {
        match self.first(name) {
            None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some("" | "1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some(_) => Err(Refusal::bad(format!("Invalid value for ?{name}"))),
        }
    }

    /// Refuses what would change the answer and is not known here: an answer to another question is worse than none.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.first("filter").is_some_and(|filter| !filter.is_empty()) {
            return Err(Refusal::bad("filter expressions are not supported"));
        }
        if let Some(other) = self.first("dc").filter(|dc| !["", super::DATACENTER].contains(dc)) {
            return Err(Refusal::bad(format!("No path to datacenter {other:?}")));
        }
        Ok(())
    }

    /// What it says about waiting, a little longer by chance, so that clients do not come back together.
    pub(super) fn blocking(&self, ids: &Ids) -> Result<Option<Blocking>, Refusal> {
        let wait = match self.first("wait").filter(|wait| !wait.is_empty()) {
            None => WAIT,
            Some(wait) => go_duration::parse(wait).ok_or_else(|| Refusal::bad("Invalid wait time"))?,
        };
        let wait = if wait.is_zero() { WAIT } else { wait.min(LONGEST_WAIT) };
        let index = match self.first("index").filter(|index| !index.is_empty()) {
            None => 0,
            Some(index) => index.parse().map_err(|_| Refusal::bad("Invalid index"))?,
        };
        let jitter = u64::try_from((wait / 16).as_micros()).unwrap_or_default();
        let wait = wait + Duration::from_micros(ids.below(jitter + 1));
        Ok((index > 0).then_some(Blocking { index, wait }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_bounded_and_jittered() {
        let ids = Ids::seeded(1);
        let blocking = |query| Query::parse(Some(query)).blocking(&ids);
        assert_eq!(blocking("").unwrap(), None);
        assert_eq!(blocking("index=0&wait=10s").unwrap(), None);
        for (query, base) in [("index=7", 300), ("index=7&wait=10s", 10), ("index=7&wait=2h", 600)] {
            let Blocking { index, wait } = blocking(query).unwrap().unwrap();
            let base = Duration::from_secs(base);
            assert!(index == 7 && wait >= base && wait <= base + base / 16, "{query}: {wait:?}");
        }
        assert_eq!(blocking("index=x").unwrap_err(), Refusal::bad("Invalid index"));
        assert_eq!(blocking("index=-1").unwrap_err(), Refusal::bad("Invalid index"));
        assert_eq!(blocking("index=1&wait=soon").unwrap_err(), Refusal::bad("Invalid wait time"));
    }
}
