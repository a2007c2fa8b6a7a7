//! Registrations that a crash cut short: those that a retry can find again are completed, the others go.

use shared::vault_api::{Actor, Channel};
use time::Duration;

use crate::error::Error;
use crate::flows::register_user::create_holder;
use crate::services::Services;
use crate::store::users;

/// After this long no request is under way any more.
const ABANDONED_AFTER: Duration = Duration::minutes(1);
/// Rows a turn.
const BATCH: i64 = 100;

/// Finishes what is old enough. Returns how many rows.
pub(super) async fn finish(services: &Services) -> Result<u64, Error> {
    let before = services.now() - ABANDONED_AFTER;
    let pending = {
        let mut read = services.db.read().await?;
        users::pending_since(&mut read, before, BATCH).await?
    };
    let mut finished = 0;
    for user in pending {
        if user.has_request {
            let subject = Some(format!("user:{}", user.id.0));
            let actor = Actor {
                channel: Channel::System,
                subject,
                device: None,
                trace_id: None,
            };
            let holder = create_holder(services, &user, actor).await?;
            let mut tx = services.db.begin().await?;
            users::activate(&mut tx, user.id, &holder).await?;
            tx.commit().await?;
        } else {
            let mut tx = services.db.begin().await?;
            users::delete_pending(&mut tx, user.id).await?;
            tx.commit().await?;
        }
        finished += 1;
    }
    Ok(finished)
}
