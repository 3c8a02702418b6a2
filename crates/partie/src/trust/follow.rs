//! Follows what an issuer takes back: one stream, begun again whenever it breaks off.

use std::time::Duration;

use futures_util::StreamExt as _;
use http::{Request, header};
use partie_contract::{Body, BoxError, EventStream, Platform, Reply as _, wire};
use partie_identity::{RevocationNews, Revocations, ServiceTokens};
use partie_mesh::{MeshService, Target};
use partie_runtime::{Backoff, Ids, Stop};
use tower::Service as _;

/// Where every issuer here tells what it takes back.
const PATH: &str = "/api/v1/auth/revocations/stream";
/// There is news every second, if only that there is none. A stream without it leads nowhere any more.
const SILENT: Duration = Duration::from_secs(4);
/// How long to wait for a service that is not there yet before it is asked all the same.
const APPEARS: Duration = Duration::from_secs(5);
/// How long to wait before it is asked again.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));

/// Takes over what one issuer revokes.
pub(super) struct Follower {
    pub(super) target: Target,
    pub(super) line: MeshService,
    /// Only services of the system may know.
    pub(super) tokens: ServiceTokens,
    pub(super) revocations: Revocations,
    pub(super) ids: Ids,
}

// === impl Follower ===

impl Follower {
    pub(super) async fn run(self, stop: Stop) {
        tokio::select! {
            () = self.follow() => {}
            () = stop.stopped() => {}
        }
    }

    async fn follow(&self) {
        let mut failures = 0_u32;
        loop {
            self.target.known_within(APPEARS).await;
            let heard = self.hear(&mut failures).await;
            failures = failures.saturating_add(1);
            let (service, reason) = (self.target.service(), heard.err().map(|error| error.to_string()));
            tracing::debug!(service, reason, "the stream of revocations broke off");
            if failures == 5 {
                tracing::warn!(
                    service,
                    reason,
                    "revocations are not heard of; they are asked for again and again"
                );
            }
            tokio::time::sleep(AGAIN.after(failures, &self.ids)).await;
        }
    }

    /// One stream, until it breaks off.
    async fn hear(&self, failures: &mut u32) -> Result<(), BoxError> {
        self.revocations.connect();
        let token = format!("Bearer {}", self.tokens.identity().token);
        let request = Request::get(PATH)
            .header(header::AUTHORIZATION, token)
            .header(header::ACCEPT, wire::EVENT_STREAM)
            .body(Body::empty())?;
        let answer = self.line.clone().call(request).await?;
        if answer.status() != http::StatusCode::OK {
            return Err(format!("it answered {}", answer.status()).into());
        }
        let mut stream = EventStream::<RevocationNews>::from_response(answer)?;
        while let Some(news) = tokio::time::timeout(SILENT, stream.next()).await? {
            let news: Result<_, Platform> = news.map(|item| item.data);
            self.revocations.hear(&news?);
            *failures = 0;
        }
        Ok(())
    }
}
