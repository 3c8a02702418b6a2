//! Waiting for the server's answer, never for ever.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::error::{Trouble, error, is_fatal, trouble};
use crate::error::{Error, ErrorKind};

/// Why something that was sent has no answer, or a bad one.
pub(super) enum Failed {
    Said(tokio_postgres::Error),
    TimedOut,
}

pub(super) fn wait<T>(
    runtime: &Runtime,
    patience: Duration,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failed> {
    match runtime.block_on(async { tokio::time::timeout(patience, answer).await }) {
        Ok(answer) => answer.map_err(Failed::Said),
        Err(_) => Err(Failed::TimedOut),
    }
}

// === impl Failed ===

impl Failed {
    pub(super) fn trouble(&self) -> Trouble {
        match self {
            Self::Said(error) => trouble(error),
            Self::TimedOut => Trouble::Lost,
        }
    }

    /// Whether the server has answered, and goes on.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Said(error) if error.as_db_error().is_some_and(|db| !is_fatal(db)))
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Said(source) => error(&source),
            Self::TimedOut => Error::new(ErrorKind::Unavailable).caused_by("the server does not answer"),
        }
    }
}
