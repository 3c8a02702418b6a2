//! A shop that asks its stock: the part of the two programs that is the same in both.

use std::process::ExitCode;

use partie::contract::{Abort, BoxError, Call, EventSpec, NoContent, Outcome, OutcomeExt as _, contract};
use partie::messaging::Publish as _;
use partie::store::{Migration, Store, Tx};
use partie::{Gateway, Service, Start, System};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::version::{Item, OrderPlaced, STOCK_TABLES, View};

/// Notes orders.
const SHOP_TABLES: &[Migration] = &[Migration::new(
    "0001_orders.sql",
    "CREATE TABLE orders (number INTEGER PRIMARY KEY, name TEXT NOT NULL);\n",
)];

/// What there is.
#[contract(service = "stock", version = 1)]
pub(crate) trait Stock {
    /// How much there is of something.
    #[get("/stock/{name}", public)]
    async fn item(&self, cx: &Call, name: String) -> Outcome<Item>;

    /// Notes that somebody looked at it.
    #[put("/stock/{name}/view", roles = ["customer"])]
    async fn view(&self, cx: &Call, name: String, view: View) -> Outcome<NoContent>;
}

/// What can be had.
#[contract(service = "shop", version = 1)]
pub(crate) trait Shop {
    /// Orders one thing.
    #[post("/orders", role = "customer", keyed)]
    async fn order(&self, cx: &Call, order: NewOrder) -> Outcome<Item>;
}

/// An order to place.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NewOrder {
    /// Of what.
    pub(crate) name: String,
}

struct StockDesk(Store);

struct ShopDesk {
    store: Store,
    stock: StockClient,
}

// === impl StockDesk ===

impl StockDesk {
    fn placed(&self, tx: &mut Tx, placed: &OrderPlaced) -> Result<(), Abort> {
        tx.execute("UPDATE items SET left_over = left_over - 1 WHERE name = $1", &[&placed.name])?;
        Ok(())
    }
}

impl Stock for StockDesk {
    async fn item(&self, _: &Call, name: String) -> Outcome<Item> {
        self.0.read(move |tx| Ok(Item::find(tx, &name)?)).await
    }

    async fn view(&self, _: &Call, name: String, _: View) -> Outcome<NoContent> {
        self.0
            .write(move |tx| {
                tx.execute("UPDATE items SET views = views + 1 WHERE name = $1", &[&name])?;
                Ok(NoContent)
            })
            .await
    }
}

// === impl ShopDesk ===

impl ShopDesk {
    async fn start(s: Start) -> Result<Self, BoxError> {
        Ok(Self { store: s.store(), stock: s.client() })
    }
}

impl Shop for ShopDesk {
    async fn order(&self, cx: &Call, order: NewOrder) -> Outcome<Item> {
        let name = order.name;
        self.stock.view(cx, name.clone(), View::by("shop")).await.unexpected()?;
        let item = self.stock.item(cx, name.clone()).await.unexpected()?;
        self.store
            .once(cx, move |tx| {
                tx.execute("INSERT INTO orders (name) VALUES ($1)", &[&name])?;
                tx.publish(&OrderPlaced::of(&name))?;
                Ok(item.clone())
            })
            .await
    }
}

/// The program of this version.
pub(crate) fn main() -> ExitCode {
    let stock = Service::new("stock")
        .store(STOCK_TABLES)
        .start(async |s: Start| Ok(StockDesk(s.store())))
        .serve(Stock::routes())
        .on(StockDesk::placed);
    let shop = Service::new("shop")
        .store(SHOP_TABLES)
        .calls::<StockClient>()
        .publishes(&[EventSpec::of::<OrderPlaced>()])
        .start(ShopDesk::start)
        .serve(Shop::routes());
    System::new("evolving").service(stock).service(shop).gateway(Gateway::default()).main()
}
