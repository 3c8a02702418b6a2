//! How many requests a client may send: `"100/s"`, `"600/m burst 50"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest number of requests, and the largest burst.
const MOST: u32 = 1_000_000;

/// How many requests may come in a time, and how many of them at once. Written `"100/s"` or `"100/s burst 20"`; the time is
/// `s`, `m`, `h` or `d`. Without a burst all of them may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many requests,
    pub requests: u32,
    /// in this time,
    pub per: Duration,
    /// so many of them at once.
    pub burst: u32,
}

/// How many requests a client may send, by who it is. What is not said is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RatesConfig {
    /// From one IPv4 address or one IPv6 /64. Counted before tokens are looked at.
    pub address: Option<Rate>,
    /// By one user, as the token says.
    pub user: Option<Rate>,
    /// By one client program, as its API key or its token's `client_id` says.
    pub key: Option<Rate>,
}

/// That is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a rate like \"100/s\" or \"600/m burst 50\", with s, m, h or d and numbers from 1 to 1000000"
)]
pub struct NotARate(String);

// === impl Rate ===

impl Rate {
    /// How long it takes until one more request may come, in nanoseconds.
    pub(crate) fn interval(self) -> u64 {
        let nanos = self.per.as_nanos() / u128::from(self.requests.max(1));
        u64::try_from(nanos).unwrap_or(u64::MAX).max(1)
    }
}

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let wrong = || NotARate(text.to_owned());
        let number = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|number| plain && (1..=MOST).contains(number));
            number.ok_or_else(wrong)
        };
        let mut words = text.split_whitespace();
        let (requests, unit) = words.next().and_then(|rate| rate.split_once('/')).ok_or_else(wrong)?;
        let requests = number(requests)?;
        let per = Duration::from_secs(match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(wrong()),
        });
        let burst = match (words.next(), words.next(), words.next()) {
            (None, ..) => requests,
            (Some("burst"), Some(burst), None) => number(burst)?,
            _ => return Err(wrong()),
        };
        Ok(Self { requests, per, burst })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            1 => "s",
            60 => "m",
            3_600 => "h",
            _ => "d",
        };
        write!(f, "{}/{unit}", self.requests)?;
        if self.burst == self.requests { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

// === impl RatesConfig ===

impl RatesConfig {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.address.is_none() && self.user.is_none() && self.key.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written() {
        for (text, requests, seconds, burst) in [
            ("100/s", 100, 1, 100),
            ("600/m burst 50", 600, 60, 50),
            ("1/d", 1, 86_400, 1),
            ("2/h burst 1000000", 2, 3_600, 1_000_000),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.requests, rate.per.as_secs(), rate.burst), (requests, seconds, burst));
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!("100/s".parse::<Rate>().unwrap().interval(), 10_000_000);
        for text in [
            "",
            "100",
            "/s",
            "0/s",
            "100/w",
            "-1/s",
            "+1/s",
            "1/s burst",
            "1/s burst 0",
            "1/s 2",
            "1000001/s",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(NotARate(text.to_owned())), "{text}");
        }
    }
}
