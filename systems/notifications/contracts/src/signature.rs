//! How the two sides of a webhook know each other: HMAC-SHA256 over id, time and body, as Standard Webhooks has it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// What a signature of this kind begins with.
const VERSION: &str = "v1,";
/// How far the sender's clock may be from the receiver's, in seconds. What is older may be a replay.
const TOLERANCE: i64 = 5 * 60;

/// The secret that the two sides of an endpoint share: 24 to 64 bytes, written `whsec_` and Base64.
///
/// Nothing shows it but [`reveal`](Self::reveal).
#[derive(Clone)]
pub struct WebhookSecret {
    bytes: Vec<u8>,
}

/// The text is no secret of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSecret;

/// Why a webhook is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unverified {
    /// `webhook-timestamp` is no number of seconds.
    Timestamp,
    /// It was signed more than five minutes ago: a replay, or a clock that is wrong.
    TooOld,
    /// It was signed more than five minutes from now.
    TooNew,
    /// None of its signatures was made with any of the secrets.
    Signature,
}

/// Whether a webhook was sent by somebody who has one of the secrets, and lately.
///
/// `id`, `timestamp` and `signatures` are what the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` say,
/// `body` is the body as it came, byte by byte. `now` is the receiver's wall clock in seconds since the Unix epoch. Remember
/// the id for as long: the same message may come more than once.
///
/// ```
/// use notifications_contracts::{Unverified, WebhookSecret, verify_webhook};
///
/// let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// let body = br#"{"test": 2432232314}"#;
/// let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
/// let verify = |body: &[u8], now| {
///     verify_webhook(&[&secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", signature, body, now)
/// };
/// assert_eq!(verify(body, 1_614_265_390), Ok(()));
/// assert_eq!(verify(body, 1_614_269_999), Err(Unverified::TooOld));
/// assert_eq!(verify(b"{}", 1_614_265_390), Err(Unverified::Signature));
/// # Ok::<(), notifications_contracts::InvalidSecret>(())
/// ```
///
/// # Errors
/// Why it is not to be believed. Answer 400 or 401, and it is sent again.
pub fn verify_webhook(
    secrets: &[&WebhookSecret],
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: i64,
) -> Result<(), Unverified> {
    let signed_at: i64 = timestamp.parse().map_err(|_| Unverified::Timestamp)?;
    let age = now.saturating_sub(signed_at);
    if age > TOLERANCE {
        return Err(Unverified::TooOld);
    }
    if age < -TOLERANCE {
        return Err(Unverified::TooNew);
    }
    let content = content(id, timestamp, body);
    let tags = signatures.split(' ').filter_map(|signature| signature.strip_prefix(VERSION));
    let is_ours =
        |tag: Vec<u8>| secrets.iter().any(|secret| hmac::verify(&secret.key(), &content, &tag).is_ok());
    if tags.filter_map(|tag| STANDARD.decode(tag).ok()).any(is_ours) {
        Ok(())
    } else {
        Err(Unverified::Signature)
    }
}

/// What is signed.
fn content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

// === impl WebhookSecret ===

impl WebhookSecret {
    /// A secret of these bytes, which nobody can guess.
    ///
    /// # Errors
    /// [`InvalidSecret`] when they are not 24 to 64.
    pub fn new(bytes: Vec<u8>) -> Result<Self, InvalidSecret> {
        if (24..=64).contains(&bytes.len()) { Ok(Self { bytes }) } else { Err(InvalidSecret) }
    }

    /// The secret, as it is written.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.bytes))
    }

    /// The signature of a message, `v1,` and Base64. `timestamp` is when it is sent, in seconds since the Unix epoch.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let tag = hmac::sign(&self.key(), &content(id, &timestamp.to_string(), body));
        format!("{VERSION}{}", STANDARD.encode(tag))
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.bytes)
    }
}

impl FromStr for WebhookSecret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        Self::new(STANDARD.decode(text).map_err(|_| InvalidSecret)?)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(***)")
    }
}

// === impl InvalidSecret ===

impl fmt::Display for InvalidSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret of webhooks is `whsec_` and 24 to 64 bytes in Base64")
    }
}

impl std::error::Error for InvalidSecret {}

// === impl Unverified ===

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timestamp => "the webhook does not say when it was sent",
            Self::TooOld => "the webhook was sent too long ago",
            Self::TooNew => "the webhook was sent in the future",
            Self::Signature => "the webhook was not signed with a known secret",
        })
    }
}

impl std::error::Error for Unverified {}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> WebhookSecret {
        WebhookSecret::new(vec![byte; 32]).unwrap()
    }

    const NOW: i64 = 1_700_000_000;

    fn verified(secrets: &[&WebhookSecret], signatures: &str) -> Result<(), Unverified> {
        verify_webhook(secrets, "one", &NOW.to_string(), signatures, b"{}", NOW)
    }

    #[test]
    fn what_was_signed_with_either_secret_is_believed() {
        let [old, new, other] = [secret(1), secret(2), secret(3)];
        let both = format!("{} {}", new.sign("one", NOW, b"{}"), old.sign("one", NOW, b"{}"));
        assert_eq!(verified(&[&old], &both), Ok(()));
        assert_eq!(verified(&[&new], &both), Ok(()));
        assert_eq!(verified(&[&other, &new], &both), Ok(()));
        assert_eq!(verified(&[&other], &both), Err(Unverified::Signature));
        assert_eq!(verified(&[], &both), Err(Unverified::Signature));
        let of_other_kinds = format!("v1a,bm8= v2 v1,? {}", old.sign("one", NOW, b"{}"));
        assert_eq!(verified(&[&old], &of_other_kinds), Ok(()));
    }

    #[test]
    fn id_time_and_body_are_signed() {
        let secret = secret(1);
        let good = secret.sign("one", NOW, b"{}");
        let verify = |id, at: &str, body| verify_webhook(&[&secret], id, at, &good, body, NOW);
        assert_eq!(verify("one", "1700000000", b"{}"), Ok(()));
        for (id, at, body, why) in [
            ("two", "1700000000", &b"{}"[..], Unverified::Signature),
            ("one", "1700000001", b"{}", Unverified::Signature),
            ("one", "1700000000", b"{} ", Unverified::Signature),
            ("one", "1699999699", b"{}", Unverified::TooOld),
            ("one", "1700000301", b"{}", Unverified::TooNew),
            ("one", "-9223372036854775808", b"{}", Unverified::TooOld),
            ("one", "now", b"{}", Unverified::Timestamp),
            ("one", "", b"{}", Unverified::Timestamp),
        ] {
            assert_eq!(verify(id, at, body), Err(why), "{id} {at}");
        }
        for signatures in ["", "v1,", "v1", &good[3..], "v1,AAAA", &good.replace("v1", "v2")] {
            assert_eq!(verified(&[&secret], signatures), Err(Unverified::Signature), "{signatures}");
        }
    }

    #[test]
    fn secrets_are_written_as_other_libraries_do() {
        let written = secret(7).reveal();
        assert!(written.starts_with("whsec_BwcH"), "{written}");
        assert_eq!(written.parse::<WebhookSecret>().unwrap().bytes, [7; 32]);
        assert!(!format!("{:?}", secret(7)).contains("Bwc"));
        for bad in ["", "whsec_", "whsec_BwcH", "whsec_?", &format!("whsec_{}", "B".repeat(100))] {
            assert!(bad.parse::<WebhookSecret>().is_err(), "{bad}");
        }
    }
}
