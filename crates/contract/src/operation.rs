//! The operation table: what a contract says, readable without starting anything.

use std::fmt;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use crate::problem::ProblemKind;

/// Adds a type to a set of schemas and gives back a reference to it.
pub type SchemaFn = fn(&mut SchemaGenerator) -> Schema;

/// One contract of one service, in one version.
#[derive(Debug)]
pub struct Contract {
    /// The service that serves it.
    pub service: &'static str,
    /// The trait's name in snake case. A service may have several contracts of one version.
    pub name: &'static str,
    /// The version in its paths, `/api/v{version}`; 0 for routes outside any version.
    pub version: u16,
    /// What it is about, from the trait's doc comment.
    pub doc: &'static str,
    /// Whether these routes keep the manners of the tutorials Partie grew from: a token without `Bearer `, an optional
    /// key, the demo identity in development.
    pub compat: bool,
    /// Its operations, in order of declaration.
    pub operations: &'static [Operation],
}

/// One operation.
pub struct Operation {
    /// The service that serves it.
    pub service: &'static str,
    /// Its contract's name.
    pub contract: &'static str,
    /// The version of its contract.
    pub version: u16,
    /// The method's name, unique within the contract.
    pub name: &'static str,
    /// From the method's doc comment.
    pub doc: &'static str,
    /// The HTTP method.
    pub verb: Verb,
    /// The whole path template, `/api/v1/orders/{id}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether an idempotency key belongs to it.
    pub keyed: bool,
    /// Whether the key may be missing (compat routes).
    pub key_optional: bool,
    /// Whether it needs `If-Match`.
    pub precondition: bool,
    /// Whether nobody on the way may keep an answer: it has a secret in it (RFC 6749 section 5.1).
    pub no_store: bool,
    /// Path parameters, in the order of the template.
    pub params: &'static [Param],
    /// The query's schema.
    pub query: Option<SchemaFn>,
    /// The body's schema.
    pub body: Option<SchemaFn>,
    /// What success looks like.
    pub reply: ReplySpec,
    /// The contract's problems.
    pub problems: &'static [ProblemKind],
    /// How long it may take; the edge's default if `None`.
    pub timeout: Option<Duration>,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads.
    Get,
    /// Does.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without a token.
    Public,
    /// Anybody with a valid token.
    Authenticated,
    /// A token with one of these roles.
    Roles(&'static [&'static str]),
}

/// A path parameter.
#[derive(Debug)]
pub struct Param {
    /// Its name in the template.
    pub name: &'static str,
    /// Its schema.
    pub schema: SchemaFn,
}

/// What a successful answer looks like.
#[derive(Debug, Clone, Copy)]
pub struct ReplySpec {
    /// The status.
    pub status: u16,
    /// The body.
    pub content: Content,
    /// Contract headers: name and description.
    pub headers: &'static [(&'static str, &'static str)],
}

/// The kind of body of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// None.
    Empty,
    /// One JSON value.
    Json(SchemaFn),
    /// An event stream; the schema is that of `data:`.
    Events(SchemaFn),
}

// === impl Verb ===

impl Verb {
    /// The method's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The method of the `http` crate.
    pub const fn method(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
            Self::Patch => http::Method::PATCH,
            Self::Delete => http::Method::DELETE,
        }
    }

    /// The verb of a method, if contracts use it.
    pub fn from_method(method: &http::Method) -> Option<Self> {
        [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete]
            .into_iter()
            .find(|verb| verb.as_str() == method.as_str())
    }

    /// Whether it only reads, so that a client that went away may cancel it.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Get)
    }

    /// Whether its one argument is a body rather than the query.
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

// === impl ReplySpec ===

impl ReplySpec {
    /// The same, as the answer of a keyed operation: it is stored with its key and sent again.
    ///
    /// # Panics
    /// For events, which are not known whole. In a table that is a compile error.
    #[track_caller]
    pub const fn storable(self) -> Self {
        assert!(
            !matches!(self.content, Content::Events(_)),
            "a keyed operation cannot answer with an `EventStream`: its answer is stored, and sent again for the same \
             key; answer with what was made, and stream from a `get`"
        );
        self
    }
}

// === impl Operation ===

impl Operation {
    /// Whether doing it twice is the same as doing it once: by its verb, or by its key.
    pub const fn is_retry_safe(&self) -> bool {
        match self.verb {
            Verb::Get | Verb::Put | Verb::Delete => true,
            Verb::Post | Verb::Patch => self.keyed && !self.key_optional,
        }
    }

    /// Whether the answer is an event stream.
    pub const fn is_stream(&self) -> bool {
        matches!(self.reply.content, Content::Events(_))
    }

    /// A name for people and logs, unique within a version: `orders.place`; with the contract in between where it has
    /// a name of its own, `restaurants.tickets.accept`.
    pub fn full_name(&self) -> String {
        match (self.service, self.contract, self.name) {
            (service, contract, name) if service == contract => format!("{service}.{name}"),
            (service, contract, name) => format!("{service}.{contract}.{name}"),
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} {} {}", self.full_name(), self.version, self.verb.as_str(), self.path)
    }
}
