//! The Flask example, as its README starts it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::support::{Beside, eventually, free, get, listed, registry, send};

/// The Python that has Flask.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("xtask/flask/bin/python");
    assert!(python.exists(), "Flask is missing: cargo xtask test --only setup installs it");
    python
}

/// One of the two programs, killed with the test.
fn program(name: &str, arguments: &[&str]) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/flask").join(name);
    Command::new(python())
        .arg(script)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn order(at: SocketAddr, body: &str) -> crate::support::Answer {
    send(at, "POST", "/order/api/orders", "Content-Type: application/json\r\n", body).await
}

#[tokio::test]
async fn an_order_finds_its_product_through_two_sidecars() {
    let (_registry, at) = registry().await;
    let registry = format!("http://{at}");
    let (products, orders) = (free(), free());
    let _beside = Beside::start("product", products, &registry, &[]).await;
    let beside = Beside::start("order", orders, &registry, &[]).await;
    let product = program("product.py", &[&products.port().to_string()]);
    let sidecar = format!("http://{}", beside.outgoing);
    let _order = program("order.py", &[&orders.port().to_string(), &sidecar]);
    for service in ["product", "order"] {
        eventually(service, || async { listed(at, service).await == 1 }).await;
    }
    let answer = get(beside.outgoing, "/product/api/products/2").await;
    assert_eq!((answer.status, &answer.json()["name"]), (200, &"Bread knife".into()));

    let answer = order(beside.outgoing, r#"{"product_id": 1, "quantity": 2}"#).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let wanted = serde_json::json!({ "product": "Copper pan", "quantity": 2, "total": 178.0 });
    assert_eq!(answer.json(), wanted);
    let unknown = order(beside.outgoing, r#"{"product_id": 9, "quantity": 2}"#).await;
    assert_eq!(unknown.status, 422, "{unknown:?}");

    // The program behind the other sidecar is restarted, and nobody has to be told.
    drop(product);
    eventually("it is not there", || async { listed(at, "product").await == 0 }).await;
    let _product = program("product.py", &[&products.port().to_string()]);
    eventually("it is back", || async {
        order(beside.outgoing, r#"{"product_id": 2, "quantity": 1}"#).await.status == 201
    })
    .await;
}
