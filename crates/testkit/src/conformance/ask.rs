//! One request of the walk, to be changed and sent.

use std::net::SocketAddr;

use crate::plain::{Answer, Http, HttpRequest, Open};

/// A request, every part of it open to change.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) address: SocketAddr,
    pub(crate) is_stream: bool,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) chunked: bool,
    pub(crate) accept: Option<&'static str>,
    pub(crate) token: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) if_match: Option<String>,
}

// === impl Ask ===

impl Ask {
    /// The same request with another body.
    pub(crate) fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.content_type.get_or_insert("application/json");
        self
    }

    /// The same request with that at the end of its query.
    pub(crate) fn with_query(mut self, pair: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(pair);
        self
    }

    /// The answer. Of a stream that is there only the head is waited for.
    pub(crate) async fn send(&self) -> Result<Answer, String> {
        let open = self.open().await?;
        if self.is_stream && open.status < 300 {
            return Ok(Answer { status: open.status, headers: open.headers, body: Default::default() });
        }
        open.collect().await.map_err(|error| format!("the answer broke off: {error}"))
    }

    pub(crate) async fn open(&self) -> Result<Open, String> {
        self.request().open().await.map_err(|error| format!("no answer: {error}"))
    }

    fn request(&self) -> HttpRequest {
        let target = match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        };
        let mut request = Http::new(self.address).request(self.method, target);
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        for (name, value) in [
            ("authorization", bearer.as_deref()),
            ("idempotency-key", self.key.as_deref()),
            ("if-match", self.if_match.as_deref()),
            ("content-type", self.content_type),
            ("accept", self.accept),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        match &self.body {
            Some(body) if self.chunked => request.body(body.clone()).chunked(),
            Some(body) => request.body(body.clone()),
            None if matches!(self.method, "POST" | "PUT" | "PATCH") => request.body(Vec::new()),
            None => request,
        }
    }
}

/// Everything but unreserved characters escaped (RFC 3986 section 2.3).
pub(crate) fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
