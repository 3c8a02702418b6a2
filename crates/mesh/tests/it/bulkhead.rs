//! The bound on what is under way to one service.

use std::sync::{Arc, Mutex};

use partie_contract::{Deadline, FaultKind, Platform, Request, Response};
use partie_mesh::{Handles, Mesh, MeshConfig, Peer};
use tokio::sync::{Notify, mpsc};

use crate::support::{FOREVER, fake, piecewise, text, within};

async fn call(mesh: Mesh) -> Result<Response, Platform> {
    mesh.forward("orders", Peer::InProcess("test".into()), Request::default(), Deadline::after(FOREVER)).await
}

#[tokio::test]
async fn one_call_too_many_is_rejected_at_once() {
    let (begin, mut began) = mpsc::channel(4);
    let sign = Arc::new(Notify::new());
    let mesh = Mesh::new(MeshConfig { in_flight: 2, ..MeshConfig::default() }, Handles::default());
    mesh.attach("orders", {
        let sign = Arc::clone(&sign);
        fake(move |_, _| {
            let (begin, sign) = (begin.clone(), Arc::clone(&sign));
            async move {
                begin.send(()).await.unwrap();
                sign.notified().await;
                text("")
            }
        })
    });
    mesh.attach("menu", fake(|_, _| async { text("") }));
    let (first, second) = (tokio::spawn(call(mesh.clone())), tokio::spawn(call(mesh.clone())));
    for _ in 0..2 {
        within(began.recv()).await.unwrap();
    }
    // Polled once: there is nothing to wait for.
    let third = futures_util::FutureExt::now_or_never(call(mesh.clone())).unwrap().unwrap_err();
    assert_eq!(third.kind(), FaultKind::Overloaded);
    let other =
        mesh.forward("menu", Peer::InProcess("test".into()), Request::default(), Deadline::after(FOREVER));
    other.await.expect("another service is not affected");
    for call in [first, second] {
        sign.notify_one();
        within(call).await.unwrap().unwrap();
    }
    sign.notify_one();
    within(call(mesh)).await.expect("the places are free again");
}

#[tokio::test]
async fn a_body_keeps_its_place_until_it_ends() {
    let (pieces, body) = piecewise();
    let body = Mutex::new(Some(body));
    let mesh = Mesh::new(MeshConfig { in_flight: 1, ..MeshConfig::default() }, Handles::default());
    mesh.attach(
        "orders",
        fake(move |_, _| {
            let body = body.lock().unwrap().take().unwrap_or_default();
            async { Response::new(body) }
        }),
    );
    let answer = call(mesh.clone()).await.unwrap();
    assert_eq!(call(mesh.clone()).await.unwrap_err().kind(), FaultKind::Overloaded);
    pieces.send("end".into()).await.unwrap();
    drop(pieces);
    assert_eq!(answer.into_body().collect(10).await.unwrap(), "end");
    call(mesh).await.unwrap();
}
