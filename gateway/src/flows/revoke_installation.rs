//! Revokes an installation for its user: its sessions end at once, and its key is revoked in the vault, be it active or still
//! pending. While the vault is away the job goes on with that.

use super::revoke_due_key::revoke_due_key;
use crate::domain::event::{Event, EventKind};
use crate::domain::installation::InstallationId;
use crate::domain::user::User;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Stamp};
use crate::store::{events, installations};

/// Revokes. One that is revoked already stays so: DELETE carries no key, and its retry must be harmless.
///
/// # Errors
/// `NOT_FOUND` when the user never had it.
pub async fn revoke_installation(
    services: &Services,
    user: &User,
    id: InstallationId,
    stamp: Option<&Stamp>,
) -> Result<(), Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    if installations::revoke(&mut tx, user.id, id).await? {
        let stamp = stamp
            .cloned()
            .map(|stamp| stamp.saying(format!("installation {}", id.0)));
        audit::write_done(&mut tx, stamp.as_ref(), now).await?;
        let event = Event::new(EventKind::InstallationRevoked, &user.partner)
            .about_user(user.id)
            .telling("installationId", id.0);
        events::write(&mut tx, &event, now).await?;
    } else if !installations::belongs(&mut tx, user.id, id).await? {
        return Err(Code::NotFound.into());
    }
    tx.commit().await?;
    let due = {
        let mut read = services.db.read().await?;
        installations::key_due_of(&mut read, id).await?
    };
    if let Some(due) = due {
        // It is revoked here; what the vault did not hear yet the job tells it.
        if let Err(error) = revoke_due_key(services, &due).await {
            tracing::warn!(installation = id.0, %error, cause = error.cause(), "a key waits to be revoked");
        }
    }
    Ok(())
}
