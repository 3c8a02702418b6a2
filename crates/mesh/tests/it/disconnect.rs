//! Clients that go away: reads end with them, everything else goes on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use partie_contract::{Deadline, Request};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig, Peer, Serve};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::support::{FOREVER, OnDrop, Server, fake, text, within};

/// A handler that tells when it began, waits for a sign, and tells when it ended or was dropped.
struct Waiting {
    serve: Arc<dyn Serve>,
    began: mpsc::Receiver<()>,
    sign: Arc<Notify>,
    finished: mpsc::Receiver<()>,
    dropped: oneshot::Receiver<()>,
}

fn waiting() -> Waiting {
    let (begin, began) = mpsc::channel(1);
    let (finish, finished) = mpsc::channel(1);
    let (guard, dropped) = OnDrop::new();
    let (guard, sign) = (Mutex::new(Some(guard)), Arc::new(Notify::new()));
    let serve = fake({
        let sign = Arc::clone(&sign);
        move |_, _| {
            let guard = guard.lock().unwrap().take();
            let (begin, finish, sign) = (begin.clone(), finish.clone(), Arc::clone(&sign));
            async move {
                let _guard = guard;
                begin.send(()).await.unwrap();
                sign.notified().await;
                finish.send(()).await.unwrap();
                text("")
            }
        }
    });
    Waiting { serve, began, sign, finished, dropped }
}

#[tokio::test]
async fn a_read_ends_with_its_client() {
    let mut waiting = waiting();
    let server = Server::start(Limits::default(), waiting.serve);
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    within(waiting.began.recv()).await.unwrap();
    assert!(!server.handles.activity.is_quiet());
    drop(client);
    within(waiting.dropped).await.unwrap();
    within(server.handles.activity.quiet()).await;
    assert!(waiting.finished.try_recv().is_err());
    server.stopped().await;
}

#[tokio::test]
async fn a_write_runs_to_its_end_and_counts_as_work_until_then() {
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let mut waiting = waiting();
        let server = Server::start(Limits::default(), waiting.serve);
        let mut client = server.connect().await;
        client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        within(waiting.began.recv()).await.unwrap();
        drop(client);
        // The next connection is served after the listener has seen the end of the first one.
        drop(server.connect().await);
        assert_eq!(server.handles.detached.running(), 1, "{method}");
        assert!(!server.handles.activity.is_quiet());
        waiting.sign.notify_one();
        within(waiting.finished.recv()).await.unwrap();
        within(server.handles.activity.quiet()).await;
        server.stopped().await;
    }
}

#[tokio::test]
async fn a_drain_waits_for_a_write_whose_client_is_gone() {
    let mut waiting = waiting();
    let server = Server::start(Limits { lame_duck: Duration::ZERO, ..Limits::default() }, waiting.serve);
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    within(waiting.began.recv()).await.unwrap();
    drop(client);
    let sign = Arc::clone(&waiting.sign);
    let stop = server.stop.clone();
    tokio::spawn(async move {
        stop.stopped().await;
        sign.notify_one();
    });
    server.stopped().await;
    waiting.finished.try_recv().expect("it finished before the listener ended");
}

#[tokio::test]
async fn within_a_process_it_is_the_same() {
    for (method, runs_on) in [(Method::GET, false), (Method::POST, true)] {
        let mut waiting = waiting();
        let mesh = Mesh::new(MeshConfig::default(), Handles::default());
        mesh.attach("orders", waiting.serve);
        let mut request = Request::default();
        *request.method_mut() = method;
        let (began, mesh_of_call) = (&mut waiting.began, mesh.clone());
        let call = tokio::spawn(async move {
            let from = Peer::InProcess("test".into());
            mesh_of_call.forward("orders", from, request, Deadline::after(FOREVER)).await
        });
        within(began.recv()).await.unwrap();
        call.abort();
        call.await.unwrap_err();
        let activity = &mesh.handles().activity;
        assert_eq!(activity.is_quiet(), !runs_on);
        waiting.sign.notify_one();
        within(waiting.dropped).await.unwrap();
        assert_eq!(waiting.finished.try_recv().is_ok(), runs_on);
        within(activity.quiet()).await;
    }
}

#[tokio::test]
async fn between_processes_it_is_the_same() {
    for (method, runs_on) in [(Method::GET, false), (Method::PUT, true)] {
        let mut waiting = waiting();
        let server = Server::start(Limits::default(), waiting.serve);
        let mesh = Mesh::new(MeshConfig::default(), Handles::default());
        mesh.connect("orders", server.address);
        let mut request = Request::default();
        *request.method_mut() = method;
        let call = tokio::spawn(async move {
            let from = Peer::InProcess("test".into());
            mesh.forward("orders", from, request, Deadline::after(FOREVER)).await
        });
        within(waiting.began.recv()).await.unwrap();
        call.abort();
        call.await.unwrap_err();
        if runs_on {
            waiting.sign.notify_one();
        }
        within(waiting.dropped).await.unwrap();
        assert_eq!(waiting.finished.try_recv().is_ok(), runs_on);
        server.stopped().await;
    }
}

#[tokio::test]
async fn a_write_ends_at_its_deadline() {
    let mut waiting = waiting();
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.attach("orders", waiting.serve);
    let mut request = Request::default();
    *request.method_mut() = Method::POST;
    let deadline = Deadline::after(Duration::from_millis(50));
    let fault = mesh.forward("orders", Peer::InProcess("test".into()), request, deadline).await;
    drop(fault);
    within(waiting.dropped).await.unwrap();
    assert!(waiting.finished.try_recv().is_err());
}
