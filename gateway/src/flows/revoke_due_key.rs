//! Has the vault revoke the key of an installation that is not in use any more. Asked for by the request that revoked it, and
//! again by the job until the vault has answered.

use shared::ids::IdempotencyKey;
use shared::vault_api::holders::RevokeKey;
use shared::vault_api::{Actor, Channel};

use crate::clients::vault::VaultError;
use crate::error::Error;
use crate::services::Services;
use crate::store::installations::{self, DueKey};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The vault has revoked the key.
    Done,
    /// The device was paired with it again since it was found.
    NotDue,
    /// The vault does not know the key, or the like: the log says more.
    Impossible,
}

/// Revokes a key.
///
/// # Errors
/// When the vault or the database is away.
pub async fn revoke_due_key(services: &Services, due: &DueKey) -> Result<Revocation, Error> {
    if !is_due(services, due).await? {
        return Ok(Revocation::NotDue);
    }
    let actor = Actor {
        channel: Channel::System,
        subject: Some(format!("user:{}", due.user.0)),
        device: Some(format!("installation:{}", due.installation.0)),
        trace_id: None,
    };
    let (name, thumbprint) = (vault_key(due)?, due.key.thumbprint());
    let asked = services
        .vault
        .revoke_key(&name, &due.holder, &thumbprint, &RevokeKey { actor })
        .await;
    match asked {
        Ok(_) => {}
        Err(error @ VaultError::Unavailable { .. }) => return Err(error.into()),
        // One key that the vault does not know must not hold up those behind it.
        Err(error) => {
            tracing::error!(installation = due.installation.0, %error, "a replaced key cannot be revoked");
            return Ok(Revocation::Impossible);
        }
    }
    let mut tx = services.db.begin().await?;
    installations::key_revoked(&mut tx, due.installation).await?;
    tx.commit().await?;
    Ok(Revocation::Done)
}

/// Whether the key is due still.
async fn is_due(services: &Services, due: &DueKey) -> Result<bool, Error> {
    let mut tx = services.db.begin().await?;
    let is_due = installations::is_key_due(&mut tx, due.installation).await?;
    tx.commit().await?;
    Ok(is_due)
}

/// The same for every try: the installation's number is not used again.
fn vault_key(due: &DueKey) -> Result<IdempotencyKey, Error> {
    format!("revoke-installation-{}", due.installation.0)
        .parse()
        .map_err(|_| Error::internal("a number makes no idempotency key"))
}
