//! Whole systems in a test: a free port, data that is gone afterwards, a clock one can step, fakes for what is far away.
//!
//! ```no_run
//! # async fn test(orders: partie::Service) {
//! use partie_testkit::TestSystem;
//!
//! let food = TestSystem::new().service(orders).start().await;
//! let answer = food.http().get("/api/v1/orders").token(&food.token("ann", &["customer"])).send().await;
//! assert_eq!(answer.unwrap().status, 200);
//! food.stop().await;
//! # }
//! ```
//!
//! * [`TestSystem`] declares and starts, [`TestRun`] is what runs: typed clients, calls, tokens, the clock.
//! * [`Http`] is a client that sends what it is told, broken requests included.
//! * [`Conformance`] walks every operation of the system through every case its contract promises.
//! * [`Processes`] are those of a supervisor, to be killed with [`signal`].
//! * [`Engines`] are those of a run of tests: the embedded ones, or servers that are started for it.
//! * [`CallExt`] gives a call a fresh idempotency key.
//!
//! Layout: `system` starts and `run` is what runs; `client` binds typed clients to a caller over HTTP; `plain` is the
//! HTTP client; `conformance` the walk; `processes` looks at `up --processes` from outside.
#![forbid(unsafe_code)]

mod call;
mod client;
mod conformance;
mod engines;
mod plain;
mod processes;
mod quiet;
mod run;
mod system;

pub use call::{CallExt, fresh_key};
pub use conformance::{Case, Conformance, Deviation, Example, NotConforming, Report};
pub use engines::Engines;
pub use plain::{Answer, Http, HttpRequest, Open, StreamEvent};
pub use processes::{Processes, cpu_time, lives, signal, within};
pub use run::TestRun;
pub use system::TestSystem;
