//! Whether the process is about to end: requests that wait for something to happen then wait no longer.

use std::sync::Arc;

use tokio::sync::watch;

/// The end of the process, as those who wait see it. Clones are handles to the same one.
#[derive(Clone)]
pub struct Ending(Arc<watch::Sender<bool>>);

impl Default for Ending {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Ending {
    /// The process is about to end.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is.
    pub async fn begins(&self) {
        let mut begun = self.0.subscribe();
        // The sender is `self`: it is there.
        let _ = begun.wait_for(|begun| *begun).await;
    }

    /// Begins the end on the first SIGTERM or SIGINT; the listener hears them too. Never returns.
    ///
    /// # Errors
    /// The signals cannot be heard.
    pub async fn on_signal(&self) -> std::io::Error {
        use tokio::signal::unix::{SignalKind, signal};
        let both =
            signal(SignalKind::terminate()).and_then(|first| Ok((first, signal(SignalKind::interrupt())?)));
        let (mut terminate, mut interrupt) = match both {
            Ok(both) => both,
            Err(error) => return error,
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        self.begin();
        std::future::pending().await
    }
}
