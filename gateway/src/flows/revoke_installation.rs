//! Revokes an installation for its user: its sessions end at once, its key is revoked in the vault by the job.

use crate::domain::installation::InstallationId;
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Stamp};
use crate::store::installations;

/// Revokes. One that is revoked already stays so: DELETE carries no key, and its retry must be harmless.
///
/// # Errors
/// `NOT_FOUND` when the user never had it.
pub async fn revoke_installation(
    services: &Services,
    user: UserId,
    id: InstallationId,
    stamp: Option<&Stamp>,
) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    if installations::revoke(&mut tx, user, id).await? {
        let stamp = stamp
            .cloned()
            .map(|stamp| stamp.saying(format!("installation {}", id.0)));
        audit::write_done(&mut tx, stamp.as_ref(), services.now()).await?;
    } else if !installations::belongs(&mut tx, user, id).await? {
        return Err(Code::NotFound.into());
    }
    tx.commit().await?;
    Ok(())
}
