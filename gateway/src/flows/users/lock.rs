//! Locks and unlocks a user. With the lock every session ends and every activation code is void, in the same commit.
//!
//! What is asked for is a state: who locks a locked user, or unlocks an open one, is answered with the state that holds.

use super::AboutUser;
use crate::domain::event::{Event, EventKind};
use crate::domain::user::{UserLock, UserStanding, lifts, takes_over};
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::audit;
use crate::store::idempotency::{Answer, Request};
use crate::store::users::Profile;
use crate::store::{activation_codes, events, sessions, user_standing, users};

/// Locks the user, or takes the lock over from a party of less standing; `render` writes the answer.
///
/// # Errors
/// `NOT_FOUND` when the user is gone.
pub async fn lock_user(
    services: &Services,
    request: &Request,
    about: &AboutUser<'_>,
    reason: Option<&str>,
    render: impl FnOnce(&Profile) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    // Held until the end: no login and no pairing of this user is committed in between.
    let user = users::find_for_update(&mut tx, about.user)
        .await?
        .ok_or(Code::NotFound)?;
    let mut profile = users::profile(&mut tx, user.id).await?.ok_or(Code::NotFound)?;
    if takes_over(profile.lock.as_ref().map(|lock| lock.by), about.by) {
        user_standing::lock(&mut tx, user.id, about.by, reason, now).await?;
        profile.user.standing = UserStanding::Locked;
        profile.lock = Some(UserLock {
            by: about.by,
            reason: reason.map(str::to_owned),
            at: now,
        });
        let event = Event::new(EventKind::UserLocked, &user.partner)
            .about_user(user.id)
            .telling("by", about.by.as_str());
        events::write(&mut tx, &event, now).await?;
    }
    sessions::delete_of_user(&mut tx, user.id).await?;
    activation_codes::delete_of_user(&mut tx, user.id).await?;
    audit::write_done(&mut tx, about.stamp, now).await?;
    let answer = render(&profile)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Lifts the lock; `render` writes the answer.
///
/// # Errors
/// `NOT_FOUND` when the user is gone; `LOCK_NOT_YOURS` for a partner and an operator's lock.
pub async fn unlock_user(
    services: &Services,
    request: &Request,
    about: &AboutUser<'_>,
    render: impl FnOnce(&Profile) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let user = users::find_for_update(&mut tx, about.user)
        .await?
        .ok_or(Code::NotFound)?;
    let mut profile = users::profile(&mut tx, user.id).await?.ok_or(Code::NotFound)?;
    if let Some(lock) = profile.lock.take() {
        if !lifts(lock.by, about.by) {
            return Err(Code::LockNotYours.into());
        }
        user_standing::unlock(&mut tx, user.id).await?;
        profile.user.standing = UserStanding::Open;
        let event = Event::new(EventKind::UserUnlocked, &user.partner)
            .about_user(user.id)
            .telling("by", about.by.as_str());
        events::write(&mut tx, &event, now).await?;
    }
    audit::write_done(&mut tx, about.stamp, now).await?;
    let answer = render(&profile)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
