//! What the store's refusals and failures are to a request.

use crate::error::Error;
use crate::store::{CommitError, TxnError};

impl From<TxnError> for Error {
    fn from(error: TxnError) -> Self {
        match error {
            TxnError::Engine(error) => Self::Store(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Busy => Self::Busy,
            CommitError::LowSpace => Self::NoSpace,
            CommitError::Behind(why) => Self::Corrupt(why),
            CommitError::Refused(error) => error.into(),
            CommitError::Panicked => Self::Internal("a transaction panicked".to_owned()),
            CommitError::Poisoned(_)
            | CommitError::Closed
            | CommitError::Failed(_)
            | CommitError::Stalled
            | CommitError::Unavailable(_) => Self::Store(error.to_string()),
        }
    }
}
