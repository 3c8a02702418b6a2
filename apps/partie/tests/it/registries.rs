//! Sidecars that meet elsewhere than at our own registry.

use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::support::{App, Beside, eventually, free, get, status, text};

/// A real etcd, killed with the test.
fn etcd() -> (Child, String) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sidecar-etcd");
    // It may not be there.
    std::fs::remove_dir_all(&dir).ok();
    let (clients, peers) = (free(), free());
    let (at, among) = (format!("http://{clients}"), format!("http://{peers}"));
    let process = Command::new("etcd")
        .arg("--data-dir")
        .arg(dir)
        .args(["--listen-client-urls", &at, "--advertise-client-urls", &at])
        .args(["--listen-peer-urls", &among, "--initial-advertise-peer-urls", &among])
        .args(["--initial-cluster", &format!("default={among}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let process = process.unwrap_or_else(|error| {
        panic!("etcd is missing ({error}): cargo xtask test --only setup installs it")
    });
    (process, format!("etcd://{clients}"))
}

#[tokio::test]
async fn sidecars_find_each_other_in_etcd_and_in_a_list() {
    let (_etcd, etcd) = etcd();
    let inbound = free();
    let list = format!("static:product={inbound}");
    for registry in [etcd, list] {
        let product = App::start(|_| async { text("product") });
        let at = inbound.to_string();
        let mut beside = Beside::start("product", product.address, &registry, &["--inbound", &at]).await;
        assert_eq!(beside.inbound, inbound);
        let caller = App::start(|_| async { status(204) });
        let caller = Beside::start("caller", caller.address, &registry, &[]).await;
        caller.reaches("product").await;
        assert_eq!(get(caller.outgoing, "/product/").await.body, "product");
        assert_eq!(get(caller.outgoing, "/nobody/").await.status, 404, "{registry}");
        beside.program.terminate().await;
        assert!(crate::support::within(beside.program.process.wait()).await.unwrap().success());
        eventually("its port is free", || async { std::net::TcpListener::bind(inbound).is_ok() }).await;
    }
}
