//! Weekly opening hours in a time zone: open or not, until when, from when.
//!
//! A time of day means the first instant at which the wall clock has reached it. So nothing is open in an hour that
//! the clock skips, and what would open in it opens when it is over; in an hour that the clock repeats nothing opens
//! and nothing closes the second time. The rule keeps the order of times, so a span never ends before it starts, and
//! spans that meet on the dial meet in time.

#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use food_contracts::restaurants::{Day, Hours, OpenSpan};
use jiff::civil::{Date, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp as Instant, ToSpan as _};
use partie::contract::{Timestamp, Violation};

/// Minutes of a day on the dial.
const DAY: u16 = 24 * 60;
/// How far a span may reach from the day it starts on, with a day to spare for zones that skip or repeat one.
const BACK: i64 = -2;
/// A week later everything comes again, unless the clock skips it; two weeks later it comes.
const AHEAD: i64 = 16;

/// Weekly hours that make sense.
#[derive(Debug, Clone)]
pub(crate) struct Week {
    hours: Hours,
    zone: TimeZone,
    /// By day and start.
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    day: Weekday,
    /// Minutes after midnight, below a day.
    from: u16,
    /// Minutes after the same midnight, after `from`, at most a day after it.
    to: u16,
}

// === impl Week ===

impl Week {
    /// Checks hours.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn new(hours: Hours) -> Result<Self, Vec<Violation>> {
        let mut wrong = Vec::new();
        let zone = TimeZone::get(&hours.time_zone).ok().filter(|zone| !zone.is_unknown());
        if zone.is_none() {
            wrong.push(Violation::new("/time_zone", "is not an IANA time zone, like `Europe/Berlin`"));
        }
        let mut spans = Vec::new();
        for (index, span) in hours.open.iter().enumerate() {
            match Span::new(span) {
                Ok(span) => spans.push(span),
                Err(faults) => wrong.extend(
                    faults
                        .into_iter()
                        .map(|(member, detail)| Violation::new(format!("/open/{index}/{member}"), detail)),
                ),
            }
        }
        match zone {
            Some(zone) if wrong.is_empty() => {
                spans.sort_by_key(|span| (span.day.to_monday_zero_offset(), span.from));
                Ok(Self { hours, zone, spans })
            }
            _ => Err(wrong),
        }
    }

    /// Never closed.
    pub(crate) fn always() -> Self {
        let all = |day| OpenSpan { day, from: "00:00".to_owned(), to: "24:00".to_owned() };
        let days = [
            Day::Monday,
            Day::Tuesday,
            Day::Wednesday,
            Day::Thursday,
            Day::Friday,
            Day::Saturday,
            Day::Sunday,
        ];
        Self {
            hours: Hours { time_zone: "UTC".to_owned(), open: days.map(all).to_vec() },
            zone: TimeZone::UTC,
            spans: days.map(|day| Span { day: weekday(day), from: 0, to: DAY }).to_vec(),
        }
    }

    /// The hours as they were given.
    pub(crate) fn hours(&self) -> &Hours {
        &self.hours
    }

    /// Whether it is open.
    pub(crate) fn is_open(&self, at: Timestamp) -> bool {
        self.spans(at, BACK..=1).any(|(start, end)| start <= at && at < end)
    }

    /// The first moment from `at` on at which it is open; `None` if there is none within two weeks, and so ever.
    pub(crate) fn open_from(&self, at: Timestamp) -> Option<Timestamp> {
        let later = || self.spans(at, BACK..=AHEAD).find(|(start, end)| *start > at && start < end);
        if self.is_open(at) { Some(at) } else { later().map(|(start, _)| start) }
    }

    /// When it closes, if it is open at `at` and ever closes.
    pub(crate) fn next_close(&self, at: Timestamp) -> Option<Timestamp> {
        if !self.is_open(at) {
            return None;
        }
        let mut close = at;
        for (start, end) in self.spans(at, BACK..=AHEAD).filter(|(_, end)| *end > at) {
            if start > close {
                return Some(close);
            }
            close = close.max(end);
        }
        // Open for two weeks on end, and so for good.
        None
    }

    /// The spans of the days around a moment, by their start.
    fn spans(
        &self,
        around: Timestamp,
        days: RangeInclusive<i64>,
    ) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        // Business time stays within the years that jiff knows.
        let now = Instant::from_millisecond(around.as_millis()).unwrap_or(Instant::UNIX_EPOCH);
        let today = self.zone.to_datetime(now).date();
        let days = days.filter_map(move |days| today.checked_add(days.days()).ok());
        days.flat_map(move |date| {
            let spans = self.spans.iter().filter(move |span| span.day == date.weekday());
            spans.filter_map(move |span| Some((self.instant(date, span.from)?, self.instant(date, span.to)?)))
        })
    }

    /// The first instant at which the wall clock has reached that many minutes after the midnight of a date. `None`
    /// beyond the calendar's end.
    fn instant(&self, date: Date, minutes: u16) -> Option<Timestamp> {
        let date = date.checked_add(i64::from(minutes / DAY).days()).ok()?;
        let minutes = i8::try_from(minutes % DAY / 60).ok().zip(i8::try_from(minutes % 60).ok());
        let (hour, minute) = minutes?;
        let reading = self.zone.to_ambiguous_timestamp(date.at(hour, minute, 0, 0));
        let instant = match reading.offset() {
            AmbiguousOffset::Gap { .. } => {
                // The clock jumps over it: in the zone's old offset it is after the jump, in the new one before.
                let before = reading.earlier().ok()?;
                self.zone.following(before).next()?.timestamp()
            }
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => reading.earlier().ok()?,
        };
        Some(Timestamp::from_millis(instant.as_millisecond()))
    }
}

// === impl Span ===

impl Span {
    fn new(span: &OpenSpan) -> Result<Self, Vec<(&'static str, &'static str)>> {
        let from = minutes(&span.from).filter(|from| *from < DAY);
        let to = minutes(&span.to);
        match (from, to) {
            (Some(from), Some(to)) if from == to => {
                Err(vec![("to", "the span is empty: a day is 00:00 to 24:00")])
            }
            (Some(from), Some(to)) => {
                let to = if to < from { to + DAY } else { to };
                Ok(Self { day: weekday(span.day), from, to })
            }
            _ => {
                let mut wrong = Vec::new();
                if from.is_none() {
                    wrong.push(("from", "is not a time from 00:00 to 23:59"));
                }
                if to.is_none() {
                    wrong.push(("to", "is not a time from 00:00 to 24:00"));
                }
                Err(wrong)
            }
        }
    }
}

/// `HH:MM` in minutes after midnight, up to and including `24:00`.
fn minutes(text: &str) -> Option<u16> {
    let (&[h, i, b':', m, j], true) = (text.as_bytes(), text.len() == 5) else { return None };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let (hours, minutes) = (digit(h)? * 10 + digit(i)?, digit(m)? * 10 + digit(j)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY).then_some(total)
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}
