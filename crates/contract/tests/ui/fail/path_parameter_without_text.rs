//! A path parameter is text both ways.

use partie_contract::{Call, Outcome, contract};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct DishId(u32);

#[contract(service = "menu", version = 1)]
pub trait Menu {
    #[get("/dishes/{id}", public)]
    async fn dish(&self, cx: &Call, id: DishId) -> Outcome<String>;
}

fn main() {}
