//! A user's installations with what the vault says of their keys. While the vault is away the list is shown without: a lost
//! phone is put out by whoever sees its name.

use shared::thumbprint::Thumbprint;
use shared::vault_api::holders::EnrolledKey;

use crate::clients::vault::VaultError;
use crate::domain::user::User;
use crate::error::Error;
use crate::services::Services;
use crate::store::installations::{self, Listed};

/// An installation, and its key as the vault knows it.
pub struct Device {
    /// The installation.
    pub listed: Listed,
    /// The key's name.
    pub thumbprint: Thumbprint,
    /// The key; none while the vault is away, or when it does not know it.
    pub key: Option<EnrolledKey>,
}

/// Installations of the user with numbers above `after`, revoked ones among them, in order; at most `most`.
///
/// # Errors
/// When the database is away.
pub async fn list_installations(
    services: &Services,
    user: &User,
    after: i64,
    most: i64,
) -> Result<Vec<Device>, Error> {
    let rows = {
        let mut read = services.db.read().await?;
        installations::of_user(&mut read, user.id, after, most).await?
    };
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let keys = keys(services, user).await?;
    Ok(rows
        .into_iter()
        .map(|listed| {
            let thumbprint = listed.key.thumbprint();
            let key = keys.iter().find(|key| key.thumbprint == thumbprint).cloned();
            Device {
                listed,
                thumbprint,
                key,
            }
        })
        .collect())
}

/// The keys that the vault has of the user; none while it is away.
async fn keys(services: &Services, user: &User) -> Result<Vec<EnrolledKey>, Error> {
    match services.vault.holder_keys(&user.holder).await {
        Ok(listed) => Ok(listed.keys),
        Err(error @ VaultError::Unavailable { .. }) => {
            tracing::warn!(%error, "installations are listed without their keys");
            Ok(Vec::new())
        }
        Err(error) => Err(error.into()),
    }
}
