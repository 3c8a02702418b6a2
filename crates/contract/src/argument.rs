//! Arguments: what an operation's signature can name, and how each travels.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Outbound;
use crate::inbound::Inbound;
use crate::operation::SchemaFn;
use crate::platform::Platform;
use crate::schema::schema_of;

/// What a path parameter can be.
///
/// The macro's output goes through this trait and no other, and it has no supertraits, so that whatever is missing is
/// one message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a path parameter",
    note = "it needs `FromStr`, `Display` and `JsonSchema`; ids made by `id!` have them"
)]
pub trait PathParam: Sized {
    /// Its schema.
    const SCHEMA: SchemaFn;

    /// Reads the parameter of that name. See [`Inbound::param`].
    ///
    /// # Errors
    /// [`MalformedRequest`](crate::FaultKind::MalformedRequest) when it is not one.
    fn from_path(inbound: &Inbound, name: &'static str) -> Result<Self, Platform>;

    /// Fills the next place of the path template. See [`Outbound::param`].
    #[must_use]
    fn to_path(&self, outbound: Outbound) -> Outbound;
}

#[diagnostic::do_not_recommend]
impl<T: FromStr<Err: fmt::Display> + fmt::Display + JsonSchema + Send> PathParam for T {
    const SCHEMA: SchemaFn = schema_of::<T>;

    fn from_path(inbound: &Inbound, name: &'static str) -> Result<Self, Platform> {
        inbound.param(name)
    }

    fn to_path(&self, outbound: Outbound) -> Outbound {
        outbound.param(self)
    }
}

/// What a body or a query can be. As [`PathParam`], it is all the macro's output asks for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the argument of an operation",
    note = "an argument that is not in the path is the body (POST, PUT, PATCH) or the query (GET, DELETE)",
    note = "it needs `Serialize`, `Deserialize` and `JsonSchema`"
)]
pub trait Argument: Sized {
    /// Its schema.
    const SCHEMA: SchemaFn;

    /// Reads the body and lets its bytes go: an operation may run long. See [`Inbound::body`].
    ///
    /// # Errors
    /// [`MalformedBody`](crate::FaultKind::MalformedBody) for what is not JSON, [`ValidationFailed`](crate::FaultKind::ValidationFailed) for what does not fit.
    fn from_body(inbound: &mut Inbound) -> Result<Self, Platform>;

    /// Reads the query. See [`Inbound::query`].
    ///
    /// # Errors
    /// [`MalformedRequest`](crate::FaultKind::MalformedRequest) for broken escapes, [`ValidationFailed`](crate::FaultKind::ValidationFailed) for what does not fit.
    fn from_query(inbound: &Inbound) -> Result<Self, Platform>;

    /// Sets the body. See [`Outbound::body`].
    #[must_use]
    fn to_body(&self, outbound: Outbound) -> Outbound;

    /// Sets the query. See [`Outbound::query`].
    #[must_use]
    fn to_query(&self, outbound: Outbound) -> Outbound;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + Serialize + JsonSchema + Send> Argument for T {
    const SCHEMA: SchemaFn = schema_of::<T>;

    fn from_body(inbound: &mut Inbound) -> Result<Self, Platform> {
        let value = inbound.body();
        inbound.body = Bytes::new();
        value
    }

    fn from_query(inbound: &Inbound) -> Result<Self, Platform> {
        inbound.query()
    }

    fn to_body(&self, outbound: Outbound) -> Outbound {
        outbound.body(self)
    }

    fn to_query(&self, outbound: Outbound) -> Outbound {
        outbound.query(self)
    }
}
