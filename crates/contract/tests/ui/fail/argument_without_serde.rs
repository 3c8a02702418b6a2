//! One missing derive is one message, at the type.

use partie_contract::{Call, Outcome, contract};

pub struct NewDish {
    pub name: String,
}

#[contract(service = "menu", version = 1)]
pub trait Menu {
    #[post("/dishes", public)]
    async fn add(&self, cx: &Call, dish: NewDish) -> Outcome<String>;

    #[get("/dishes", public)]
    async fn find(&self, cx: &Call, filter: NewDish) -> Outcome<String>;
}

fn main() {}
