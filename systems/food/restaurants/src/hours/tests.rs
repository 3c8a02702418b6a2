//! Hours around clock changes: by hand in a few zones, against a slow definition in many.

use std::time::Duration;

use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;

const DAYS: [Day; 7] =
    [Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday, Day::Saturday, Day::Sunday];
const MINUTE: i64 = 60_000;

fn span(day: Day, from: &str, to: &str) -> OpenSpan {
    OpenSpan { day, from: from.to_owned(), to: to.to_owned() }
}

fn week(time_zone: &str, open: &[OpenSpan]) -> Week {
    Week::new(Hours { time_zone: time_zone.to_owned(), open: open.to_vec() }).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn changes(week: &Week, now: &str) -> (bool, Option<String>) {
    let now = at(now);
    let open = week.is_open(now);
    let next = if open { week.next_close(now) } else { week.open_from(now) };
    (open, next.map(|time| time.to_string().replace(":00.000Z", "Z")))
}

#[test]
fn spans_may_run_past_midnight_and_meet() {
    let bar = week(
        "Europe/Berlin",
        &[
            span(Day::Friday, "18:00", "02:00"),
            span(Day::Saturday, "02:00", "03:30"),
            span(Day::Sunday, "00:00", "24:00"),
            span(Day::Monday, "00:00", "01:00"),
        ],
    );
    // July: two hours ahead of UTC. The 3rd is a Friday.
    for (now, open, next) in [
        ("2026-07-03T15:59:59.999Z", false, "2026-07-03T16:00Z"),
        ("2026-07-03T16:00:00Z", true, "2026-07-04T01:30Z"),
        ("2026-07-04T00:00:00Z", true, "2026-07-04T01:30Z"),
        ("2026-07-04T01:30:00Z", false, "2026-07-04T22:00Z"),
        ("2026-07-05T12:00:00Z", true, "2026-07-05T23:00Z"),
        ("2026-07-05T23:00:00Z", false, "2026-07-10T16:00Z"),
    ] {
        assert_eq!(changes(&bar, now), (open, Some(next.to_owned())), "{now}");
    }
}

#[test]
fn a_skipped_hour_is_never_open() {
    // Berlin, 29 March 2026: 02:00 is followed by 03:00, at 01:00 UTC.
    for (from, to, now, open, next) in [
        ("02:30", "10:00", "2026-03-29T00:59:00Z", false, "2026-03-29T01:00Z"),
        ("02:30", "10:00", "2026-03-29T01:00:00Z", true, "2026-03-29T08:00Z"),
        ("01:00", "02:30", "2026-03-29T00:59:00Z", true, "2026-03-29T01:00Z"),
        ("01:00", "02:30", "2026-03-29T01:00:00Z", false, "2026-04-04T23:00Z"),
        // All of it is skipped: next week, then.
        ("02:10", "02:50", "2026-03-29T00:00:00Z", false, "2026-04-05T00:10Z"),
    ] {
        let night = week("Europe/Berlin", &[span(Day::Sunday, from, to)]);
        assert_eq!(changes(&night, now), (open, Some(next.to_owned())), "{from}-{to} at {now}");
    }
}

#[test]
fn a_repeated_hour_changes_nothing_the_second_time() {
    // Berlin, 25 October 2026: 03:00 is followed by 02:00, at 01:00 UTC.
    for (from, to, now, open, next) in [
        ("01:00", "02:30", "2026-10-25T00:29:00Z", true, "2026-10-25T00:30Z"),
        ("01:00", "02:30", "2026-10-25T01:15:00Z", false, "2026-11-01T00:00Z"),
        ("02:30", "04:00", "2026-10-25T00:30:00Z", true, "2026-10-25T03:00Z"),
        ("02:30", "04:00", "2026-10-25T01:15:00Z", true, "2026-10-25T03:00Z"),
        ("01:00", "03:00", "2026-10-25T01:30:00Z", true, "2026-10-25T02:00Z"),
    ] {
        let night = week("Europe/Berlin", &[span(Day::Sunday, from, to)]);
        assert_eq!(changes(&night, now), (open, Some(next.to_owned())), "{from}-{to} at {now}");
    }
}

#[test]
fn a_day_may_be_missing() {
    // Samoa went from Thursday 29 to Saturday 31 December 2011.
    let fridays = week("Pacific/Apia", &[span(Day::Friday, "09:00", "17:00")]);
    assert_eq!(changes(&fridays, "2011-12-29T20:00:00Z"), (false, Some("2012-01-05T19:00Z".to_owned())));
}

#[test]
fn some_never_close_and_some_never_open() {
    let now = "2026-07-03T15:00:00Z";
    assert_eq!(changes(&Week::always(), now), (true, None));
    let overnight = DAYS.map(|day| [span(day, "06:00", "18:00"), span(day, "18:00", "06:00")]).concat();
    assert_eq!(changes(&week("America/New_York", &overnight), now), (true, None));
    assert_eq!(changes(&week("America/New_York", &[]), now), (false, None));
}

#[test]
fn what_is_no_time_or_zone_is_named() {
    for (from, to, pointers) in [
        ("10:00", "10:00", &["/open/0/to"][..]),
        ("24:00", "24:01", &["/open/0/from", "/open/0/to"]),
        ("9:00", "12:60", &["/open/0/from", "/open/0/to"]),
        ("+1:00", "1２:0", &["/open/0/from", "/open/0/to"]),
        ("", "ab:cd", &["/open/0/from", "/open/0/to"]),
        ("00:00", "00:00", &["/open/0/to"]),
    ] {
        let hours = Hours { time_zone: "UTC".to_owned(), open: vec![span(Day::Monday, from, to)] };
        let wrong = Week::new(hours).unwrap_err();
        assert_eq!(wrong.iter().map(|one| one.pointer.as_str()).collect::<Vec<_>>(), pointers, "{from}-{to}");
    }
    for zone in [
        "",
        "Berlin",
        "Europe/Berlin ",
        "+02:00",
        "EST5EDT,M3.2.0,M11.1.0",
        "../../etc/passwd",
        "Etc/Unknown",
    ] {
        assert!(Week::new(Hours { time_zone: zone.to_owned(), open: vec![] }).is_err(), "{zone}");
    }
}

#[test]
fn the_ends_of_the_calendar_are_no_trouble() {
    for now in [Timestamp::MIN, Timestamp::MAX] {
        for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
            let shop = week(zone, &DAYS.map(|day| span(day, "09:00", "17:00")));
            let _ = (shop.is_open(now), shop.open_from(now), shop.next_close(now));
        }
    }
}

