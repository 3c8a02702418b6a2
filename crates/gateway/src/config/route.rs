//! What leads where, beyond what contracts say.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use partie_runtime::duration;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cors::CorsConfig;
use super::rate::RatesConfig;

/// One route. Of those that match, the one with the most exact host counts, then the longest prefix, then the one that
/// asks for most header fields, then for methods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RouteConfig {
    /// What metrics and logs call it. The prefix unless it says otherwise.
    pub name: Option<String>,
    /// The host it is for: `"api.example.com"`, or `"*.example.com"` for every name under that one. Any host unless it says
    /// so.
    pub host: Option<String>,
    /// The first segments of its addresses: `/menu` is for `/menu` and `/menu/7`, not for `/menus`.
    pub prefix: String,
    /// Its methods. All if there are none; whoever has `GET` has `HEAD`.
    pub methods: Vec<String>,
    /// Header fields a request has to have, with those values; `"*"` is any value.
    pub headers: BTreeMap<String, String>,
    /// Where it leads to.
    pub to: To,
    /// By what a client is known, so that it is always led to the same one of several.
    pub sticky: Option<Sticky>,
    /// What the prefix becomes on the way: `"/"` takes it away.
    pub rewrite: Option<String>,
    /// Who may use it.
    pub access: RouteAccess,
    /// What addresses may have although it could be read in two ways.
    pub allow: Vec<Lenience>,
    /// The largest request body, in bytes; the gateway's if it does not say so. gRPC has none.
    pub body: Option<usize>,
    /// How long it may take until an answer begins, and until the next piece of it comes; the gateway's if it does not say
    /// so. gRPC has its own deadline.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How many requests a client may send here, counted apart from all others; the gateway's if it does not say so.
    pub rates: Option<RatesConfig>,
    /// What pages of other origins may do here; the gateway's if it does not say so.
    pub cors: Option<CorsConfig>,
    /// Whether answers are compressed, if the gateway does that at all.
    pub compression: Option<bool>,
    /// Whether the upstream gets the client's `Host` instead of its own address.
    pub keep_host: bool,
}

/// Where a route leads to: `"menu"`, or several with their weights, `{ menu = 95, menu-next = 5 }`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct To(pub BTreeMap<String, u32>);

/// Who may use a route: `"public"`, `"authenticated"`, or those with one of a list of roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RouteAccess {
    /// Anybody. `Authorization` is for the upstream to judge.
    #[default]
    Public,
    /// Anybody with a valid token.
    Authenticated,
    /// A valid token with one of these roles.
    Roles(Vec<String>),
}

/// By what a client is known. A client without it is led by chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sticky {
    /// Its address.
    Address,
    /// The user, as the token says.
    User,
    /// The value of a header field: `"header:x-session"`.
    Header(String),
    /// The value of a cookie: `"cookie:session"`.
    Cookie(String),
}

/// What an address may have although two readers could understand it differently. All of it is refused by default. A
/// route that allows it gets the address as it came; one that would lead elsewhere once somebody has tidied it up is
/// refused all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Lenience {
    /// `%2F`.
    EscapedSlashes,
    /// `\` and `%5C`.
    Backslashes,
    /// `.` and `..`, escaped or not.
    DotSegments,
    /// `//`.
    EmptySegments,
    /// `%00` to `%1F` and `%7F`.
    ControlCharacters,
    /// Escapes that are not UTF-8.
    OtherEncodings,
}

// === impl To ===

impl Serialize for To {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.iter().next() {
            Some((only, 1)) if self.0.len() == 1 => serializer.serialize_str(only),
            _ => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for To {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = To;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "the name of an upstream, or names with their weights like { menu = 95, menu-next = 5 }",
                )
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<To, E> {
                Ok(To([(name.to_owned(), 1)].into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<To, A::Error> {
                let mut names = BTreeMap::new();
                while let Some((name, weight)) = map.next_entry()? {
                    names.insert(name, weight);
                }
                Ok(To(names))
            }
        }

        deserializer.deserialize_any(Names)
    }
}

// === impl RouteAccess ===

impl Serialize for RouteAccess {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Public => serializer.serialize_str("public"),
            Self::Authenticated => serializer.serialize_str("authenticated"),
            Self::Roles(roles) => roles.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RouteAccess {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Who;

        impl<'de> Visitor<'de> for Who {
            type Value = RouteAccess;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"public\", \"authenticated\", or a list of roles")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RouteAccess, E> {
                match text {
                    "public" => Ok(RouteAccess::Public),
                    "authenticated" => Ok(RouteAccess::Authenticated),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RouteAccess, A::Error> {
                let mut roles = Vec::new();
                while let Some(role) = list.next_element()? {
                    roles.push(role);
                }
                Ok(RouteAccess::Roles(roles))
            }
        }

        deserializer.deserialize_any(Who)
    }
}

// === impl Sticky ===

impl fmt::Display for Sticky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("address"),
            Self::User => f.write_str("user"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

impl Serialize for Sticky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sticky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once(':') {
            None if text == "address" => Ok(Self::Address),
            None if text == "user" => Ok(Self::User),
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.to_owned())),
            Some(("cookie", name)) if !name.is_empty() => Ok(Self::Cookie(name.to_owned())),
            _ => Err(de::Error::custom(format_args!(
                "{text:?} is not address, user, header:NAME or cookie:NAME"
            ))),
        }
    }
}
