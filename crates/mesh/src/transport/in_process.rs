//! To a service in this process: the same request and answer as over the wire, without a wire.

use std::sync::Arc;

use partie_contract::{Deadline, FaultKind, Platform, Request, Response};

use crate::dispatch::{About, dispatch};
use crate::limited::Limit;
use crate::serve::{Peer, Serve};
use crate::stack::late;
use crate::target::TargetState;

pub(crate) async fn send(
    serve: Arc<dyn Serve>,
    from: Peer,
    request: Request,
    target: &TargetState,
    deadline: Deadline,
) -> Result<Response, Platform> {
    let about = About::of(&request);
    let sent = dispatch(serve, from, request, Limit::At(deadline), &target.handles, &about).await;
    sent.map_err(|fault| match fault.kind() {
        FaultKind::UpstreamTimeout => late(&target.service),
        _ => fault,
    })
}
