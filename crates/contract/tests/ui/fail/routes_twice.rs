//! A route is one operation, and so is a name.

use partie_contract::{Call, Outcome, contract};

#[contract(service = "menu", version = 1)]
pub trait Menu {
    #[get("/dishes/{id}", public)]
    async fn dish(&self, cx: &Call, id: u32) -> Outcome<String>;

    #[get("/dishes/{name}", public)]
    async fn by_name(&self, cx: &Call, name: String) -> Outcome<String>;

    #[get("/drinks/{id}", public)]
    async fn dish(&self, cx: &Call, id: u32) -> Outcome<String>;

    #[put("/dishes/{id}", public)]
    async fn fine(&self, cx: &Call, id: u32) -> Outcome<String>;
}

fn main() {}
