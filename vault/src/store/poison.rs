//! The end of a store's life: the first engine error, seen by the commit thread or by a reader. From then on nothing is
//! committed, and whoever owns the process is told to start it anew.

use std::sync::Arc;

use tokio::sync::watch;

use super::engine::EngineError;

/// The first engine error, if there was one. Clones share it.
#[derive(Clone)]
pub(super) struct Poison(Arc<watch::Sender<Option<EngineError>>>);

impl Poison {
    pub(super) fn none() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Remembers the error if it ends the store and there was none before, and gives it back.
    pub(super) fn set(&self, error: EngineError) -> EngineError {
        if !error.ends_the_store() {
            return error;
        }
        self.0.send_if_modified(|poison| {
            let first = poison.is_none();
            if first {
                tracing::error!(%error, "the store failed and takes no more commits");
                *poison = Some(error.clone());
            }
            first
        });
        error
    }

    /// The error that ended the store's life.
    pub(super) fn cause(&self) -> Option<EngineError> {
        self.0.borrow().clone()
    }

    /// Waits for that error.
    pub(super) async fn wait(&self) -> EngineError {
        let mut poison = self.0.subscribe();
        loop {
            if let Some(error) = poison.borrow_and_update().clone() {
                return error;
            }
            if poison.changed().await.is_err() {
                // Cannot be: `self` holds the sender.
                std::future::pending::<()>().await;
            }
        }
    }
}
