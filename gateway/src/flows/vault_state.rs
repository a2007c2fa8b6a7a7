//! Whether the vault can be worked with, for readiness: asked at most once a second, whoever asks us.

use arc_swap::ArcSwapOption;
use shared::vault_api::governance::LockState;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

use crate::services::Services;

/// How long an answer stands.
const FRESH_FOR: Duration = Duration::seconds(1);

/// What the vault was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultState {
    /// Serving.
    Ready,
    /// Waiting for its officers.
    Locked,
    /// Not answering.
    Unreachable,
}

/// The last look.
#[derive(Default)]
pub struct VaultStateCache(ArcSwapOption<(VaultState, OffsetDateTime)>);

/// Looks, or says what was seen within the last second.
pub async fn vault_state(services: &Services) -> VaultState {
    let now = services.now();
    if let Some(seen) = services.vault_state.0.load_full().filter(|seen| now < seen.1) {
        return seen.0;
    }
    let state = match services.vault.status().await {
        Ok(status) if status.state == LockState::Unlocked => VaultState::Ready,
        Ok(_) => VaultState::Locked,
        Err(_) => VaultState::Unreachable,
    };
    services
        .vault_state
        .0
        .store(Some(Arc::new((state, services.now() + FRESH_FOR))));
    state
}
