//! An operation may always fail, and says so in its type.

use partie_contract::{Call, contract};

#[contract(service = "menu", version = 1)]
pub trait Menu {
    #[get("/dishes/{id}", public)]
    async fn dish(&self, cx: &Call, id: u32) -> String;
}

fn main() {}
