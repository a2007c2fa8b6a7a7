//! Removes a user for good (erasure under the GDPR): the personal data is gone, ledger and audit are intact.
//!
//! One commit forgets the person, ends sessions, devices and balances, and writes down what the vault is still to be told:
//! each card to be erased, each key to be revoked. That much is done when the caller is answered. The rest is done at once if
//! the vault answers, else by `jobs::removals`, in any order and as often as it takes; then the last traces go. A crash in
//! between changes nothing but the time.

use shared::ids::IdempotencyKey;
use shared::vault_api::cards::CardOperation;
use shared::vault_api::holders::{KeyState, RevokeKey};
use shared::vault_api::{Actor, Channel};

use crate::domain::balance::BalanceState;
use crate::domain::event::{Event, EventKind};
use crate::domain::user::{User, UserId};
use crate::error::{Code, Error};
use crate::flows::attempt::Attempt;
use crate::flows::cards::carry_out::carry_out;
use crate::flows::revoke_due_key::revoke_due_key;
use crate::services::Services;
use crate::store::card_requests::{self, CardRequest, Remove, Task};
use crate::store::{Tx, events, installations, user_removal, users};

/// Cards that are erased while the caller waits; the job erases what is beyond.
const CARDS_AT_ONCE: usize = 20;
/// Cards of a user whose erasure is written down in one go; the job comes back for more.
const CARDS_A_TURN: i64 = 1_000;

/// Removes the user.
///
/// # Errors
/// `NOT_FOUND` when the user is gone, or was removed before; `BALANCE_NOT_EMPTY`.
pub async fn remove_user(services: &Services, user: UserId, actor: &Actor) -> Result<(), Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    // Held until the end: whatever would be made for the user comes before, and is removed too, or finds nobody.
    let user = users::find_for_update(&mut tx, user)
        .await?
        .ok_or(Code::NotFound)?;
    let closed = user_removal::close_balances(&mut tx, user.id)
        .await?
        .ok_or(Code::BalanceNotEmpty)?;
    for balance in closed {
        let event = Event::new(EventKind::BalanceStateChanged, &user.partner)
            .about_user(user.id)
            .telling("balanceId", balance.0)
            .telling("state", BalanceState::Closed.as_str());
        events::write(&mut tx, &event, now).await?;
    }
    let works = write_down_erasures(services, &mut tx, &user, actor).await?;
    user_removal::overwrite(&mut tx, user.id, now).await?;
    let event = Event::new(EventKind::UserRemoved, &user.partner).about_user(user.id);
    events::write(&mut tx, &event, now).await?;
    tx.commit().await?;

    for work in works.iter().take(CARDS_AT_ONCE) {
        if let Err(error) = carry_out(services, work, Attempt::First).await {
            tracing::warn!(user = user.id.0, %error, cause = error.cause(), "a removed user's card waits to be erased");
            break;
        }
    }
    if let Err(error) = finish_removal(services, &user).await {
        tracing::warn!(user = user.id.0, %error, cause = error.cause(), "a removal goes on later");
    }
    Ok(())
}

/// Writes down that each card is to be erased.
async fn write_down_erasures(
    services: &Services,
    tx: &mut Tx,
    user: &User,
    actor: &Actor,
) -> Result<Vec<CardRequest>, Error> {
    let now = services.now();
    let mut works = Vec::new();
    for (card, token) in user_removal::cards_left(tx, user.id, CARDS_A_TURN).await? {
        let call = CardOperation { actor: actor.clone() };
        let task = Task::Remove(Remove { card: token, call });
        works.push(card_requests::begin(tx, card, None, services.vault_key()?, task, None, now).await?);
    }
    Ok(works)
}

/// Does what is left of a removal, as far as it can be done now. Whether nothing is left.
///
/// # Errors
/// When the vault or the database is away.
pub async fn finish_removal(services: &Services, user: &User) -> Result<bool, Error> {
    let mut tx = services.db.begin().await?;
    if user_removal::has_work(&mut tx, user.id).await? {
        return Ok(false);
    }
    // A card that was under way when the user was removed, or that the vault refused to erase for now.
    let late = write_down_erasures(services, &mut tx, user, &system(user)).await?;
    tx.commit().await?;
    for work in late.iter().take(CARDS_AT_ONCE) {
        carry_out(services, work, Attempt::First).await?;
    }
    revoke_keys(services, user).await?;
    let mut tx = services.db.begin().await?;
    let left = !user_removal::cards_left(&mut tx, user.id, 1).await?.is_empty()
        || user_removal::has_work(&mut tx, user.id).await?;
    if left {
        return Ok(false);
    }
    user_removal::finish(&mut tx, user.id, services.now()).await?;
    tx.commit().await?;
    services.db.drop_traces().await?;
    Ok(true)
}

/// Has the vault revoke every key of the user: those of installations, and whatever else it has.
async fn revoke_keys(services: &Services, user: &User) -> Result<(), Error> {
    let waiting = {
        let mut read = services.db.read().await?;
        let mut waiting = Vec::new();
        for id in user_removal::keys_waiting(&mut read, user.id).await? {
            waiting.extend(installations::key_due_of(&mut read, id).await?);
        }
        waiting
    };
    for due in waiting {
        revoke_due_key(services, &due).await?;
    }
    for key in services.vault.holder_keys(&user.holder).await?.keys {
        if key.state != KeyState::Revoked {
            let name = revocation_key(user, &key.thumbprint.to_string())?;
            let request = RevokeKey { actor: system(user) };
            services
                .vault
                .revoke_key(&name, &user.holder, &key.thumbprint, &request)
                .await?;
        }
    }
    Ok(())
}

/// The same for every try.
fn revocation_key(user: &User, thumbprint: &str) -> Result<IdempotencyKey, Error> {
    format!("remove-user-{}-{thumbprint}", user.id.0)
        .parse()
        .map_err(|_| Error::internal("a thumbprint makes no idempotency key"))
}

fn system(user: &User) -> Actor {
    Actor {
        channel: Channel::System,
        subject: Some(format!("user:{}", user.id.0)),
        device: None,
        trace_id: None,
    }
}
