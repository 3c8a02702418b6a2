//! What the tests share: signers, and a server that answers as a test wants it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partie_identity::{Algorithm, Grant, Signer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// How long anything here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// A server that knows a few addresses.
#[derive(Clone)]
pub(crate) struct Pages {
    address: SocketAddr,
    pages: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    asked: Arc<AtomicUsize>,
}

impl Pages {
    /// Serves plain HTTP.
    pub(crate) async fn start() -> Self {
        Self::start_with(|stream| Box::pin(async move { Some(Box::new(stream) as Box<dyn Stream>) })).await
    }

    /// Serves whatever comes out of a handshake.
    pub(crate) async fn start_with(
        shake: impl Fn(tokio::net::TcpStream) -> partie_contract::BoxFuture<'static, Option<Box<dyn Stream>>>
        + Send
        + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pages =
            Self { address: listener.local_addr().unwrap(), pages: Arc::default(), asked: Arc::default() };
        let served = pages.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shaken, pages) = (shake(stream), served.clone());
                tokio::spawn(async move {
                    if let Some(stream) = shaken.await {
                        pages.serve(stream).await;
                    }
                });
            }
        });
        pages
    }

    /// Answers there with these bytes, head and all.
    pub(crate) fn raw(&self, path: &str, answer: impl Into<Vec<u8>>) {
        self.pages.lock().unwrap().insert(path.to_owned(), answer.into());
    }

    /// Answers there with that body.
    pub(crate) fn page(&self, path: &str, body: &str) {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        self.raw(path, format!("{head}{body}"));
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn serve(&self, mut stream: Box<dyn Stream>) {
        let (mut read, mut head) = ([0; 1024], Vec::new());
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(more) => head.extend_from_slice(&read[..more]),
            }
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let line = String::from_utf8(head).unwrap();
        let path = line.split(' ').nth(1).unwrap().to_owned();
        let answer = self.pages.lock().unwrap().get(&path).cloned();
        let answer =
            answer.unwrap_or_else(|| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
        // Who asked may have had enough of it.
        if stream.write_all(&answer).await.is_ok() {
            drop(stream.shutdown().await);
        }
    }
}

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub(crate) fn signer(algorithm: Algorithm, issuer: &str) -> Signer {
    Signer::from_pkcs8(&Signer::generate(algorithm).unwrap(), issuer).unwrap()
}

pub(crate) fn grant() -> Grant {
    Grant::new("food", "customer-1", Duration::from_secs(300)).role("customer").session("s-1").client("app")
}
