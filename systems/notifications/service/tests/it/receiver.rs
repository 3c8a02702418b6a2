//! An endpoint of webhooks that answers as it is told, and notes what it gets.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

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
        Self::listen(None).await
    }

    /// One that speaks TLS, with what is in that directory.
    pub(crate) async fn start_tls(certificates: &Path) -> Self {
        let chain = CertificateDer::from_pem_file(certificates.join("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(certificates.join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        Self::listen(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}/in?from=food", listener.local_addr().unwrap().port());
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
                match &tls {
                    // Whoever does not believe the certificate has gone.
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => serve(stream, &all, answer).await,
                        Err(_) => continue,
                    },
                    None => serve(stream, &all, answer).await,
                }
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

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    received: &Mutex<Vec<Received>>,
    answer: impl Fn() -> String,
) {
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
