//! The store of a service: a database whose answered writes are on disk, and whose transactions wait for nobody.
//!
//! ```
//! use std::time::Duration;
//!
//! use partie_contract::{Outcome, Timestamp};
//! use partie_store::{Config, Handles, Migration, MigrationSet, Store};
//!
//! # async fn doc(dir: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! const ORDERS: MigrationSet = MigrationSet {
//!     name: "service",
//!     // In a service: `migrations!["0001_orders.sql"]`, from its directory `migrations/`.
//!     migrations: &[Migration::new("0001_orders.sql", "CREATE TABLE orders (dish TEXT, placed_at BIGINT)")],
//! };
//! let store = Store::open(dir, "orders", &[ORDERS], Handles::system(), Config::default())?;
//! let placed: Outcome<Timestamp> = store
//!     .write(|tx| {
//!         let now = tx.now();
//!         tx.execute("INSERT INTO orders (dish, placed_at) VALUES ($1, $2)", &[&"soup", &now])?;
//!         Ok(now)
//!     })
//!     .await;
//! let dishes: Outcome<Vec<String>> =
//!     store.read(|tx| Ok(tx.query("SELECT dish FROM orders", &[], |row| row.get(0))?)).await;
//! # assert!(placed.is_ok() && dishes.unwrap() == ["soup"]);
//! store.close().await;
//! # Ok(())
//! # }
//! # let dir = std::env::temp_dir().join(format!("partie-store-doc-{}", std::process::id()));
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
//! # runtime.block_on(doc(&dir)).unwrap();
//! # std::fs::remove_dir_all(&dir).unwrap();
//! ```
//!
//! One thread owns the one connection that writes. It takes the closures that wait, runs each in a savepoint, commits
//! them together and answers them all: one sync of the disk for many writes. A few threads read, each from a snapshot.
//!
//! With the feature `postgres`, [`Store::connect`] has the same store in a schema of a PostgreSQL database, for as many
//! processes as there are. A few threads have a connection each, and run closures as serializable transactions: one that
//! another one came in between of runs again, as its [`Tx`] promises the same time and ids. What only one process may do
//! at a time it does under a [`Lease`]; [`Bell`]s wake the others; a [`Horizon`] keeps readers of growing tables from
//! skipping rows.
//!
//! Layout: [`Store`] and [`Tx`] are what services see. `queue` and `task` carry closures to the threads and outcomes
//! back; `sqlite` and `postgres` are the databases with their threads; `keys` are idempotency keys; `backup` copies
//! stores; `migrate` and `lock` guard a database
//! while it opens.
#![forbid(unsafe_code)]

mod attached;
mod backup;
mod config;
mod error;
mod horizon;
mod json;
mod keys;
mod lease;
mod lock;
mod metric_definitions;
mod migrate;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
mod ring;
mod shared;
mod sqlite;
mod status;
mod store;
mod task;
mod tx;

pub use backup::{Contents, CopyError, IdleStore, contents};
pub use config::{Config, Durability, Handles, StoreUrl};
pub use error::{Error, ErrorKind, OpenError};
pub use horizon::{Horizon, Settled};
pub use json::Json;
pub use keys::{Claim, Replay};
pub use lease::Lease;
pub use migrate::{Migration, MigrationSet};
pub use partie_contract::{FromValue, InvalidValue, ToValue, Value};
pub use ring::Bell;
pub use status::{Health, Stats};
pub use store::Store;
pub use tx::{Row, Tx};
