//! Every mistake of a contract is told at once, and what others refer to is there all the same.

use partie_contract::{Call, Channel, Client, Outcome, contract};

#[contract(service = "Menu", version = 0, cached)]
pub trait Menu: Sync {
    const DISHES: u32;

    #[get("dishes/{id}/", public, keyed)]
    fn dish(&self, cx: &Call, id: u32) -> Outcome<String>;

    #[post("/dishes", publik, timeout = "5 s")]
    async fn add(&mut self, dish: String) -> Outcome<String>;

    #[post("/dishes/{id}/{id}/{}", roles = [])]
    async fn serve<T>(&self, cx: &Call, id: u32, _: u32) -> Outcome<String> {
        Ok(id)
    }

    #[get]
    #[put("/dishes//x", role = "a b")]
    #[cfg(unix)]
    async fn change(&self, cx: &Call, dish: &str) -> Outcome<String>;

    #[delete("/dishes", authenticated = true, keyed, keyed)]
    async fn clear(&self, cx: Call) -> Outcome<&'static str>;

    #[delete("/dishes/{id}", public, "keyed")]
    async fn remove(self: &Self, call: &mut Call, id: u32);

    async fn routes(&self, cx: &Call) -> Outcome<String>;
}

pub fn client(channel: Channel) -> MenuClient {
    MenuClient::over(channel)
}

fn main() {}
