//! Finishes removals of users: what the vault did not hear yet, and the traces that had to stay until it did.

use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::flows::users::remove::finish_removal;
use crate::services::Services;
use crate::store::user_removal;

/// Users a turn.
const BATCH: i64 = 100;

/// Goes on with every removal. Returns how many came to their end.
///
/// # Errors
/// When the database or the vault is away, or the vault's budget of erasures is used up. A removal that fails for a reason of its own is logged and holds up no other.
pub(super) async fn finish(services: &Services) -> Result<u64, Error> {
    let (mut finished, mut after) = (0, UserId(0));
    loop {
        let users = {
            let mut read = services.db.read().await?;
            user_removal::unfinished(&mut read, after, BATCH).await?
        };
        let Some(last) = users.last() else {
            return Ok(finished);
        };
        after = last.id;
        for user in &users {
            match finish_removal(services, user).await {
                Ok(true) => finished += 1,
                Ok(false) => {}
                Err(error) if is_away(&error) => return Err(error),
                Err(error) => {
                    let cause = error.cause();
                    tracing::error!(user = user.id.0, %error, cause, "a removal cannot be finished");
                }
            }
        }
    }
}

/// Whether the next one would fare no better.
fn is_away(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::VaultUnavailable | Code::StoreUnavailable | Code::TooManyRequests
    )
}
