//! The road of every call, as a list of steps.

mod body;
mod bulkhead;
mod deadline;
mod trace;

use http::{Method, header};
use partie_contract::{Deadline, Platform, Request, Response, wire};

use crate::hop::strip_hop_by_hop;
use crate::mesh::TargetState;
use crate::origin::Origin;
use crate::serve::Peer;

pub(crate) use self::bulkhead::Bulkhead;
pub(crate) use self::deadline::late;

/// Takes one request to the service and its answer back.
pub(crate) async fn call(
    target: &TargetState,
    from: Peer,
    origin: Option<&Origin>,
    mut request: Request,
    deadline: Deadline,
) -> Result<Response, Platform> {
    // Nobody waits for an answer after the deadline, so nothing is sent then.
    deadline::check(deadline, &target.service)?;

    // What belongs to the connection the request came over ends here, and likewise for the answer below.
    strip_hop_by_hop(request.headers_mut());

    // The call is a span of its own: the service's span becomes its child.
    trace::next_span(request.headers_mut(), &target.handles.ids);

    // So many calls to one service, no more. The next is rejected at once: waiting here would only hide the queue.
    let permit = target.bulkhead.enter()?;

    // Retries with their budget, the timeout of one attempt, the choice of an instance and its breaker come here, in
    // this order, with discovery: until then a service has one way, and only the transport repeats, and only what
    // a stale connection swallowed.
    let way = target.way()?;

    // Between processes the calling service proves itself with its token; within one it is known by type.
    if let Some(token) = origin.filter(|_| way.crosses_processes()).and_then(Origin::token) {
        request.headers_mut().insert(wire::SERVICE_TOKEN, token);
    }

    // What is left of the deadline goes along, measured as late as possible. It is never extended.
    deadline::write(deadline, request.headers_mut());

    // The answer's head, in this process or over the wire.
    let sent = way.send(from, request, target, deadline);
    let mut answer = deadline::bound(deadline, &target.service, sent).await??;
    strip_hop_by_hop(answer.headers_mut());

    // The deadline and the bulkhead cover the body too; an event stream is free of both after its head.
    body::cover(answer, deadline, permit).await
}

/// Whether a request only reads, so that dropping it may cancel it.
pub(crate) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether sending it twice is the same as sending it once: by its method, or by its idempotency key.
pub(crate) fn is_retry_safe(request: &Request) -> bool {
    let keyed = request.headers().contains_key(wire::IDEMPOTENCY_KEY);
    matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
        || keyed
}

/// Whether the answer is an event stream, which lives longer than any deadline.
pub(crate) fn is_event_stream(answer: &Response) -> bool {
    answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(wire::EVENT_STREAM.as_bytes()))
}
