//! One missing derive is one message, at the type.

use partie_contract::{Call, Outcome, contract};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct NewDish {
    pub name: String,
}

#[contract(service = "menu", version = 1)]
pub trait Menu {
    #[post("/dishes", public)]
    async fn add(&self, cx: &Call, dish: NewDish) -> Outcome<String>;
}

fn main() {}
