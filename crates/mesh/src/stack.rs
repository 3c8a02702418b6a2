//! The road of every call, as a list of steps.

mod attempts;
mod body;
mod bulkhead;
mod circuit;
mod deadline;
mod judge;
mod replay;
mod trace;

use std::time::Duration;

use http::{Method, header};
use partie_contract::{Deadline, Operation, Platform, Request, Response, wire};

use crate::origin::Origin;
use crate::serve::Peer;
use crate::target::{TargetState, Way};
use crate::ticks::Ticks;
use crate::transport;
use crate::upgrade;

pub(crate) use self::attempts::Answer;
pub(crate) use self::body::SMALL;
pub(crate) use self::bulkhead::Bulkhead;
pub(crate) use self::circuit::Circuit;
pub(crate) use self::deadline::late;

/// A mark on a request: making it twice is the same as making it once, although neither its method nor a key says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySafe;

/// A mark on a request: its `Host` goes on as it is, instead of the instance's own address. For instances that are programs
/// with many names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepHost;

/// A mark on a request: where the client of the edge in this process is. Nobody who sends bytes can make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub std::net::IpAddr);

/// A mark on a request: the deadline is for the head of the answer. Its body may take as long as it wants, if something of
/// it comes within this time, again and again. For large bodies on slow ways; gRPC has its own deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moving(pub Duration);

/// A mark on a request: whoever made it tries it again himself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Once;

/// Takes one request to the service and its answer back. It is taken from its place when it is sent: it is large, and the way
/// there is long.
pub(crate) async fn call(
    target: &TargetState,
    from: Peer,
    origin: Option<&Origin>,
    operation: Option<&Operation>,
    request: &mut Request,
    deadline: Deadline,
) -> Result<Response, Platform> {
    // One look at the clock is enough for all that comes before the request leaves.
    let now = Ticks::now();

    // Nobody waits for an answer after the deadline, so nothing is sent then.
    deadline::check(deadline, &target.service, now)?;

    // What belongs to the connection the request came over ends here, and likewise for the answer below.
    upgrade::strip_request(request);
    let upgrades = upgrade::is_asked(request.extensions());
    let moving = request.extensions().get::<Moving>().copied();

    // The call is a span of its own: the service's span becomes its child.
    let chance = trace::next_span(request.headers_mut(), &target.handles.ids);

    // So many calls to one service, no more. The next is rejected at once: waiting here would only hide the queue.
    let permit = target.bulkhead.enter()?;

    // The table may leave the call less time than the caller has.
    let policy = target.config.policy(&target.service, operation);
    let deadline =
        policy.timeout.map_or(deadline, |most| deadline.min(Deadline::counted_from(now.instant(), most)));

    let here = match &**target.way() {
        Way::Here(serve) => Some(std::sync::Arc::clone(serve)),
        Way::There(_) | Way::Nowhere => None,
    };
    let (mut answer, under_way) = match here {
        // In this process there is one instance, and nothing that could be lost on the way to it.
        Some(serve) => {
            deadline::write(deadline, request.headers_mut(), now);
            let sent = transport::send_in_process(serve, from, std::mem::take(request), target, deadline);
            (deadline::bound(deadline, &target.service, sent).await??, None)
        }
        // Over the wire: attempts with their budget, each at an instance of its own choice.
        None => {
            // Between processes the calling service proves itself with its token; within one it is known by type.
            if let Some(token) = origin.and_then(Origin::token) {
                request.headers_mut().insert(wire::SERVICE_TOKEN, token);
            }
            // A service that has failed again and again may be left alone as a whole, if the table says so.
            target.circuit.admit(&target.service, deadline, now)?;
            let answered = attempts::run(target, &policy, request, deadline, chance, now).await;
            target.circuit.record(&target.service, &answered, chance);
            let (answer, under_way) = answered?;
            (answer, Some(under_way))
        }
    };
    upgrade::strip_answer(&mut answer, upgrades)?;

    // The deadline covers the body too, and until its end the call counts for the bulkhead and at the instance; an event
    // stream is free of all that after its head.
    body::cover(answer, deadline, moving, (permit, under_way)).await
}

/// Whether a request only reads, so that dropping it may cancel it.
pub(crate) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether sending it twice is the same as sending it once: by its method, its idempotency key, or because whoever made
/// it said so.
pub(crate) fn is_retry_safe(request: &Request) -> bool {
    let idempotent = is_read(request.method()) || matches!(*request.method(), Method::PUT | Method::DELETE);
    idempotent
        || request.headers().contains_key(wire::IDEMPOTENCY_KEY)
        || request.extensions().get::<RetrySafe>().is_some()
}

/// Whether the answer is an event stream, which lives longer than any deadline.
pub(crate) fn is_event_stream(answer: &Response) -> bool {
    answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(wire::EVENT_STREAM.as_bytes()))
}
