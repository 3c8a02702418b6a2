//! Problems: the documented failures of a contract, on the wire as RFC 9457 `application/problem+json`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::operation::SchemaFn;
use crate::platform::FaultKind;
use crate::schema::schema_of;

/// The domain errors of one contract. Derived on an enum with `#[derive(Problem)]`:
///
/// ```
/// # use partie_contract::Problem;
/// #[derive(Debug, PartialEq, Problem)]
/// pub enum OrderError {
///     /// There is no such order.
///     #[problem(404, "order-not-found")]
///     NotFound,
///     /// The order cannot do that from the state it is in.
///     #[problem(409, "invalid-transition")]
///     InvalidTransition { current_state: String, allowed: Vec<String> },
/// }
/// let error = OrderError::InvalidTransition { current_state: "delivered".into(), allowed: vec![] };
/// assert_eq!(error.kind().status, 409);
/// assert_eq!(OrderError::decode("invalid-transition", error.members()), Some(error));
/// ```
///
/// Fields are extension members of the problem. The doc comment of a variant is its title.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the error of a contract",
    note = "derive it: `#[derive(Debug, Problem)] pub enum ThingError {{ #[problem(404, \"thing-not-found\")] NotFound }}`"
)]
pub trait Problem: fmt::Debug + Send + Sync + Sized + 'static {
    /// Every kind of problem this enum can be, one entry a variant, in order.
    const KINDS: &'static [ProblemKind];

    /// What this value is.
    fn kind(&self) -> &'static ProblemKind;

    /// The fields, as extension members.
    fn members(&self) -> Map<String, Value>;

    /// The value a peer sent, if its code is known here and its members fit. Unknown members are ignored.
    fn decode(code: &str, members: Map<String, Value>) -> Option<Self>;
}

/// One row of the table of problems.
#[derive(Clone, Copy)]
pub struct ProblemKind {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// Stable code in kebab-case, unique within the contract.
    pub code: &'static str,
    /// One sentence for people.
    pub title: &'static str,
    /// Schemas of the extension members: name and schema.
    pub members: &'static [(&'static str, SchemaFn)],
}

/// The error type of operations that have no domain error. It has no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoProblem {}

/// The body of an `application/problem+json` answer (RFC 9457), whoever made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemDetails {
    /// A URI that names the kind of problem: `urn:partie:problem:` and the code.
    #[serde(rename = "type", default = "about_blank")]
    pub type_uri: String,
    /// One sentence, the same for every problem of the kind.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The stable code.
    #[serde(default)]
    pub code: String,
    /// All that is wrong with the input, at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Violation>,
    /// The id under which logs know the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Members of the kind.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

/// One thing wrong with the input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// Where: a JSON Pointer (RFC 6901) into the body; for a query or path parameter `/` and its name.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// The extension members of a problem.
pub type Members = Map<String, Value>;

/// What a member of a problem can be. The derive's output goes through this trait and no other.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a member of a problem",
    note = "it needs `Serialize`, `Deserialize` and `JsonSchema`"
)]
pub trait Member: Sized {
    /// Its schema.
    const SCHEMA: SchemaFn;

    /// Adds it. A value that cannot be JSON is left out.
    fn put(&self, name: &'static str, members: &mut Map<String, Value>);

    /// Takes it out. An absent member is read as `null`, so that an option may be absent.
    fn take(name: &str, members: &mut Map<String, Value>) -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + JsonSchema> Member for T {
    const SCHEMA: SchemaFn = schema_of::<T>;

    fn put(&self, name: &'static str, members: &mut Map<String, Value>) {
        if let Ok(value) = serde_json::to_value(self) {
            members.insert(name.to_owned(), value);
        }
    }

    fn take(name: &str, members: &mut Map<String, Value>) -> Option<Self> {
        serde_json::from_value(members.remove(name).unwrap_or_default()).ok()
    }
}

/// Refuses a contract's code that already means something: `not-found` from a gateway is not a missing order.
pub const fn own_code(code: &str) {
    let mut kinds = FaultKind::ALL;
    while let [kind, rest @ ..] = kinds {
        if same(kind.code().as_bytes(), code.as_bytes()) {
            panic!("this code belongs to the platform; a contract has its own");
        }
        kinds = rest;
    }
}

const fn same(mut left: &[u8], mut right: &[u8]) -> bool {
    while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
        if *a != *b {
            return false;
        }
        (left, right) = (left_rest, right_rest);
    }
    left.is_empty() && right.is_empty()
}

fn about_blank() -> String {
    "about:blank".to_owned()
}

// === impl NoProblem ===

impl Problem for NoProblem {
    const KINDS: &'static [ProblemKind] = &[];

    fn kind(&self) -> &'static ProblemKind {
        match *self {}
    }

    fn members(&self) -> Map<String, Value> {
        match *self {}
    }

    fn decode(_: &str, _: Map<String, Value>) -> Option<Self> {
        None
    }
}

// === impl ProblemKind ===

impl ProblemKind {
    /// The body of a problem of this kind.
    pub fn details(&self, members: Map<String, Value>) -> ProblemDetails {
        ProblemDetails {
            type_uri: format!("urn:partie:problem:{}", self.code),
            title: self.title.to_owned(),
            status: self.status,
            code: self.code.to_owned(),
            members,
            ..ProblemDetails::bare()
        }
    }
}

impl fmt::Debug for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

// === impl ProblemDetails ===

impl ProblemDetails {
    /// What a peer's answer says that is no problem document.
    pub(crate) fn bare() -> Self {
        Self {
            type_uri: about_blank(),
            title: String::new(),
            status: 0,
            detail: None,
            instance: None,
            code: String::new(),
            errors: Vec::new(),
            request_id: None,
            members: Map::new(),
        }
    }
}

// === impl Violation ===

impl Violation {
    /// A violation at a JSON Pointer.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}
