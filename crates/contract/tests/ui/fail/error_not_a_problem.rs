//! The error of a contract is an enum of problems.

use partie_contract::{Call, Outcome, contract};

#[derive(Debug)]
pub enum DishError {
    NotFound,
}

#[contract(service = "menu", version = 1)]
pub trait Menu {
    #[get("/dishes/{id}", public)]
    async fn dish(&self, cx: &Call, id: u32) -> Outcome<String, DishError>;
}

fn main() {}
