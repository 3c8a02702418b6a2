//! How a sidecar ends: nobody finds it any more, then what is under way is answered, then it is gone.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{App, Beside, eventually, get, listed, registry, status, text, within};

#[tokio::test]
async fn a_drain_withdraws_first_and_answers_what_is_under_way() {
    let (_registry, at) = registry().await;
    let registry = format!("http://{at}");
    let (began, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let other = App::start(|_| async { text("other") });
    let _other = Beside::start("other", other.address, &registry, &[]).await;
    let app = App::start({
        let (began, go) = (Arc::clone(&began), Arc::clone(&go));
        move |_| {
            let (began, go) = (Arc::clone(&began), Arc::clone(&go));
            async move {
                began.notify_one();
                go.notified().await;
                text("late")
            }
        }
    });
    let caller = App::start(|_| async { status(200) });
    let mut beside = Beside::start("product", app.address, &registry, &[]).await;
    let caller = Beside::start("caller", caller.address, &registry, &[]).await;
    eventually("it is there", || async { listed(at, "product").await == 1 }).await;
    let outgoing = caller.outgoing;
    let call = tokio::spawn(async move { get(outgoing, "/product/").await });
    within(began.notified()).await;
    beside.program.terminate().await;
    eventually("it is withdrawn", || async { listed(at, "product").await == 0 }).await;
    eventually("nobody new is let in", || async { TcpStream::connect(beside.inbound).await.is_err() }).await;
    // The program may still call others for what it is about to answer.
    assert_eq!(get(beside.outgoing, "/other/").await.body, "other");
    assert!(!call.is_finished());
    go.notify_one();
    let answer = call.await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "late"));
    assert!(within(beside.program.process.wait()).await.unwrap().success());
}
