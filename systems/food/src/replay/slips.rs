//! How far what was recorded is from what was due.

use std::fmt;

use partie::contract::Timestamp;

/// The largest difference between a time the system recorded and the time the thing was due. In a stepped system there
/// is none: no time passes while something is going on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slips {
    compared: u64,
    largest: i64,
    /// What slipped most, if anything did.
    what: Option<String>,
}

// === impl Slips ===

impl Slips {
    /// Compares. What was never recorded did not slip; it is missing elsewhere.
    pub(crate) fn compare(&mut self, what: fmt::Arguments<'_>, due: Timestamp, recorded: Timestamp) {
        let slip = recorded.as_millis() - due.as_millis();
        self.compared += 1;
        if slip.abs() > self.largest.abs() {
            self.largest = slip;
            self.what = Some(what.to_string());
        }
    }

    /// Milliseconds; negative if something was recorded too early.
    pub(crate) fn largest(&self) -> i64 {
        self.largest
    }
}

impl fmt::Display for Slips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms in {} recorded times", self.largest, self.compared)?;
        match &self.what {
            Some(what) => write!(f, ", {what}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_slip_is_kept_early_or_late() {
        let at = Timestamp::from_millis;
        let mut slips = Slips::default();
        slips.compare(format_args!("a"), at(5), at(5));
        assert_eq!(slips.to_string(), "0 ms in 1 recorded times");
        slips.compare(format_args!("b"), at(5), at(7));
        slips.compare(format_args!("c"), at(5), at(1));
        slips.compare(format_args!("d"), at(5), at(8));
        assert_eq!((slips.largest(), slips.to_string()), (-4, "-4 ms in 4 recorded times, c".to_owned()));
    }
}
