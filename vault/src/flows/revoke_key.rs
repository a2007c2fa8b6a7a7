//! Revoke a holder key. The gateway may ask for it on its own: it only takes away.

use std::sync::Arc;

use shared::ids::HolderToken;
use shared::thumbprint::Thumbprint;
use shared::vault_api::holders::{EnrolledKey as EnrolledKeyAnswer, KeyState};

use super::pending_keys;
use crate::audit::event::Event;
use crate::domain::holder::{Acceptance, EnrolledKey};
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};

/// Revokes a key; one that is revoked already stays so.
///
/// # Errors
/// Unknown holder or key.
pub async fn revoke_key(
    vault: &Arc<OpenVault>,
    mut event: Event,
    token: HolderToken,
    thumbprint: Thumbprint,
) -> Result<EnrolledKeyAnswer, Error> {
    let holder = vault.holder(&token)?.record;
    event.program = Some(holder.program);
    event.note = Some(thumbprint.to_string());
    let keys = vault.readable_keys(&token)?;
    let known = keys
        .into_iter()
        .find(|key| key.key.thumbprint() == thumbprint)
        .ok_or(Error::NotFound("key"))?;
    let key = known.key();
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        let mut enrolled: EnrolledKey = tx.get(&key)?.ok_or(Error::NotFound("key"))?;
        enrolled.acceptance = Acceptance::Revoked;
        pending_keys::forget(tx, &enrolled.holder, &thumbprint)?;
        tx.put(&enrolled)
    };
    vault.commit(event, work).await?;
    Ok(EnrolledKeyAnswer {
        thumbprint,
        state: KeyState::Revoked,
        matures_at: None,
        vault_proof: None,
    })
}
