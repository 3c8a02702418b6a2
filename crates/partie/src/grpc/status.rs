//! Statuses and faults: the two ways to say what went wrong with a call.

use std::error::Error;
use std::sync::Arc;

use partie_contract::{BoxError, Platform, grpc};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

/// A fault as a handler's status. Its cause stays here, for the log.
pub fn status(fault: Platform) -> Status {
    let code = Code::from_i32(grpc::status_of(fault.outward_kind()).into());
    let mut fields = http::HeaderMap::new();
    fault.write_grpc_fields(&mut fields);
    let mut status = Status::with_metadata(code, fault.grpc_message(), MetadataMap::from_headers(fields));
    status.set_source(Arc::new(fault));
    status
}

/// The fault a called service's status stands for. What it says about our request is our failure, as over HTTP: see
/// [`Platform::outward_kind`].
#[expect(clippy::needless_pass_by_value, reason = "what a call failed with is not needed again")]
pub fn platform(status: Status) -> Platform {
    let code = u8::try_from(i32::from(status.code())).unwrap_or_default();
    Platform::from_grpc(code, status.message(), status.metadata().as_ref())
}

/// A body that broke off, for tonic: our own fault if there is one in it.
pub(super) fn broken(error: BoxError) -> Status {
    match error.downcast::<Platform>() {
        Ok(fault) => status(*fault),
        Err(error) => Status::from_error(error),
    }
}

/// The fault behind a handler's status, if one of ours is.
pub(super) fn cause(status: &Status) -> Option<&Platform> {
    status.source()?.downcast_ref()
}
