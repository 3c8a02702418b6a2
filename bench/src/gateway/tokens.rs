//! The tokens of callers: one by ES256, one by the tutorial's shared secret.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use partie_identity::{Algorithm, Grant, Signer};
use ring::hmac;

use crate::Error;

/// Whose tokens they are.
pub(super) const ISSUER: &str = "https://bench.example";
/// For whom.
pub(super) const AUDIENCE: &str = "bench";
/// What the tutorial's gateway shares with whoever issues its tokens.
pub(super) const SECRET: &str = "a-secret-of-the-tutorial-of-at-least-32-bytes";
/// Longer than any measurement.
const LIFETIME: Duration = Duration::from_hours(12);

/// A token and the key set that verifies it, as JSON.
pub(super) fn es256() -> Result<(String, String), Error> {
    let signer = Signer::from_pkcs8(&Signer::generate(Algorithm::Es256)?, ISSUER)?;
    let token = signer.issue(&Grant::new(AUDIENCE, "ann", LIFETIME).role("customer"))?;
    Ok((token, signer.jwks().to_string()))
}

/// A token of the tutorial's.
pub(super) fn hs256() -> String {
    let [header, claims] =
        [r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"user_id":1}"#].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{claims}");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
