//! A system under test: its clients, its clock, its fakes, its end.

use std::time::Duration;

use futures_util::StreamExt;
use partie_contract::{Call, Created, EventStream, Fault, NoContent, Outcome, Page, Timestamp, Versioned};
use partie_testkit::{CallExt, TestSystem};

use crate::menu::{self, Dish, DishId, Find, Menu, MenuClient, MenuError, NewDish, NewPrice, service, soup};

#[tokio::test]
async fn clients_call_as_whom_they_are_bound_to() {
    let run = menu::start(false).await;
    let cook: MenuClient = run.client_as("cook");
    let new = NewDish { name: "soup".to_owned(), price: 450 };
    let call = run.call().keyed();
    let Created(first) = cook.add(&call, new.clone()).await.unwrap();
    assert_eq!(cook.add(&call, new).await.unwrap().0, first, "the same key is the same dish");
    assert_ne!(soup(&run).await.id, first.id, "every key of `keyed` is a fresh one");
    assert_eq!(cook.now(&run.call()).await.unwrap().1, "cook");
    assert_eq!(
        cook.now(&run.call_by("ann", &[])).await.unwrap().1,
        "ann",
        "a caller of the call's own stays"
    );
    let smells: Vec<String> =
        cook.smells(&run.call()).await.unwrap().map(|item| item.unwrap().data).collect().await;
    assert_eq!(smells, ["onion", "thyme"]);
    let unknown = "00000000-0000-7000-8000-000000000000".parse().unwrap();
    let fault = cook.dish(&run.call(), unknown).await.unwrap_err();
    assert!(matches!(fault, Fault::Domain(MenuError::NotFound)), "{fault:?}");
    run.stop().await;
}

#[tokio::test]
async fn business_time_stands_until_it_is_stepped() {
    let noon: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
    let run = TestSystem::new().service(service(false)).stepped(noon).start().await;
    let cook: MenuClient = run.client_as("cook");
    assert_eq!(cook.now(&run.call()).await.unwrap().0, noon);
    run.step(Duration::from_hours(1)).await;
    assert_eq!(cook.now(&run.call()).await.unwrap().0, "2026-01-05T13:00:00Z".parse().unwrap());
}

#[tokio::test]
async fn a_fake_stands_in_for_a_service() {
    let run = TestSystem::new().fake(Menu::routes(), ClosedKitchen).start().await;
    let fault = run.client_as::<MenuClient>("cook").find(&run.call(), Find::default()).await.unwrap_err();
    assert!(matches!(fault, Fault::Domain(MenuError::NotFound)), "{fault:?}");
    let answer = run.http().get("/api/v1/dishes").send().await.unwrap();
    assert_eq!((answer.status, answer.code().as_deref()), (404, Some("dish-not-found")));
}

#[tokio::test]
async fn the_plain_client_sends_what_it_is_told() {
    let run = menu::start(false).await;
    let token = run.token("ann", &["cook"]);
    let body = NewDish { name: "stew".to_owned(), price: 900 };
    let request = run.http().post("/api/v1/dishes").token(&token).key("k-1").json(&body);
    let first = request.clone().send().await.unwrap();
    let again = request.chunked().send().await.unwrap();
    assert_eq!((first.status, again.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!(first.json(), again.json());
    let mut smells = run.http().get("/api/v1/smells").open().await.unwrap();
    let smell = smells.event().await.unwrap().unwrap();
    assert_eq!(
        (smell.id.as_deref(), smell.event.as_str(), smell.data.as_str()),
        (Some("1"), "smell", "\"onion\"")
    );
    let broken = run.http().raw("GET / HTTP/9.9\r\n\r\n").await.unwrap();
    assert_eq!(broken.status, 400);
}

#[tokio::test]
async fn what_was_stopped_takes_no_calls_and_keeps_no_data() {
    let run = menu::start(false).await;
    soup(&run).await;
    let http = run.http();
    run.stop().await;
    http.get("/health").send().await.unwrap_err();
}

/// A kitchen with nothing in it.
struct ClosedKitchen;

impl Menu for ClosedKitchen {
    async fn add(&self, _: &Call, _: NewDish) -> Outcome<Created<Dish>, MenuError> {
        Err(MenuError::NotFound.into())
    }

    async fn dish(&self, _: &Call, _: DishId) -> Outcome<Versioned<Dish>, MenuError> {
        Err(MenuError::NotFound.into())
    }

    async fn find(&self, _: &Call, _: Find) -> Outcome<Page<Dish>, MenuError> {
        Err(MenuError::NotFound.into())
    }

    async fn reprice(&self, _: &Call, _: DishId, _: NewPrice) -> Outcome<Versioned<Dish>, MenuError> {
        Err(MenuError::NotFound.into())
    }

    async fn remove(&self, _: &Call, _: DishId) -> Outcome<NoContent, MenuError> {
        Err(MenuError::NotFound.into())
    }

    async fn now(&self, _: &Call) -> Outcome<(Timestamp, String)> {
        Ok((Timestamp::EPOCH, String::new()))
    }

    async fn smells(&self, _: &Call) -> Outcome<EventStream<String>> {
        Ok(EventStream::new(futures_util::stream::empty()))
    }
}
