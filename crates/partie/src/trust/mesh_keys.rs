//! The keys of a service of the system, asked for through the mesh: wherever it runs, and without its address.

use std::sync::Arc;

use partie_contract::{Body, BoxError, BoxFuture};
use partie_identity::{FetchError, KeySource, LARGEST_DOCUMENT};
use partie_mesh::MeshService;
use serde_json::Value;
use tower::Service as _;

/// Where every issuer here has its keys.
const PATH: &str = "/.well-known/jwks.json";

pub(super) struct MeshKeys(MeshService);

// === impl MeshKeys ===

impl MeshKeys {
    pub(super) fn shared(line: MeshService) -> Arc<dyn KeySource> {
        Arc::new(Self(line))
    }

    async fn keys(&self) -> Result<Value, FetchError> {
        let unreachable = |reason: BoxError| FetchError::Unreachable { place: self.place(), reason };
        let request = http::Request::get(PATH).body(Body::empty());
        let request = request.map_err(|error| unreachable(error.into()))?;
        let answer = self.0.clone().call(request).await.map_err(|fault| unreachable(fault.into()))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(FetchError::Status { place: self.place(), status });
        }
        let body = answer.into_body().collect(LARGEST_DOCUMENT).await;
        let body = body.map_err(|fault| unreachable(fault.into()))?;
        serde_json::from_slice(&body)
            .map_err(|error| FetchError::Unusable { place: self.place(), reason: error.into() })
    }
}

impl KeySource for MeshKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<Value, FetchError>> {
        Box::pin(self.keys())
    }

    fn place(&self) -> String {
        format!("the service {}", self.0.target().service())
    }
}
