//! Keys of installations that were replaced are revoked in the vault too: the app that had such a key is gone, and whoever
//! digs it out of an old device shall prove nothing with it.

use shared::ids::IdempotencyKey;
use shared::vault_api::holders::RevokeKey;
use shared::vault_api::{Actor, Channel};

use crate::clients::vault::VaultError;
use crate::error::Error;
use crate::services::Services;
use crate::store::installations::{self, DueKey};

/// Keys a turn.
const BATCH: i64 = 100;

/// Revokes what is due. Returns how many keys.
pub(super) async fn revoke(services: &Services) -> Result<u64, Error> {
    let due = {
        let mut read = services.db.read().await?;
        installations::keys_due(&mut read, BATCH).await?
    };
    let mut revoked = 0;
    for key in due {
        if !is_due(services, &key).await? {
            continue;
        }
        let actor = Actor {
            channel: Channel::System,
            subject: Some(format!("user:{}", key.user.0)),
            device: Some(format!("installation:{}", key.installation.0)),
            trace_id: None,
        };
        let (name, thumbprint) = (vault_key(&key)?, key.key.thumbprint());
        match services
            .vault
            .revoke_key(&name, &key.holder, &thumbprint, &RevokeKey { actor })
            .await
        {
            Ok(_) => {}
            Err(error @ VaultError::Unavailable { .. }) => return Err(error.into()),
            // One key that the vault does not know must not hold up those behind it.
            Err(error) => {
                tracing::error!(installation = key.installation.0, %error, "a replaced key cannot be revoked");
                continue;
            }
        }
        let mut tx = services.db.begin().await?;
        installations::key_revoked(&mut tx, key.installation).await?;
        tx.commit().await?;
        revoked += 1;
    }
    Ok(revoked)
}

/// Whether the key is due still: the device may have been paired with it again since the list was read.
async fn is_due(services: &Services, key: &DueKey) -> Result<bool, Error> {
    let mut tx = services.db.begin().await?;
    let due = installations::is_key_due(&mut tx, key.installation).await?;
    tx.commit().await?;
    Ok(due)
}

/// The same for every try: the installation's number is not used again.
fn vault_key(key: &DueKey) -> Result<IdempotencyKey, Error> {
    format!("revoke-installation-{}", key.installation.0)
        .parse()
        .map_err(|_| Error::internal("a number makes no idempotency key"))
}
