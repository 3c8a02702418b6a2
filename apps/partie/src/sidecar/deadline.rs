//! How long a call may take, by what its headers say.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use partie_contract::{FaultKind, Platform, grpc, wire};
use partie_runtime::duration;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

/// A time with its unit, `500ms` or `2s`: for programs that know nothing of Partie.
static X_REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");

type Read = fn(&str) -> Option<Duration>;

/// The shortest time any header asks for; nothing if none does.
pub(super) fn wished(headers: &HeaderMap) -> Result<Option<Duration>, Platform> {
    let mut wished = grpc::timeout(headers)?;
    let table: [(&HeaderName, Read, &str); 2] = [
        (&wire::TIMEOUT_MS, millis, "a number of milliseconds"),
        (&X_REQUEST_TIMEOUT, with_unit, "a time with its unit, like 500ms or 2s"),
    ];
    for (name, read, form) in table {
        for value in headers.get_all(name) {
            let time = value.to_str().ok().and_then(read).ok_or_else(|| unreadable(name, form))?;
            wished = Some(wished.map_or(time, |shortest| shortest.min(time)));
        }
    }
    Ok(wished)
}

/// What another hop has left for the call. One that cannot be read was meant for somebody else.
pub(super) fn left(headers: &HeaderMap) -> Option<Duration> {
    headers.get(wire::TIMEOUT_MS).and_then(|value| value.to_str().ok()).and_then(millis)
}

fn millis(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

fn with_unit(text: &str) -> Option<Duration> {
    let text: StrDeserializer<'_, Error> = text.into_deserializer();
    duration::deserialize(text).ok()
}

fn unreadable(name: &HeaderName, form: &str) -> Platform {
    Platform::new(FaultKind::MalformedRequest).with_detail(format!("{name} has to be {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_wish_counts_and_an_unreadable_one_is_refused() {
        let wish = |fields: &[(&'static str, &str)]| {
            let fields =
                fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            wished(&fields.collect())
                .map(|time| time.map(|time| time.as_millis()))
                .map_err(|fault| fault.kind())
        };
        assert_eq!(wish(&[]), Ok(None));
        assert_eq!(wish(&[("partie-timeout-ms", "0")]), Ok(Some(0)));
        assert_eq!(wish(&[("x-request-timeout", "2s")]), Ok(Some(2000)));
        assert_eq!(wish(&[("x-request-timeout", "2s"), ("partie-timeout-ms", "1500")]), Ok(Some(1500)));
        assert_eq!(wish(&[("grpc-timeout", "3S")]), Ok(Some(3000)));
        assert_eq!(wish(&[("grpc-timeout", "99999999H")]).unwrap().map(|time| time > 0), Some(true));
        for (name, bad) in [
            ("partie-timeout-ms", "-1"),
            ("partie-timeout-ms", "1s"),
            ("x-request-timeout", "30"),
            ("x-request-timeout", "soon"),
            ("x-request-timeout", ""),
            ("grpc-timeout", "m"),
            ("grpc-timeout", "123456789m"),
            ("grpc-timeout", "+1m"),
            ("grpc-timeout", "1s"),
        ] {
            assert_eq!(wish(&[(name, bad)]), Err(FaultKind::MalformedRequest), "{name}: {bad}");
        }
    }
}
