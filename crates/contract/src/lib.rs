//! Contracts: the API of a service as a Rust trait, with every face of it taken from one static table.
//!
//! ```
//! use partie_contract::{Call, Created, Entity, Outcome, Problem, contract, id};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! id! {
//!     /// Names a dish.
//!     pub struct DishId;
//! }
//!
//! #[derive(Debug, Serialize, Deserialize, JsonSchema)]
//! pub struct NewDish {
//!     #[schemars(length(min = 1, max = 80))]
//!     pub name: String,
//! }
//!
//! #[derive(Debug, Serialize, Deserialize, JsonSchema)]
//! pub struct Dish {
//!     pub id: DishId,
//!     pub name: String,
//! }
//!
//! impl Entity for Dish {
//!     const COLLECTION: &'static str = "/api/v1/dishes";
//!     fn id(&self) -> String {
//!         self.id.to_string()
//!     }
//! }
//!
//! #[derive(Debug, Problem)]
//! pub enum DishError {
//!     /// There is no such dish.
//!     #[problem(404, "dish-not-found")]
//!     NotFound,
//! }
//!
//! /// What is on the menu.
//! #[contract(service = "menu", version = 1)]
//! pub trait Menu {
//!     /// Add a dish.
//!     #[post("/dishes", role = "cook", keyed)]
//!     async fn add(&self, cx: &Call, dish: NewDish) -> Outcome<Created<Dish>, DishError>;
//!
//!     /// Read a dish.
//!     #[get("/dishes/{id}", public)]
//!     async fn dish(&self, cx: &Call, id: DishId) -> Outcome<Dish, DishError>;
//! }
//!
//! assert_eq!(MENU.operations[1].path, "/api/v1/dishes/{id}");
//! ```
//!
//! The macro emits the trait (with `Send` futures), `MENU` (the table), `MenuClient` (which implements the trait over
//! a [`Channel`]) and `Menu::routes()`. It compiles without a server, a runtime or a database.
//!
//! Layout: `operation` is the table; `argument`, `inbound` and `reply` bind arguments and answers; `routes` is the
//! server's face, `client` the caller's; `fault`, `platform` and `problem` are what goes wrong, `grpc` the same in gRPC's words; `call` is the context;
//! `openapi` and `document` read the table; the rest are the types contracts are written in.
#![forbid(unsafe_code)]

mod argument;
mod body;
mod call;
mod caller;
mod client;
mod deadline;
mod document;
mod event;
mod fault;
pub mod grpc;
mod id;
mod inbound;
mod json;
mod money;
mod openapi;
mod operation;
mod page;
mod platform;
mod problem;
mod reply;
mod revocation;
mod routes;
mod schema;
mod stream;
mod text;
mod time;
mod trace;
mod value;
pub mod wire;

pub use argument::{Argument, PathParam};
pub use body::{Body, Request, Response};
pub use call::{Call, IdempotencyKey, IfMatch, Presence};
pub use caller::{Caller, Identity};
pub use client::{Channel, Client, Outbound, Transport};
pub use deadline::Deadline;
pub use document::{contract_document, event_document};
pub use event::{CloudEvent, Event, EventSpec, Unreadable};
pub use fault::{Abort, Fault, Foreign, Outcome, OutcomeExt};
pub use id::{Id, InvalidId};
pub use inbound::{Inbound, Params};
pub use money::{Currency, Money, MoneyError};
pub use openapi::{json_schema, openapi};
pub use operation::{Access, Content, Contract, Operation, Param, ReplySpec, SchemaFn, Verb};
pub use page::{Cursor, Limit, Page};
#[doc = include_str!("docs/event.md")]
pub use partie_contract_macros::Event;
#[doc = include_str!("docs/problem.md")]
pub use partie_contract_macros::Problem;
#[doc = include_str!("docs/contract.md")]
pub use partie_contract_macros::contract;
pub use platform::{BoxError, FaultKind, Origin, Platform};
pub use problem::{NoProblem, Problem, ProblemDetails, ProblemKind, Violation};
pub use reply::{Accepted, Created, Entity, NoContent, Render, Rendered, Reply, Settled, Versioned};
pub use revocation::{Revocation, RevocationNews};
pub use routes::{Answer, BoxFuture, Endpoint, Routes, boxed};
pub use schema::schema_of;
pub use stream::{EventStream, StreamItem};
pub use text::{EmailAddress, InvalidText};
pub use time::{InvalidTimestamp, Timestamp};
pub use trace::{InvalidTrace, Trace};
pub use value::{FromValue, InvalidValue, ToValue, Value};

/// The macros for crates that depend on `partie` alone, which has them in the place of ours.
#[doc(hidden)]
pub mod via_partie {
    pub use partie_contract_macros::{
        EventViaPartie as Event, ProblemViaPartie as Problem, contract_via_partie as contract,
    };
}

/// What the macros' output refers to. Not for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::event::from_previous;
    pub use crate::id::{UuidText, parse_uuid, uuid_schema};
    pub use crate::problem::{Member, Members, own_code};
    pub use schemars;
    pub use serde;
    pub use serde_json;
    pub use uuid::Uuid;
}
