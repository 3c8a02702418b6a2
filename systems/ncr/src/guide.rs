//! What a newcomer can paste: the request, the tutorial's request, and the factorials behind them.

use std::sync::Arc;

use partie::Running;

/// The requests. They work as they stand; the last needs a tool that speaks gRPC.
pub(crate) async fn requests(running: Arc<Running>) -> Vec<String> {
    let (url, address) = (running.url(), running.address());
    vec![
        format!("curl {url}/api/v1/ncr/52/5"),
        format!("curl {url}/api/ncr/5/2"),
        format!("grpcurl -plaintext -d '{{\"n\": 20}}' {address} math.v1.Factorial/Factorial"),
    ]
}
