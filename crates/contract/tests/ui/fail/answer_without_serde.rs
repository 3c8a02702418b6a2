//! The value of an answer goes over the wire.

use partie_contract::{Call, Created, Outcome, contract};

#[derive(Debug)]
pub struct Dish {
    pub name: String,
}

#[contract(service = "menu", version = 1)]
pub trait Menu {
    #[get("/dishes/{id}", public)]
    async fn dish(&self, cx: &Call, id: u32) -> Outcome<Dish>;

    #[post("/dishes", public)]
    async fn add(&self, cx: &Call) -> Outcome<Created<Dish>>;
}

fn main() {}
