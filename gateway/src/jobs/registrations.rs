//! Registrations that a crash cut short: those that a retry can find again are completed, the others go.

use shared::vault_api::{Actor, Channel};
use time::Duration;

use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::flows::register_user::{activate, create_holder};
use crate::services::Services;
use crate::store::users::{self, PendingUser};

/// After this long no request is under way any more.
const ABANDONED_AFTER: Duration = Duration::minutes(1);
/// Rows a turn.
const BATCH: i64 = 100;

/// Finishes what is old enough. Returns how many rows.
///
/// # Errors
/// When the database or the vault is away. A row that fails for a reason of its own is logged and holds up no other.
pub(super) async fn finish(services: &Services) -> Result<u64, Error> {
    let before = services.now() - ABANDONED_AFTER;
    let (mut finished, mut after) = (0, UserId(0));
    loop {
        let pending = {
            let mut read = services.db.read().await?;
            users::pending_since(&mut read, before, after, BATCH).await?
        };
        let Some(last) = pending.last() else {
            return Ok(finished);
        };
        after = last.id;
        for user in &pending {
            match finish_one(services, user).await {
                Ok(()) => finished += 1,
                Err(error) if is_away(&error) => return Err(error),
                Err(error) => {
                    let (user, cause) = (user.id.0, error.cause());
                    tracing::error!(user, %error, cause, "a registration cannot be finished");
                }
            }
        }
    }
}

async fn finish_one(services: &Services, user: &PendingUser) -> Result<(), Error> {
    let holder = if user.has_request {
        Some(create_holder(services, user, actor(user)).await?)
    } else {
        None
    };
    let mut tx = services.db.begin().await?;
    match holder {
        Some(holder) => {
            activate(services, &mut tx, user, &holder).await?;
        }
        None => users::delete_pending(&mut tx, user.id).await?,
    }
    tx.commit().await?;
    Ok(())
}

/// Whether the next row would fare no better.
fn is_away(error: &Error) -> bool {
    matches!(error.code(), Code::VaultUnavailable | Code::StoreUnavailable)
}

fn actor(user: &PendingUser) -> Actor {
    Actor {
        channel: Channel::System,
        subject: Some(format!("user:{}", user.id.0)),
        device: None,
        trace_id: None,
    }
}
