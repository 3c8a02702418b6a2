//! A contract's paths begin with its version, or with a prefix of its own.

use partie_contract::{Call, Outcome, contract};

#[contract(service = "menu")]
pub trait Neither {
    #[get("/dishes", public)]
    async fn dishes(&self, cx: &Call) -> Outcome<String>;
}

#[contract(service = "menu", version = 1, prefix = "/api/")]
pub trait Both {
    #[get("/dishes", public)]
    async fn dishes(&self, cx: &Call) -> Outcome<String>;
}

fn main() {}
