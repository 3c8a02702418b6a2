//! Systems that are broken on purpose, one for each rule.

use std::time::Duration;

use partie_contract::{Access, Content, Contract, Operation, ReplySpec, Verb};
use partie_gateway::Gateway;
use partie_mesh::{Overrides, ServicePolicy};

use crate::config::Config;
use crate::service::Service;
use crate::system::System;

/// An operation of a contract that has the service's name.
fn operation(service: &'static str, name: &'static str, verb: Verb, timeout: Option<u64>) -> Operation {
    Operation {
        service,
        contract: service,
        version: 1,
        name,
        doc: "",
        verb,
        path: "/api/v1/some",
        access: Access::Public,
        keyed: false,
        key_optional: false,
        precondition: false,
        no_store: false,
        params: &[],
        query: None,
        body: None,
        reply: ReplySpec { status: 200, content: Content::Empty, headers: &[] },
        problems: &[],
        timeout: timeout.map(Duration::from_secs),
    }
}

/// A service with two operations that calls others.
fn service(name: &'static str, timeout: Option<u64>, calls: &[&'static str]) -> Service {
    let mut service = Service::new(name);
    service.declared.contracts.push(contract(name, timeout));
    service.declared.calls = calls.iter().map(|to| (*to, contract(to, timeout))).collect();
    service
}

fn contract(service: &'static str, timeout: Option<u64>) -> &'static Contract {
    let operations =
        vec![operation(service, "look", Verb::Get, timeout), operation(service, "take", Verb::Post, timeout)];
    let operations = Box::leak(operations.into_boxed_slice());
    Box::leak(Box::new(Contract { name: service, service, version: 1, doc: "", compat: false, operations }))
}

/// Orders call the menu, the menu calls the stock.
fn system(timeout: Option<u64>) -> System {
    System::new("some")
        .service(service("orders", timeout, &["menu"]))
        .service(service("menu", timeout, &["stock"]))
        .service(service("stock", timeout, &[]))
        .gateway(Gateway::default())
}

/// What is found with these policies for the stock, whose operation `look` has those.
fn found(of_service: ServicePolicy, name: &str, of_operation: Overrides) -> Vec<String> {
    let mut config = Config::default();
    let mut of_service = of_service;
    of_service.operations.insert(name.to_owned(), of_operation);
    config.mesh.services.insert("stock".to_owned(), of_service);
    said(&system(None), &config)
}

fn said(system: &System, config: &Config) -> Vec<String> {
    system.check(config).iter().map(ToString::to_string).collect()
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn a_plain_system_is_fine() {
    assert_eq!(said(&system(None), &Config::default()), Vec::<String>::new());
    assert_eq!(said(&system(Some(3)), &Config::default()), Vec::<String>::new());
}

#[test]
fn a_call_that_may_take_longer_than_its_caller_has() {
    let found =
        found(ServicePolicy::default(), "look", Overrides { timeout: seconds(20), ..Overrides::default() });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("menu -> stock.look: may take 20s, but menu never has more than 10s"),
        "{found:?}"
    );
    // A contract that asks for more than the edge ever gives.
    let found = said(&system(Some(60)), &Config::default());
    assert!(found.iter().any(|found| found.starts_with("gateway -> stock.look: may take 60s")), "{found:?}");
}

#[test]
fn a_bound_that_is_never_reached() {
    let attempt = Overrides { timeout: seconds(2), attempt: seconds(3), ..Overrides::default() };
    let found = found(ServicePolicy::default(), "look", attempt);
    assert!(
        found.iter().any(|found| found.starts_with(
            "menu -> stock.look: mesh.services.stock.operations.look.attempt of 3s never counts, for \
             mesh.services.stock.operations.look.timeout ends the call after 2s"
        )),
        "{found:?}"
    );
    let hedge = Overrides { hedge: seconds(3), ..Overrides::default() };
    let found = self::found(ServicePolicy { attempt: seconds(1), ..ServicePolicy::default() }, "look", hedge);
    assert!(found.iter().any(|found| found.contains("look.hedge of 3s never counts")), "{found:?}");
}

#[test]
fn retries_that_multiply() {
    let found =
        found(ServicePolicy { retries: Some(12), ..ServicePolicy::default() }, "look", Overrides::default());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with(
            "gateway -> orders -> menu -> stock: one request may become 17 at the end, more than 16"
        ) && found[0].contains("most of them at menu -> stock.look"),
        "{found:?}"
    );
}

#[test]
fn retries_of_what_must_not_be_done_twice() {
    let again = Overrides { retries: Some(1), ..Overrides::default() };
    let found = found(ServicePolicy::default(), "take", again);
    assert!(
        found.contains(
            &"menu -> stock.take: mesh.services.stock.operations.take.retries would do it twice, and POST without a key \
              is not safe to repeat: make the operation `keyed`, or remove the setting"
                .to_owned()
        ),
        "{found:?}"
    );
    // For a whole service it means those of its operations that may be.
    let whole = ServicePolicy { retries: Some(1), ..ServicePolicy::default() };
    assert_eq!(self::found(whole, "look", Overrides::default()), Vec::<String>::new());
    let hedged = Overrides { hedge: Some(Duration::from_millis(20)), ..Overrides::default() };
    let found = self::found(ServicePolicy::default(), "take", hedged);
    assert!(
        found.iter().any(|found| found.contains("take.hedge is for reads, and this is POST")),
        "{found:?}"
    );
}

#[test]
fn a_circle() {
    let circle = System::new("some")
        .service(service("orders", None, &["menu"]))
        .service(service("menu", None, &["orders"]))
        .gateway(Gateway::default());
    let found = said(&circle, &Config::default());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("menu -> orders -> menu"), "{found:?}");
}

#[test]
fn a_policy_for_nothing() {
    let found = found(ServicePolicy::default(), "lock", Overrides::default());
    assert_eq!(
        found,
        ["mesh.services.stock.operations.lock: there is no operation of that name; there are look, take"]
    );
    let mut config = Config::default();
    config.mesh.services.insert("stok".to_owned(), ServicePolicy::default());
    let found = said(&system(None), &config);
    assert_eq!(
        found,
        ["mesh.services.stok: there is no service of that name; there are orders, menu, stock"]
    );
}

#[test]
fn a_fallback_that_could_do_it_twice_or_is_for_nothing() {
    let mut orders = service("orders", None, &["menu"]);
    let fallbacks =
        [(("menu", "look"), "the last one"), (("menu", "take"), "queued"), (("stock", "look"), "nothing")];
    orders.declared.fallbacks.extend(fallbacks);
    let menu = service("menu", None, &["stock"]);
    let system = System::new("some").service(orders).service(menu).service(service("stock", None, &[]));
    let found = said(&system, &Config::default());
    assert_eq!(
        found,
        [
            "orders declares a fallback for stock.look, which it does not call",
            "orders -> menu.take: falls back to \"queued\", and a call that was too slow may have been made all the same: \
             make the operation `keyed`",
        ]
    );
}
