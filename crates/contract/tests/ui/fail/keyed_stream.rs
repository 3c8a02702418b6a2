//! What answers under a key is stored and sent again, which a stream cannot be, whatever it is called.

use partie_contract::{Call, EventStream, Outcome, contract};

type Steps = Outcome<EventStream<String>>;

#[contract(service = "menu", version = 1)]
pub trait Menu {
    #[post("/dishes/{id}/cook", public, keyed)]
    async fn cook(&self, cx: &Call, id: u32) -> Steps;

    #[get("/dishes/{id}/steps", public)]
    async fn steps(&self, cx: &Call, id: u32) -> Steps;
}

fn main() {}
