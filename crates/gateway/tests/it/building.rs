//! Contracts that cannot stand behind one door.

use partie_contract::{Access, Contract, Verb};
use partie_gateway::{BuildError, Gateway};
use partie_mesh::{Handles, Mesh, MeshConfig};

use crate::support::{ORDERS, contract, operation, parts};

fn build(contracts: Vec<&'static Contract>) -> Result<(), BuildError> {
    let mut parts = parts(Mesh::new(MeshConfig::default(), Handles::default()));
    parts.contracts = contracts;
    Gateway::default().build(parts).map(drop)
}

#[test]
fn two_operations_with_one_address_are_both_named() {
    static OTHER: Contract = contract(
        "archive",
        false,
        &[operation("archive", "fetch", Verb::Get, "/api/v1/orders/{number}", Access::Public)],
    );
    let error = build(vec![&ORDERS, &OTHER]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "orders.read and archive.fetch are both GET /api/v1/orders/{number}: give one of them another address"
    );
    assert!(matches!(build(vec![&ORDERS, &ORDERS]), Err(BuildError::Duplicate { .. })));
}

#[test]
fn one_address_may_have_methods_of_several_contracts() {
    static OTHER: Contract = contract(
        "archive",
        false,
        &[operation("archive", "drop", Verb::Delete, "/api/v1/orders/{number}", Access::Public)],
    );
    build(vec![&ORDERS, &OTHER]).unwrap();
}

#[test]
fn a_fixed_segment_goes_before_a_parameter() {
    static OTHER: Contract = contract(
        "archive",
        false,
        &[operation("archive", "latest", Verb::Get, "/api/v1/orders/latest", Access::Public)],
    );
    build(vec![&ORDERS, &OTHER]).unwrap();
}

#[test]
fn what_is_no_template_or_the_gateways_own_is_refused() {
    static BROKEN: Contract =
        contract("broken", false, &[operation("broken", "read", Verb::Get, "/a/{id", Access::Public)]);
    static OWN: Contract =
        contract("own", false, &[operation("own", "health", Verb::Post, "/health", Access::Public)]);
    let error = build(vec![&BROKEN]).unwrap_err();
    assert!(
        matches!(&error, BuildError::Template { operation, .. } if operation == "broken.read"),
        "{error}"
    );
    let error = build(vec![&OWN]).unwrap_err();
    assert!(error.to_string().starts_with("own.health is at /health"), "{error}");
}

#[test]
fn settings_are_read_strictly() {
    let read = |text| serde_json::from_str::<Gateway>(text);
    let gateway =
        read(r#"{"listen":"0.0.0.0:80","longest-timeout":"45s","limits":{"first-byte":"1s"}}"#).unwrap();
    assert_eq!(gateway.longest_timeout.as_secs(), 45);
    assert_eq!(gateway.limits.first_byte.as_secs(), 1);
    assert!(read(r#"{"listn":"0.0.0.0:80"}"#).is_err());
    assert!(read(r#"{"limits":{"first_byte":"1s"}}"#).is_err());
    let written = serde_json::to_string(&Gateway::default()).unwrap();
    assert_eq!(read(&written).unwrap(), Gateway::default());
}

#[test]
fn two_services_cannot_have_one_grpc_service() {
    let mut parts = parts(Mesh::new(MeshConfig::default(), Handles::default()));
    parts.grpc = vec![("kitchen.v1.Orders", "orders"), ("kitchen.v1.Orders", "archive")];
    let error = Gateway::default().build(parts).map(drop).unwrap_err();
    assert!(matches!(&error, BuildError::Grpc { name: "kitchen.v1.Orders", .. }), "{error}");
}
