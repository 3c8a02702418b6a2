//! A name in the path is a path parameter; there is one other argument.

use partie_contract::{Call, Outcome, contract};

#[contract(service = "menu", version = 1)]
pub trait Menu {
    #[get("/dishes/{dish_id}", public)]
    async fn dish(&self, cx: &Call, id: u32, size: u32) -> Outcome<String>;

    #[post("/dishes/{id}", public)]
    async fn rename(&self, cx: &Call, name: String, id: u32, size: u32) -> Outcome<String>;
}

fn main() {}
