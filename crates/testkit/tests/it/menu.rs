//! A contract with one operation of every shape, a service that keeps it, and one that does not.

use futures_util::stream;
use partie::Service;
use partie::store::{Migration, Store, Tx};
use partie_contract::{
    Call, Created, Cursor, Entity, EventStream, Limit, NoContent, Outcome, Page, Problem, StreamItem,
    Timestamp, Versioned, contract, id,
};
use partie_runtime::Clock;
use partie_testkit::{CallExt, Conformance, Example, TestRun, TestSystem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

id! {
    /// Names a dish.
    pub(crate) struct DishId;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NewDish {
    #[schemars(length(min = 1, max = 80))]
    pub(crate) name: String,
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) price: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NewPrice {
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) price: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Dish {
    pub(crate) id: DishId,
    pub(crate) name: String,
    pub(crate) price: i64,
    pub(crate) version: i64,
}

impl Entity for Dish {
    const COLLECTION: &'static str = "/api/v1/dishes";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Find {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) limit: Limit,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Cursor>,
}

#[derive(Debug, PartialEq, Problem)]
pub(crate) enum MenuError {
    /// There is no such dish.
    #[problem(404, "dish-not-found")]
    NotFound,
}

/// What is on the menu.
#[contract(service = "menu", version = 1)]
pub(crate) trait Menu {
    /// Add a dish.
    #[post("/dishes", role = "cook", keyed)]
    async fn add(&self, cx: &Call, dish: NewDish) -> Outcome<Created<Dish>, MenuError>;

    /// Read a dish.
    #[get("/dishes/{id}", public)]
    async fn dish(&self, cx: &Call, id: DishId) -> Outcome<Versioned<Dish>, MenuError>;

    /// Find dishes.
    #[get("/dishes", public)]
    async fn find(&self, cx: &Call, query: Find) -> Outcome<Page<Dish>, MenuError>;

    /// Change a price.
    #[patch("/dishes/{id}", role = "cook", precondition)]
    async fn reprice(&self, cx: &Call, id: DishId, price: NewPrice) -> Outcome<Versioned<Dish>, MenuError>;

    /// Take a dish off the menu.
    #[post("/dishes/{id}/remove", roles = ["cook", "chef"], keyed)]
    async fn remove(&self, cx: &Call, id: DishId) -> Outcome<NoContent, MenuError>;

    /// What time it is in the kitchen, and for whom.
    #[get("/dishes/now", authenticated)]
    async fn now(&self, cx: &Call) -> Outcome<(Timestamp, String)>;

    /// Smell the dishes, one after the other.
    #[get("/smells", public)]
    async fn smells(&self, cx: &Call) -> Outcome<EventStream<String>>;
}

/// The state of the service.
pub(crate) struct Kitchen {
    store: Store,
    clock: Clock,
    is_sloppy: bool,
}

/// The service as it should be, or one that does not keep its contract.
pub(crate) fn service(is_sloppy: bool) -> impl Into<Service> {
    const MIGRATIONS: &[Migration] = &[Migration::new("0001_menu.sql", include_str!("0001_menu.sql"))];
    Service::new("menu")
        .store(MIGRATIONS)
        .start(async move |s| Ok(Kitchen { store: s.store(), clock: s.clock().clone(), is_sloppy }))
        .serve(Menu::routes())
}

/// A system with nothing else.
pub(crate) async fn start(is_sloppy: bool) -> TestRun {
    TestSystem::new().service(service(is_sloppy)).start().await
}

/// A fresh dish, by way of the contract.
pub(crate) async fn soup(run: &TestRun) -> Dish {
    let new = NewDish { name: "soup".to_owned(), price: 450 };
    run.client::<MenuClient>().add(&run.call_as("cook").keyed(), new).await.unwrap().0
}

/// A walk with an example of everything.
pub(crate) fn conformance(run: &TestRun) -> Conformance<'_> {
    Conformance::new(run)
        .only(&["menu"])
        .example("menu.add", async |_| Example::new().body(NewDish { name: "stew".to_owned(), price: 900 }))
        .example("menu.dish", async |run| Example::new().param("id", soup(run).await.id))
        .example("menu.find", async |_| Example::new().query("limit", 2).query("name", "soup"))
        .example("menu.reprice", async |run| {
            let dish = soup(run).await;
            Example::new().param("id", dish.id).if_match(dish.version).body(NewPrice { price: 500 })
        })
        .example("menu.remove", async |run| {
            Example::new().param("id", soup(run).await.id).by("ann", &["chef"])
        })
        .example("menu.now", async |_| Example::new())
        .example("menu.smells", async |_| Example::new())
}

// === impl Kitchen ===

impl Menu for Kitchen {
    async fn add(&self, cx: &Call, new: NewDish) -> Outcome<Created<Dish>, MenuError> {
        let insert = move |tx: &mut Tx| {
            let dish = Dish { id: tx.new_id(), name: new.name.clone(), price: new.price, version: 1 };
            let sql = "INSERT INTO dishes (id, name, price, version) VALUES ($1, $2, $3, $4)";
            tx.execute(sql, &[&dish.id, &dish.name, &dish.price, &dish.version])?;
            Ok(Created(dish))
        };
        // Sloppy: the key is forgotten.
        if self.is_sloppy { self.store.write(insert).await } else { self.store.once(cx, insert).await }
    }

    async fn dish(&self, _: &Call, id: DishId) -> Outcome<Versioned<Dish>, MenuError> {
        self.store.read(move |tx| Ok(Versioned(read(tx, id)?))).await
    }

    async fn find(&self, _: &Call, query: Find) -> Outcome<Page<Dish>, MenuError> {
        // Sloppy: an input nobody thought of.
        assert!(!self.is_sloppy || query.name.as_deref() != Some(""), "who asks for nothing?");
        let after: Option<DishId> = query.after.as_ref().map(|cursor| cursor.key()).transpose()?;
        self.store
            .read(move |tx| {
                let sql = "SELECT id, name, price, version FROM dishes \
                           WHERE ($1 IS NULL OR name = $1) AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3";
                let found =
                    tx.query(sql, &[&query.name, &after, &(i64::from(query.limit.get()) + 1)], |row| {
                        Ok(Dish {
                            id: row.get(0)?,
                            name: row.get(1)?,
                            price: row.get(2)?,
                            version: row.get(3)?,
                        })
                    })?;
                Ok(Page::from_rows(found, query.limit, |dish| dish.id)?)
            })
            .await
    }

    async fn reprice(&self, cx: &Call, id: DishId, new: NewPrice) -> Outcome<Versioned<Dish>, MenuError> {
        // Sloppy: it is not looked at.
        let precondition = cx.if_match().filter(|_| !self.is_sloppy);
        self.store
            .write(move |tx| {
                let mut dish = read(tx, id)?;
                precondition.map_or(Ok(()), |precondition| precondition.check(dish.version))?;
                (dish.price, dish.version) = (new.price, dish.version + 1);
                let sql = "UPDATE dishes SET price = $2, version = $3 WHERE id = $1";
                tx.execute(sql, &[&id, &dish.price, &dish.version])?;
                Ok(Versioned(dish))
            })
            .await
    }

    async fn remove(&self, cx: &Call, id: DishId) -> Outcome<NoContent, MenuError> {
        // Sloppy: it cannot succeed.
        let id = if self.is_sloppy { "00000000-0000-7000-8000-000000000000".parse().unwrap() } else { id };
        self.store
            .once(cx, move |tx| {
                read(tx, id)?;
                tx.execute("DELETE FROM dishes WHERE id = $1", &[&id])?;
                Ok(NoContent)
            })
            .await
    }

    async fn now(&self, cx: &Call) -> Outcome<(Timestamp, String)> {
        Ok((self.clock.now(), cx.subject()?.to_owned()))
    }

    async fn smells(&self, _: &Call) -> Outcome<EventStream<String>> {
        // Sloppy: nothing ever comes.
        let smells: &[&str] = if self.is_sloppy { &[] } else { &["onion", "thyme"] };
        let items = smells.iter().zip(1..).map(|(smell, id)| {
            Ok(StreamItem { id: Some(id), event: "smell".into(), data: (*smell).to_owned() })
        });
        Ok(EventStream::new(stream::iter(items)))
    }
}

fn read(tx: &mut Tx, id: DishId) -> Outcome<Dish, MenuError> {
    let sql = "SELECT id, name, price, version FROM dishes WHERE id = $1";
    let found = tx.query_opt(sql, &[&id], |row| {
        Ok(Dish { id: row.get(0)?, name: row.get(1)?, price: row.get(2)?, version: row.get(3)? })
    })?;
    Ok(found.ok_or(MenuError::NotFound)?)
}
