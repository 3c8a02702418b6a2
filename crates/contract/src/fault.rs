//! What a call gives back: a value, the contract's own problem, or a fault of the platform.

use std::error::Error;
use std::fmt;

use crate::platform::{BoxError, FaultKind, Platform};
use crate::problem::{NoProblem, Problem};

/// The result of every operation.
pub type Outcome<T, E = NoProblem> = Result<T, Fault<E>>;

/// Why there is no value.
#[derive(Debug)]
pub enum Fault<E> {
    /// A documented answer of the contract.
    Domain(E),
    /// Anything else.
    Platform(Platform),
}

/// The erased error of event handlers, timers and sagas: the work was not done and is tried again.
pub struct Abort(Box<AbortInner>);

enum AbortInner {
    Platform(Platform),
    Domain { code: &'static str, error: BoxError },
}

/// Another contract's fault on its way into this one's. Made by [`OutcomeExt::lift`].
#[derive(Debug)]
pub struct Foreign<E>(Fault<E>);

/// Ways to handle the outcome of a call to another contract.
pub trait OutcomeExt<T, E>: Sized {
    /// Splits the contract's answers from platform faults, so that `?` passes on only the latter:
    /// `match restaurants.menu(cx, id).await.split()? { Ok(menu) => .., Err(RestaurantError::Closed { .. }) => .. }`
    ///
    /// # Errors
    /// The platform fault.
    fn split(self) -> Result<Result<T, E>, Platform>;

    /// Tells a service that cannot be asked now from all other answers: `None` when it could not be reached, was too slow
    /// or had too much to do. What follows then is the caller's to say: a value it has, or the same work as a job that is
    /// done when the service is back.
    ///
    /// # Errors
    /// Any other platform fault.
    fn available(self) -> Result<Option<Result<T, E>>, Platform>;

    /// Treats every domain answer as a failure of the called service (502).
    ///
    /// # Errors
    /// The platform fault, or [`FaultKind::UpstreamFailed`] with the domain answer as its cause.
    fn unexpected(self) -> Result<T, Platform>
    where
        E: Problem;

    /// Lets `?` convert the other contract's problem by `From`.
    ///
    /// # Errors
    /// The fault, ready for `?`.
    fn lift(self) -> Result<T, Foreign<E>>;

    /// Maps the domain answer.
    ///
    /// # Errors
    /// The mapped answer, or the platform fault unchanged.
    fn map_domain<F>(self, map: impl FnOnce(E) -> F) -> Outcome<T, F>;
}

impl<T, E> OutcomeExt<T, E> for Outcome<T, E> {
    fn split(self) -> Result<Result<T, E>, Platform> {
        match self {
            Ok(value) => Ok(Ok(value)),
            Err(Fault::Domain(error)) => Ok(Err(error)),
            Err(Fault::Platform(fault)) => Err(fault),
        }
    }

    fn available(self) -> Result<Option<Result<T, E>>, Platform> {
        match self.split() {
            Ok(answer) => Ok(Some(answer)),
            Err(fault) if fault.kind().is_absence() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn unexpected(self) -> Result<T, Platform>
    where
        E: Problem,
    {
        self.map_err(|fault| match fault {
            Fault::Domain(error) => Platform::new(FaultKind::UpstreamFailed)
                .caused_by(format!("unexpected answer {}: {error:?}", error.kind().code)),
            Fault::Platform(fault) => fault,
        })
    }

    fn lift(self) -> Result<T, Foreign<E>> {
        self.map_err(Foreign)
    }

    fn map_domain<F>(self, map: impl FnOnce(E) -> F) -> Outcome<T, F> {
        self.map_err(|fault| match fault {
            Fault::Domain(error) => Fault::Domain(map(error)),
            Fault::Platform(fault) => Fault::Platform(fault),
        })
    }
}

// === The conversions. All of them; see docs/decisions. Never add `From<Fault<X>> for Fault<Y>`: it would take away
// the inference that lets a closure's error type go unwritten. tests/ui/pass/closure_needs_no_annotation.rs guards it. ===

impl<E: Problem> From<E> for Fault<E> {
    fn from(error: E) -> Self {
        Self::Domain(error)
    }
}

impl<E> From<Platform> for Fault<E> {
    fn from(fault: Platform) -> Self {
        Self::Platform(fault)
    }
}

impl<E: From<E2>, E2> From<Foreign<E2>> for Fault<E> {
    fn from(foreign: Foreign<E2>) -> Self {
        match foreign.0 {
            Fault::Domain(error) => Self::Domain(error.into()),
            Fault::Platform(fault) => Self::Platform(fault),
        }
    }
}

impl<E> From<Abort> for Fault<E> {
    fn from(abort: Abort) -> Self {
        Self::Platform(abort.into_platform())
    }
}

impl From<Platform> for Abort {
    fn from(fault: Platform) -> Self {
        Self(Box::new(AbortInner::Platform(fault)))
    }
}

impl<E: Problem> From<E> for Abort {
    fn from(error: E) -> Self {
        let code = error.kind().code;
        Self(Box::new(AbortInner::Domain { code, error: format!("{error:?}").into() }))
    }
}

impl<E: Problem> From<Fault<E>> for Abort {
    fn from(fault: Fault<E>) -> Self {
        match fault {
            Fault::Domain(error) => error.into(),
            Fault::Platform(fault) => fault.into(),
        }
    }
}

// === impl Fault ===

impl<E: Problem> Fault<E> {
    /// The stable code, whichever side it is of.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Domain(error) => error.kind().code,
            Self::Platform(fault) => fault.kind().code(),
        }
    }

    /// The HTTP status it becomes.
    pub fn status(&self) -> u16 {
        match self {
            Self::Domain(error) => error.kind().status,
            Self::Platform(fault) => fault.outward_kind().status(),
        }
    }
}

impl<E: Problem> fmt::Display for Fault<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(error) => f.write_str(error.kind().code),
            Self::Platform(fault) => fault.fmt(f),
        }
    }
}

impl<E: Problem> Error for Fault<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Domain(_) => None,
            Self::Platform(fault) => fault.source(),
        }
    }
}

// === impl Abort ===

impl Abort {
    /// Work that cannot be done, for a reason nobody has to match on.
    pub fn because(reason: impl Into<BoxError>) -> Self {
        Platform::internal(reason).into()
    }

    /// The stable code of the cause.
    pub fn code(&self) -> &'static str {
        match &*self.0 {
            AbortInner::Platform(fault) => fault.kind().code(),
            AbortInner::Domain { code, .. } => code,
        }
    }

    /// As a platform fault: a domain problem nobody handled is internal.
    pub fn into_platform(self) -> Platform {
        match *self.0 {
            AbortInner::Platform(fault) => fault,
            AbortInner::Domain { error, .. } => Platform::internal(error),
        }
    }
}

impl fmt::Debug for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            AbortInner::Platform(fault) => fault.fmt(f),
            AbortInner::Domain { code, error } => write!(f, "Abort({code}: {error})"),
        }
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            AbortInner::Platform(fault) => match fault.source() {
                Some(source) => write!(f, "{fault}: {source}"),
                None => fault.fmt(f),
            },
            AbortInner::Domain { error, .. } => error.fmt(f),
        }
    }
}
