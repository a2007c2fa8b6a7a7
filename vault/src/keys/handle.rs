//! The keyring in force. Rotations exchange it while requests run: who needs keys takes the current ring for one
//! operation, and what was sealed under the ring before still opens with the next.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::keyring::Keyring;

/// Follows the keyring in force. Clones follow the same one.
#[derive(Clone, Debug)]
pub struct Keys(Arc<ArcSwap<Keyring>>);

impl Keys {
    /// Begins with this keyring.
    #[must_use]
    pub fn new(keyring: Keyring) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(keyring)))
    }

    /// The keyring in force now.
    #[must_use]
    pub fn current(&self) -> Arc<Keyring> {
        self.0.load_full()
    }

    /// Puts another keyring in force.
    pub fn replace(&self, keyring: Keyring) {
        self.0.store(Arc::new(keyring));
    }
}
