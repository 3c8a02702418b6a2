//! What a token says (RFC 7519, RFC 9068), judged once its signature is known to be good.

use partie_contract::{FaultKind, Identity, Platform};
use serde_json::{Map, Value};

/// How far the clocks of two machines may differ, in seconds.
pub(crate) const SKEW: i64 = 60;
/// The longest subject, in characters.
pub(crate) const LONGEST_SUBJECT: usize = 255;

/// What a verifier expects of a token.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) issuer: Box<str>,
    pub(crate) audience: Box<str>,
}

/// Whether a token that ends then is over.
pub(crate) fn is_over(expires: i64, now: i64) -> bool {
    now >= expires.saturating_add(SKEW)
}

impl Expected {
    /// The identity the claims speak of.
    pub(crate) fn judge(
        &self,
        claims: &Map<String, Value>,
        token: &str,
        now: i64,
    ) -> Result<Identity, Platform> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(unauthenticated("the token is from another issuer"));
        }
        if !is_for(claims.get("aud"), &self.audience) {
            return Err(unauthenticated("the token is for another audience"));
        }
        let expires =
            time(claims, "exp")?.ok_or_else(|| unauthenticated("the token does not say when it ends"))?;
        if is_over(expires, now) {
            return Err(expired());
        }
        if time(claims, "nbf")?.is_some_and(|from| from > now.saturating_add(SKEW)) {
            return Err(unauthenticated("the token is not valid yet"));
        }
        // Only a number is asked of it: when a token was made gives nobody any right.
        time(claims, "iat")?;
        let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| is_subject(subject));
        let subject = subject.ok_or_else(|| unauthenticated("the token's sub is not 1 to 255 characters"))?;
        let roles = roles(claims.get("roles"))
            .ok_or_else(|| unauthenticated("the token's roles are not a list of names"))?;
        Ok(Identity { subject: subject.to_owned(), roles, token: token.to_owned(), expires })
    }
}

/// Whether it can be a subject: 1 to 255 characters, none of which would break a line of log.
pub(crate) fn is_subject(subject: &str) -> bool {
    (1..=LONGEST_SUBJECT).contains(&subject.chars().count()) && !subject.chars().any(char::is_control)
}

/// Whether it can be a role.
pub(crate) fn is_role(role: &str) -> bool {
    is_subject(role)
}

/// A token that is over.
pub(crate) fn expired() -> Platform {
    Platform::new(FaultKind::TokenExpired)
}

/// A token that proves nothing.
pub(crate) fn unauthenticated(detail: &'static str) -> Platform {
    Platform::new(FaultKind::Unauthenticated).with_detail(detail)
}

fn is_for(audience: Option<&Value>, ours: &str) -> bool {
    match audience {
        Some(Value::String(one)) => one == ours,
        Some(Value::Array(several)) => several.iter().any(|one| one == ours),
        _ => false,
    }
}

/// A time in seconds. Fractions are allowed by RFC 7519 and cut off; anything else that is not a number is not.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Platform> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(seconds)) => {
            // A float beyond the range saturates: later than any clock.
            let seconds = seconds.as_i64().or_else(|| seconds.as_f64().map(|seconds| seconds as i64));
            seconds.map(Some).ok_or_else(|| unauthenticated("a time of the token is out of range"))
        }
        Some(_) => Err(unauthenticated("a time of the token is not a number")),
    }
}

/// No roles is an answer; something else than a list of names is not.
fn roles(claim: Option<&Value>) -> Option<Vec<String>> {
    match claim {
        None => Some(Vec::new()),
        Some(Value::Array(roles)) => {
            roles.iter().map(|role| role.as_str().filter(|role| is_role(role)).map(str::to_owned)).collect()
        }
        Some(_) => None,
    }
}
