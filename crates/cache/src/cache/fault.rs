//! One fault for all who waited.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use partie_contract::{FaultKind, Origin, Platform};

/// What caused a fault that several callers get.
#[derive(Debug)]
struct Cause(Arc<Platform>);

/// The same fault once more: what clients see of it is copied, and its cause is shared.
pub(super) fn shared(fault: Arc<Platform>) -> Platform {
    let mut copy = match fault.kind() {
        FaultKind::ValidationFailed => Platform::invalid(fault.violations().to_vec()),
        kind => Platform::new(kind),
    };
    if fault.origin() == Origin::Upstream {
        copy = copy.from_upstream();
    }
    if let Some(detail) = fault.detail() {
        copy = copy.with_detail(detail.to_owned());
    }
    if let Some(wait) = fault.retry_after_hint() {
        copy = copy.retry_after(wait);
    }
    if let Some(methods) = fault.allow() {
        copy = copy.with_allow(methods.to_owned());
    }
    if fault.source().is_some() { copy.caused_by(Cause(fault)) } else { copy }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(cause) => fmt::Display::fmt(cause, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source().and_then(Error::source)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use partie_contract::Violation;

    use super::*;

    #[test]
    fn everybody_gets_the_whole_fault() {
        let fault = Platform::new(FaultKind::MethodNotAllowed)
            .with_detail("once")
            .with_allow("GET".to_owned())
            .retry_after(Duration::from_secs(2))
            .from_upstream()
            .caused_by("the disk");
        let copy = shared(Arc::new(fault));
        assert_eq!((copy.kind(), copy.origin()), (FaultKind::MethodNotAllowed, Origin::Upstream));
        assert_eq!((copy.detail(), copy.allow()), (Some("once"), Some("GET")));
        assert_eq!(copy.retry_after_hint(), Some(Duration::from_secs(2)));
        assert_eq!(copy.source().unwrap().to_string(), "the disk");
    }

    #[test]
    fn violations_and_no_cause_stay_what_they_are() {
        let violation = Violation::new("/a", "no");
        let copy = shared(Arc::new(Platform::invalid(vec![violation.clone()])));
        assert_eq!(copy.violations(), [violation]);
        assert!(copy.source().is_none());
    }
}
