//! A cache in a service: prices belong to the catalogue, the shop reads them with every offer, and an event ends what is
//! old. `cargo run -p examples --bin cache`, and with `--features redis` and `PARTIE__CACHE__URL=redis://127.0.0.1:6379`
//! all processes of the shop share what one of them has read.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use partie::cache::{Cache, Entry, Settings};
use partie::contract::{
    Abort, BoxError, Call, Entity, Event, Outcome, OutcomeExt, Platform, Problem, Versioned, contract,
};
use partie::messaging::{AfterCrash, Enqueue, Job, JobError, Publish};
use partie::store::{Migration, Store, Tx};
use partie::{Gateway, Service, System};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What something costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Price {
    name: String,
    cents: i64,
    version: i64,
}

impl Entity for Price {
    const COLLECTION: &'static str = "/api/v1/prices";

    fn id(&self) -> String {
        self.name.clone()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

/// What something costs from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewPrice {
    cents: i64,
}

/// What can go wrong with a price.
#[derive(Debug, PartialEq, Problem)]
pub enum PriceError {
    /// There is no such thing.
    #[problem(404, "price-not-found")]
    NotFound,
}

/// There is another price.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("price.changed", version = 1, subject = "name")]
pub struct PriceChanged {
    name: String,
    version: i64,
}

/// Who owns the prices.
#[contract(service = "catalogue", version = 1)]
pub trait Catalogue {
    /// Read a price.
    #[get("/prices/{name}", public)]
    async fn price(&self, cx: &Call, name: String) -> Outcome<Versioned<Price>, PriceError>;

    /// Set a price.
    #[put("/prices/{name}", public)]
    async fn set_price(
        &self,
        cx: &Call,
        name: String,
        new: NewPrice,
    ) -> Outcome<Versioned<Price>, PriceError>;
}

/// Who shows them.
#[contract(service = "shop", version = 1)]
pub trait Shop {
    /// Read an offer.
    #[get("/offers/{name}", public)]
    async fn offer(&self, cx: &Call, name: String) -> Outcome<NewPrice, PriceError>;
}

struct Prices(Store);

impl Catalogue for Prices {
    async fn price(&self, _cx: &Call, name: String) -> Outcome<Versioned<Price>, PriceError> {
        let sql = "SELECT name, cents, version FROM prices WHERE name = $1";
        let found = self.0.read(move |tx| {
            Ok(tx.query_opt(sql, &[&name], |row| {
                Ok(Price { name: row.get(0)?, cents: row.get(1)?, version: row.get(2)? })
            })?)
        });
        Ok(Versioned(found.await?.ok_or(PriceError::NotFound)?))
    }

    async fn set_price(
        &self,
        _cx: &Call,
        name: String,
        new: NewPrice,
    ) -> Outcome<Versioned<Price>, PriceError> {
        let sql = "INSERT INTO prices (name, cents, version) VALUES ($1, $2, 1)
                   ON CONFLICT (name) DO UPDATE SET cents = excluded.cents, version = version + 1
                   RETURNING name, cents, version";
        let price = self.0.write(move |tx| {
            let price = tx.query_one(sql, &[&name, &new.cents], |row| {
                Ok(Price { name: row.get(0)?, cents: row.get(1)?, version: row.get(2)? })
            })?;
            tx.publish(&PriceChanged { name: price.name.clone(), version: price.version })?;
            Ok(price)
        });
        Ok(Versioned(price.await?))
    }
}

struct Window {
    catalogue: CatalogueClient,
    prices: Cache<str, Price>,
}

/// A change that the cache has to be told of. The cache may be on a server, and no transaction waits for the network: so
/// it is a job, which is tried again until the cache has heard of it.
#[derive(Serialize, Deserialize)]
struct Forget {
    name: String,
    version: i64,
}

impl Job for Forget {
    const KIND: &'static str = "forget-price";
    const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
}

impl Window {
    async fn price(&self, cx: &Call, name: &str) -> Result<Option<Arc<Price>>, Platform> {
        let load = || async {
            match self.catalogue.price(cx, name.to_owned()).await.split()? {
                Ok(price) => Ok(price.into()),
                Err(PriceError::NotFound) => Ok(Entry::absent(0)),
            }
        };
        self.prices.get(cx, name, load).await
    }

    fn changed(&self, tx: &mut Tx, price: &PriceChanged) -> Result<(), Abort> {
        tx.enqueue(&Forget { name: price.name.clone(), version: price.version })?;
        Ok(())
    }

    async fn forget(&self, _cx: &Call, price: &Forget) -> Result<(), JobError> {
        Ok(self.prices.invalidate(&price.name, price.version).await?)
    }
}

impl Shop for Window {
    async fn offer(&self, cx: &Call, name: String) -> Outcome<NewPrice, PriceError> {
        let price = self.price(cx, &name).await?.ok_or(PriceError::NotFound)?;
        Ok(NewPrice { cents: price.cents })
    }
}

fn catalogue() -> impl Into<Service> {
    const TABLES: &[Migration] = &[Migration::new(
        "0001_prices.sql",
        "CREATE TABLE prices (name TEXT PRIMARY KEY, cents BIGINT NOT NULL, version BIGINT NOT NULL);",
    )];
    Service::new("catalogue")
        .store(TABLES)
        .start(async |s| Ok::<_, BoxError>(Prices(s.store())))
        .serve(Prices::routes())
}

fn shop() -> impl Into<Service> {
    Service::new("shop")
        .store(&[])
        .calls::<CatalogueClient>()
        .start(async |s| {
            let prices = s.cache("prices", Settings::lasting(Duration::from_mins(10)))?;
            Ok(Window { catalogue: s.client(), prices })
        })
        .serve(Window::routes())
        .on(Window::changed)
        .job(Window::forget)
}

fn main() -> ExitCode {
    System::new("market").service(catalogue()).service(shop()).gateway(Gateway::default()).main()
}
