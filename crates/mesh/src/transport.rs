//! The last step of a call: to a service in this process, or over HTTP/1.1 to another one.

mod http1;
mod in_process;
mod pool;

use std::fmt;
use std::sync::Arc;

use partie_contract::{Deadline, Platform, Request, Response};

use crate::mesh::TargetState;
use crate::serve::{Peer, Serve};

pub(crate) use self::http1::Http1;

/// The way to one instance of a service.
#[derive(Clone)]
pub(crate) enum Way {
    InProcess(Arc<dyn Serve>),
    Http1(Arc<Http1>),
}

// === impl Way ===

impl Way {
    pub(crate) fn crosses_processes(&self) -> bool {
        matches!(self, Self::Http1(_))
    }

    pub(crate) async fn send(
        self,
        from: Peer,
        request: Request,
        target: &TargetState,
        deadline: Deadline,
    ) -> Result<Response, Platform> {
        match self {
            Self::InProcess(serve) => in_process::send(serve, from, request, target, deadline).await,
            Self::Http1(instance) => instance.send(request).await,
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProcess(_) => f.write_str("in this process"),
            Self::Http1(instance) => write!(f, "http://{}", instance.address()),
        }
    }
}