/// Zones with whole and half hours, changes at midnight, backwards in winter, of two hours, of half an hour, and of a
/// day.
const ZONES: [&str; 16] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "America/Caracas",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
];

/// Whether it is open, by the definition: what counts is the latest time that the wall clock has shown so far.
fn is_open_by_definition(week: &Week, at: Timestamp) -> bool {
    let shown = |back: i64| {
        let then = Instant::from_millisecond(at.as_millis() - back * MINUTE).unwrap();
        week.zone.to_datetime(then)
    };
    let latest = (0..26 * 60).map(shown).max().unwrap();
    let reading = |date: Date, minutes: u16| -> DateTime {
        let midnight = date.to_datetime(jiff::civil::Time::midnight());
        midnight.checked_add(i64::from(minutes).minutes()).unwrap()
    };
    [latest.date(), latest.date().yesterday().unwrap()].into_iter().any(|date| {
        let spans = week.spans.iter().filter(|span| span.day == date.weekday());
        spans.into_iter().any(|span| reading(date, span.from) <= latest && latest < reading(date, span.to))
    })
}

fn any_span() -> impl Strategy<Value = OpenSpan> {
    let text = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    // Many at full and half hours, and near the hours at which clocks change.
    let time = prop_oneof![0..DAY, (0_u16..48).prop_map(|half| half * 30), (0_u16..200)];
    (0..7_usize, time.clone(), time)
        .prop_filter("an empty span", |(_, from, to)| from != to)
        .prop_map(move |(day, from, to)| OpenSpan { day: DAYS[day], from: text(from), to: text(to) })
}

/// A week, and a minute within two days of a clock change of its zone.
fn any_moment() -> impl Strategy<Value = (Week, Timestamp)> {
    let zone = proptest::sample::select(&ZONES[..]);
    let spans = proptest::collection::vec(any_span(), 1..6);
    (zone, spans, 0..40 * 365_i64, -48 * 60..48 * 60_i64).prop_map(|(zone, spans, days, minutes)| {
        let week = week(zone, &spans);
        // From 1985 on, when all of them count in whole minutes.
        let day = Instant::from_second((15 * 365 + days) * 86_400).unwrap();
        let change = week.zone.following(day).next().map_or(day, |change| change.timestamp());
        let moment = change.as_millisecond() / MINUTE * MINUTE + minutes * MINUTE;
        (week, Timestamp::from_millis(moment))
    })
}

proptest! {
    #[test]
    fn open_means_what_the_definition_says((week, now) in any_moment()) {
        for minutes in [0, 1, 29, 30, 59, 60, 61] {
            let now = now + Duration::from_secs(60 * minutes);
            prop_assert_eq!(week.is_open(now), is_open_by_definition(&week, now), "{} {:?}", now, week.hours());
        }
    }

    #[test]
    fn the_next_change_is_the_next_change((week, now) in any_moment(), points in proptest::collection::vec(0.0..1.0, 40)) {
        let open = week.is_open(now);
        let next = if open { week.next_close(now) } else { week.open_from(now) };
        prop_assert_eq!(week.open_from(now) == Some(now), open);
        prop_assert_eq!(week.next_close(now).is_some(), open);
        // Five spans are no whole week, so it changes within two.
        let next = next.ok_or_else(|| TestCaseError::fail(format!("never after {now} {:?}", week.hours())))?;
        prop_assert!(next > now);
        prop_assert_eq!(week.is_open(next), !open, "{} to {} {:?}", now, next, week.hours());
        let all = (next.as_millis() - now.as_millis()) as f64;
        let inside = points.iter().map(|point| (all * point) as i64).chain([0, all as i64 - 1]);
        for after in inside {
            let moment = Timestamp::from_millis(now.as_millis() + after);
            prop_assert_eq!(week.is_open(moment), open, "{} between {} and {} {:?}", moment, now, next, week.hours());
        }
    }
}
