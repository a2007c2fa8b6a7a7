//! Makes the code with which a user's device is paired. It is shown once; an earlier code of the user is void.

use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::secret::{CodeParts, hash};
use crate::domain::user::{UserId, UserStanding};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::StoreError;
use crate::store::activation_codes::{self, NewCode};
use crate::store::users;

/// Uses of the right code that may be refused by the vault, and wrong codes of the same selector.
const TRIES: i64 = 5;
/// A selector is taken in one case in a million and row; so often in a row is no accident.
const ATTEMPTS: u32 = 8;

/// A code as it is shown.
pub struct IssuedCode {
    /// Four groups of four symbols.
    pub code: Zeroizing<String>,
    /// When it lapses.
    pub expires_at: OffsetDateTime,
}

/// Makes a code for an active user. `enrolment_ticket` goes to the vault with the pairing: only the vault judges it.
///
/// # Errors
/// `NOT_FOUND` when the user is gone; `USER_LOCKED`.
pub async fn create_activation_code(
    services: &Services,
    user: UserId,
    enrolment_ticket: Option<&str>,
) -> Result<IssuedCode, Error> {
    let now = services.now();
    let expires_at = now + Duration::minutes(i64::from(services.config.sessions.activation_code_minutes));
    for _ in 0..ATTEMPTS {
        let parts = CodeParts::fresh(services)?;
        let new = NewCode {
            user,
            selector: &parts.selector,
            secret_hash: hash(parts.secret.as_bytes()),
            vault_key: services.random()?,
            enrolment_ticket,
            tries: TRIES,
            expires_at,
        };
        let mut tx = services.db.begin().await?;
        let user = users::find_for_update(&mut tx, user)
            .await?
            .ok_or(Code::NotFound)?;
        if user.standing == UserStanding::Locked {
            return Err(Code::UserLocked.into());
        }
        match activation_codes::replace(&mut tx, &new, now).await {
            Ok(()) => {
                tx.commit().await?;
                return Ok(IssuedCode {
                    code: parts.shown(),
                    expires_at,
                });
            }
            Err(StoreError::Duplicate) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(Error::internal("no free selector for an activation code"))
}
