//! A customer's HTTP: one request on a connection of its own, and how long it took.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::cast::GATEWAY;
use crate::process::{Result, timed};

/// The longest any answer may take: the longest deadline the gateway gives.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// An answer, read whole.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) took: Duration,
}

/// One request to the gateway. A POST has a key, which is `key`.
pub(super) fn ask(method: &str, path: &str, token: &str, key: &str, body: &Value) -> Result<Answer> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {GATEWAY}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
    );
    if !body.is_empty() {
        request += &format!(
            "Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
    }
    let exchange = || -> std::io::Result<String> {
        let mut socket = TcpStream::connect(GATEWAY)?;
        socket.set_read_timeout(Some(LONGEST))?;
        socket.write_all(format!("{request}\r\n{body}").as_bytes())?;
        let mut text = String::new();
        socket.read_to_string(&mut text)?;
        Ok(text)
    };
    let (text, took) = timed(exchange);
    let text = text.map_err(|e| format!("{method} {path}: {e}"))?;
    let (head, body) =
        text.split_once("\r\n\r\n").ok_or_else(|| format!("{method} {path}: half an answer"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Ok(Answer { status, body: serde_json::from_str(body).unwrap_or_default(), took })
}
