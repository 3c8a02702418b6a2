//! Keyed operations: what a key is compared by, and the answers that are already stored.

use http::HeaderValue;
use partie_contract::{FaultKind, Inbound, Platform, Rendered, Response, wire};
use partie_store::{Claim, Replay, Store};
use ring::digest;

/// Binds the key of a keyed operation to its scope and fingerprint, and looks for a stored answer. Without one the
/// request holds the claim on its key until it is answered.
pub(crate) async fn bind(inbound: &mut Inbound, store: Option<&Store>) -> Result<Replay, Platform> {
    let operation = inbound.operation;
    let new = Replay::New(Claim::default());
    if !operation.keyed {
        // A key nobody asked for must not become one without a scope.
        if inbound.call.key().is_some() {
            inbound.call = inbound.call.clone().without_key();
        }
        return Ok(new);
    }
    if inbound.call.key().is_none() {
        let missing = Platform::new(FaultKind::IdempotencyKeyMissing);
        return if operation.key_optional { Ok(new) } else { Err(missing) };
    }
    if operation.body.is_none() {
        // A retry too is refused what the operation does not take.
        inbound.no_body()?;
    }
    // The principal is part of the scope: nobody meets somebody else's keys.
    let principal = inbound.call.caller().subject().unwrap_or_default();
    let scope = format!("{principal} {} {}", operation.verb.as_str(), operation.path);
    let fingerprint = fingerprint(inbound)?;
    inbound.call = inbound.call.clone().with_bound_key(scope.into(), fingerprint);
    match store {
        Some(store) => store.replay(&inbound.call).await,
        None => Ok(new),
    }
}

/// SHA-256 over path parameters and canonical body: the same request has the same digest, however it is spelled. Where
/// no body is taken, none and an empty object are spellings too.
fn fingerprint(inbound: &Inbound) -> Result<[u8; 32], Platform> {
    let mut digest = digest::Context::new(&digest::SHA256);
    for (name, value) in inbound.params.iter() {
        for part in [name, value] {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
    }
    if inbound.operation.body.is_some() && !inbound.body.is_empty() {
        // Objects are sorted maps here, so writing one out is canonical.
        let body: serde_json::Value = serde_json::from_slice(&inbound.body)
            .map_err(|error| Platform::new(FaultKind::MalformedBody).with_detail(error.to_string()))?;
        let canonical = serde_json::to_vec(&body).map_err(Platform::internal)?;
        digest.update(&canonical);
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest.finish().as_ref());
    Ok(fingerprint)
}

/// A stored answer for the wire.
pub(crate) fn replayed(stored: Rendered) -> Response {
    mark_replayed(stored.into_response())
}

/// Says that the answer is an earlier one.
pub(crate) fn mark_replayed(mut response: Response) -> Response {
    response.headers_mut().insert(wire::IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    response
}
