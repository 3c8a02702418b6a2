//! Events: a type, a version, and the field with the aggregate's id.

use partie_contract::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event("Served", subject = "dish")]
pub struct DishServed {
    pub dish_id: u32,
}

#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event("dish.burnt", version = 0, subject = "dish_id")]
pub struct DishBurnt {
    pub dish_id: u32,
}

#[derive(Serialize, Deserialize, JsonSchema, Event)]
pub struct Unsaid {
    pub dish_id: u32,
}

#[derive(Serialize, Deserialize, JsonSchema, Event)]
#[event("dish.eaten", version = 1, subject = "dishes")]
pub struct DishEaten {
    pub dishes: Vec<u32>,
}

fn main() {}
