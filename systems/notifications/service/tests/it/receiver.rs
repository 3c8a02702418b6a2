//! An endpoint of webhooks that answers as it is told, and notes what it gets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Listens on this machine until it is dropped.
pub(crate) struct Receiver {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

// === impl Receiver ===

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/in?from=food", listener.local_addr().unwrap().port());
        let (received, answers) = <(Arc<Mutex<_>>, Arc<Mutex<Vec<String>>>)>::default();
        let (all, next) = (Arc::clone(&received), Arc::clone(&answers));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let answer = || {
                    let mut next = next.lock().unwrap();
                    if next.is_empty() {
                        "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
                    } else {
                        next.remove(0)
                    }
                };
                serve(stream, &all, answer).await;
            }
        });
        Self { url, received, answers, task }
    }

    /// Answers the next request like this, byte by byte; nothing is a connection that closes.
    pub(crate) fn answer(&self, answer: impl Into<String>) {
        self.answers.lock().unwrap().push(answer.into());
    }

    /// Answers the next request with that status.
    pub(crate) fn refuse(&self, status: &str) {
        self.answer(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"));
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, received: &Mutex<Vec<Received>>, answer: impl Fn() -> String) {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let pairs = lines[1..].iter().map(|line| line.split_once(": ").unwrap());
    let headers: BTreeMap<_, _> =
        pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let body = String::from_utf8(body).unwrap();
    received.lock().unwrap().push(Received { line: lines.remove(0), headers, body });
    // Whoever has seen enough has gone.
    stream.write_all(answer().as_bytes()).await.ok();
}
