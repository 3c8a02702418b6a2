//! What a token says (RFC 7519, RFC 9068), judged once its signature is known to be good.

use partie_contract::{FaultKind, Identity, Platform};
use serde_json::{Map, Value};

use crate::jws::TYPE;

/// How far the clocks of two machines may differ, in seconds.
pub(crate) const SKEW: i64 = 60;
/// The longest subject, in characters.
pub(crate) const LONGEST_SUBJECT: usize = 255;

/// Roles that only the system itself gives, with the prefixes of their subjects: between its parts they open every door.
const RESERVED: [&str; 4] = ["service", "join", "member", "demo"];

/// What is expected of the tokens of one issuer.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// Nothing for tokens that do not say who made them.
    pub(crate) issuer: Option<Box<str>>,
    /// Nothing for tokens that do not say whom they are for.
    pub(crate) audience: Option<Box<str>>,
    /// The types that are taken, without `application/`.
    pub(crate) types: Vec<Box<str>>,
    /// The claim with the roles, and the way into it.
    pub(crate) roles: Vec<Box<str>>,
    /// Put before every subject.
    pub(crate) prefix: Box<str>,
    /// Whether it is the system itself that signs.
    pub(crate) own: bool,
}

/// Whether a token that ends then is over.
pub(crate) fn is_over(expires: i64, now: i64) -> bool {
    now >= expires.saturating_add(SKEW)
}

impl Expected {
    /// Access tokens of that issuer.
    pub(crate) fn of(issuer: &str) -> Self {
        Self {
            issuer: Some(issuer.into()),
            audience: None,
            types: vec![TYPE.into()],
            roles: vec!["roles".into()],
            prefix: "".into(),
            own: false,
        }
    }

    /// Whether tokens of that type are taken.
    pub(crate) fn takes(&self, kind: &str) -> bool {
        self.types.iter().any(|known| known.eq_ignore_ascii_case(kind))
    }

    /// The identity the claims speak of.
    pub(crate) fn judge(
        &self,
        claims: &Map<String, Value>,
        token: &str,
        now: i64,
    ) -> Result<Identity, Platform> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != self.issuer.as_deref() || (self.issuer.is_none() && claims.contains_key("iss")) {
            return Err(unauthenticated("the token is from another issuer"));
        }
        if self.audience.as_ref().is_some_and(|ours| !is_for(claims.get("aud"), ours)) {
            return Err(unauthenticated("the token is for another audience"));
        }
        let expires =
            time(claims, "exp")?.ok_or_else(|| unauthenticated("the token does not say when it ends"))?;
        if is_over(expires, now) {
            return Err(expired());
        }
        let issued = time(claims, "iat")?;
        let from = time(claims, "nbf")?;
        if from.max(issued).is_some_and(|from| from > now.saturating_add(SKEW)) {
            return Err(unauthenticated("the token is not valid yet"));
        }
        // Tokens that say nothing about who made them are old as well as simple: nobody revokes those.
        let issued = match issued {
            None if self.issuer.is_some() => {
                return Err(unauthenticated("the token does not say when it was made"));
            }
            issued => issued.unwrap_or_default(),
        };
        let subject = self.subject(text("sub").unwrap_or_default()).ok_or_else(|| {
            unauthenticated("the token's sub is not 1 to 255 characters, or is the system's own")
        })?;
        let mut roles = roles(claims, &self.roles)
            .ok_or_else(|| unauthenticated("the token's roles are not a list of names"))?;
        if !self.own {
            roles.retain(|role| !RESERVED.contains(&&**role));
        }
        let mut identity = Identity::new(subject, token, expires).with_roles(roles);
        identity.issued = issued;
        identity.issuer = text("iss").unwrap_or_default().to_owned();
        identity.session = text("sid").filter(|sid| is_subject(sid)).map(str::to_owned);
        let client = text("client_id").or_else(|| text("azp"));
        identity.client = client.filter(|client| is_subject(client)).map(str::to_owned);
        Ok(identity)
    }

    fn subject(&self, said: &str) -> Option<String> {
        let subject = format!("{}{said}", self.prefix);
        let reserved = || {
            let kind = subject.split_once(':').map_or("", |(kind, _)| kind);
            RESERVED.contains(&kind)
        };
        (!said.is_empty() && is_subject(&subject) && (self.own || !reserved())).then_some(subject)
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

/// No roles is an answer; something else than a list of names is not. Only a scope is a text of several names.
fn roles(claims: &Map<String, Value>, path: &[Box<str>]) -> Option<Vec<String>> {
    let (last, way) = path.split_last()?;
    let mut object = Some(claims);
    for step in way {
        object = object.and_then(|object| object.get(&**step)?.as_object());
    }
    match object.and_then(|object| object.get(&**last)) {
        None => Some(Vec::new()),
        Some(Value::Array(roles)) => {
            roles.iter().map(|role| role.as_str().filter(|role| is_role(role)).map(str::to_owned)).collect()
        }
        Some(Value::String(scope)) if matches!(&**last, "scope" | "scp") => {
            let names = scope.split(' ').filter(|name| !name.is_empty());
            names.map(|name| is_role(name).then(|| name.to_owned())).collect()
        }
        Some(_) => None,
    }
}
