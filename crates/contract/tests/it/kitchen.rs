//! The contract of these tests, with one operation of every shape, and a service for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use partie_contract::{
    Accepted, Call, Created, Cursor, Entity, EventStream, Id, Limit, NoContent, Outcome, Page, Platform,
    Problem, StreamItem, Versioned, contract, id,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::Wire;

id! {
    /// Names a dish.
    pub(crate) struct DishId;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NewDish {
    #[schemars(length(min = 1, max = 20))]
    pub(crate) name: String,
    #[schemars(range(min = 1))]
    pub(crate) price: u32,
    #[serde(default)]
    pub(crate) tags: Vec<Tag>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tag {
    Hot,
    Vegan,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Dish {
    pub(crate) id: DishId,
    pub(crate) version: i64,
    pub(crate) name: String,
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

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Find {
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) limit: Limit,
    #[serde(default)]
    pub(crate) after: Option<Cursor>,
}

#[derive(Debug, PartialEq, Problem)]
pub(crate) enum KitchenError {
    /// There is no such dish.
    #[problem(404, "dish-not-found")]
    NotFound,
    /// The kitchen is closed. It opens again.
    #[problem(409, "kitchen-closed")]
    Closed { opens_in: Option<u32>, why: String },
    #[problem(503, "no-gas", title = "The gas is out.")]
    NoGas,
}

/// A kitchen with one operation of every shape.
#[contract(service = "kitchen", version = 1)]
pub(crate) trait Kitchen {
    /// Add a dish.
    #[post("/dishes", role = "cook", keyed)]
    async fn add(&self, cx: &Call, dish: NewDish) -> Outcome<Created<Dish>, KitchenError>;

    /// Read a dish.
    #[get("/dishes/{id}", public)]
    async fn dish(&self, cx: &Call, id: DishId) -> Outcome<Versioned<Dish>, KitchenError>;

    /// Find dishes.
    ///
    /// In the order of their names.
    #[get("/dishes", public)]
    async fn find(&self, cx: &Call, query: Find) -> Outcome<Page<Dish>, KitchenError>;

    /// Replace a dish.
    #[put("/dishes/{id}", role = "cook", precondition)]
    async fn replace(&self, cx: &Call, id: DishId, dish: NewDish) -> Outcome<Versioned<Dish>, KitchenError>;

    /// Take a dish off the menu.
    #[delete("/dishes/{id}", roles = ["cook", "chef"])]
    async fn remove(&self, cx: &Call, id: DishId) -> Outcome<NoContent, KitchenError>;

    /// Cook a dish.
    #[post("/dishes/{id}/cook", authenticated, timeout = "2s")]
    async fn cook(&self, cx: &Call, id: DishId) -> Outcome<Accepted<Dish>, KitchenError>;

    /// Give two names back.
    #[get("/echo/{first}/and/{second}", public)]
    async fn echo(&self, cx: &Call, second: String, first: String) -> Outcome<Vec<String>>;

    /// Who asks?
    #[get("/me", authenticated, no_store)]
    async fn me(&self, cx: &Call) -> Outcome<String>;

    /// Follow the kitchen.
    #[get("/notes", public)]
    async fn notes(&self, cx: &Call) -> Outcome<EventStream<String>, KitchenError>;
}

/// A kitchen in memory.
#[derive(Debug, Default)]
pub(crate) struct Stove {
    dishes: Mutex<BTreeMap<DishId, Dish>>,
}

impl Stove {
    pub(crate) fn wire() -> Wire {
        Wire::default().serve(&Arc::new(Self::default()), Kitchen::routes())
    }

    fn find_one(&self, id: DishId) -> Result<Dish, KitchenError> {
        self.dishes.lock().unwrap().get(&id).cloned().ok_or(KitchenError::NotFound)
    }
}

impl Kitchen for Stove {
    async fn add(&self, _: &Call, dish: NewDish) -> Outcome<Created<Dish>, KitchenError> {
        match dish.name.as_str() {
            "late" => return Err(KitchenError::Closed { opens_in: None, why: "it is late".into() }.into()),
            "gas" => return Err(KitchenError::NoGas.into()),
            "bug" => return Err(Platform::internal("password=hunter2").into()),
            _ => {}
        }
        let mut dishes = self.dishes.lock().unwrap();
        let id = DishId::from_uuid(uuid::Uuid::from_u128(dishes.len() as u128 + 1));
        let dish = Dish { id, version: 1, name: dish.name };
        dishes.insert(id, dish.clone());
        Ok(Created(dish))
    }

    async fn dish(&self, _: &Call, id: DishId) -> Outcome<Versioned<Dish>, KitchenError> {
        Ok(Versioned(self.find_one(id)?))
    }

    async fn find(&self, _: &Call, query: Find) -> Outcome<Page<Dish>, KitchenError> {
        let after: Option<String> = query.after.map(|cursor| cursor.key()).transpose()?;
        let mut rows: Vec<Dish> = self.dishes.lock().unwrap().values().cloned().collect();
        rows.retain(|dish| query.name.as_ref().is_none_or(|name| dish.name.contains(name)));
        rows.retain(|dish| after.as_ref().is_none_or(|after| dish.name > *after));
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows.truncate(query.limit.get() as usize + 1);
        Ok(Page::from_rows(rows, query.limit, |dish| dish.name.clone())?)
    }

    async fn replace(&self, cx: &Call, id: DishId, new: NewDish) -> Outcome<Versioned<Dish>, KitchenError> {
        let mut dish = self.find_one(id)?;
        if let Some(precondition) = cx.if_match() {
            precondition.check(dish.version)?;
        }
        dish = Dish { id, version: dish.version + 1, name: new.name };
        self.dishes.lock().unwrap().insert(id, dish.clone());
        Ok(Versioned(dish))
    }

    async fn remove(&self, _: &Call, id: DishId) -> Outcome<NoContent, KitchenError> {
        self.find_one(id)?;
        self.dishes.lock().unwrap().remove(&id);
        Ok(NoContent)
    }

    async fn cook(&self, _: &Call, id: DishId) -> Outcome<Accepted<Dish>, KitchenError> {
        Ok(Accepted(self.find_one(id)?))
    }

    async fn echo(&self, _: &Call, second: String, first: String) -> Outcome<Vec<String>> {
        Ok(vec![first, second])
    }

    async fn me(&self, cx: &Call) -> Outcome<String> {
        Ok(format!("{} by way of {}", cx.subject()?, cx.peer().unwrap_or("nobody")))
    }

    async fn notes(&self, cx: &Call) -> Outcome<EventStream<String>, KitchenError> {
        let seen: i64 = cx.last_event_id().and_then(|id| id.parse().ok()).unwrap_or(0);
        let mut notes: Vec<_> = (seen + 1..=3)
            .map(|id| {
                Ok(StreamItem {
                    id: Some(id),
                    event: "note.taken".into(),
                    data: format!("note {id}\nand more"),
                })
            })
            .collect();
        if seen == 2 {
            notes.push(Err(Platform::internal("the pencil broke")));
        }
        Ok(EventStream::new(futures_util::stream::iter(notes)))
    }
}
