//! Who may call an operation is never assumed, and is said once.

use partie_contract::{Call, Outcome, contract};

#[contract(service = "menu", version = 1)]
pub trait Menu {
    #[get("/dishes/{id}")]
    async fn dish(&self, cx: &Call, id: u32) -> Outcome<String>;

    #[delete("/dishes/{id}", public, role = "cook")]
    async fn remove(&self, cx: &Call, id: u32) -> Outcome<String>;
}

fn main() {}
