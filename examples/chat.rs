//! A WebSocket in a service: plain axum. `cargo run -p examples --bin chat`, then open ws://127.0.0.1:8080/chat/kitchen more
//! than once: what one says all hear.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use axum::extract::{Path, State, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use partie::Service;
use tokio::sync::broadcast::{self, Sender, error::RecvError};

/// Who is behind may miss what was said longer ago.
const REMEMBERED: usize = 100;
/// The longest message, in bytes.
const LONGEST: usize = 4 << 10;

/// Who listens where.
type Rooms = Arc<Mutex<HashMap<String, Sender<Utf8Bytes>>>>;

async fn enter(State(rooms): State<Rooms>, Path(name): Path<String>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(LONGEST).on_upgrade(async move |socket| {
        let room = {
            let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
            rooms.retain(|_, room| room.receiver_count() > 0);
            rooms.entry(name).or_insert_with(|| broadcast::channel(REMEMBERED).0).clone()
        };
        talk(socket, room).await;
    })
}

/// Until one side has had enough, or the service goes.
async fn talk(mut socket: WebSocket, room: Sender<Utf8Bytes>) {
    let mut heard = room.subscribe();
    loop {
        tokio::select! {
            said = socket.recv() => match said {
                // Somebody hears it: we do.
                Some(Ok(Message::Text(text))) => _ = room.send(text).ok(),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            text = heard.recv() => match text {
                Ok(text) => if socket.send(Message::Text(text)).await.is_err() { return },
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

fn main() -> ExitCode {
    Service::new("chat")
        .router(|_| Router::new().route("/chat/{room}", any(enter)).with_state(Rooms::default()))
        .main()
}
