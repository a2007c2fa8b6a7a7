//! Registers a user: a row first, then the holder in the vault, then both together become a user.
//!
//! E-mail addresses and telephone numbers may come twice (families share them); a partner's `externalId` may not. Between
//! the two transactions a crash leaves a PENDING row, which nobody is shown. With an `Idempotency-Key` a retry goes on from
//! there; without one, nobody can find the row again and it goes. `jobs::registrations` does both for those who never retry.

use shared::ids::{HolderToken, ProgramName};
use shared::mtls::identity::Name;
use shared::vault_api::Actor;
use shared::vault_api::holders::CreateHolder;

use super::attempt::Attempt;
use super::claimed::{Opened, open};
use crate::clients::vault::VaultError;
use crate::domain::event::{Event, EventKind};
use crate::domain::person::{ExternalId, Person};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::idempotency::{Answer, Claim, Request};
use crate::store::users::{self, NewUser, PendingUser, Profile, Registered};
use crate::store::{StoreError, Tx, events};

/// Whom a partner registers.
pub struct Registration {
    /// The partner.
    pub partner: Name,
    /// Its program for new users.
    pub program: ProgramName,
    /// The partner's own name of the user.
    pub external_id: Option<ExternalId>,
    /// The person.
    pub person: Person,
}

/// Registers a user; `render` writes the answer.
///
/// # Errors
/// `EXTERNAL_ID_TAKEN`, and whatever keeps the vault from creating a holder.
pub async fn register_user(
    services: &Services,
    request: &Request,
    registration: &Registration,
    actor: Actor,
    render: impl FnOnce(&Profile) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let earlier = match claim.entry() {
        Some(entry) => users::of_request(&mut tx, entry).await?,
        None => None,
    };
    let pending = match earlier {
        // The job was quicker than the retry.
        Some(Registered::Active(id)) => {
            let profile = users::profile(&mut tx, id).await?.ok_or_else(gone)?;
            return answer(tx, &claim, &profile, render).await;
        }
        Some(Registered::Pending(pending)) => pending,
        None => insert(services, &mut tx, registration, claim.entry()).await?,
    };
    tx.commit().await?;

    let holder = match create_holder(services, &pending, actor).await {
        Ok(holder) => holder,
        Err(error) => {
            let error = Attempt::of_claim(&claim, services.now()).judge(error);
            take_back(services, &pending, &claim, &error).await?;
            return Err(error);
        }
    };
    let mut tx = services.db.begin().await?;
    activate(services, &mut tx, &pending, &holder).await?;
    let profile = users::profile(&mut tx, pending.id).await?.ok_or_else(gone)?;
    answer(tx, &claim, &profile, render).await
}

async fn insert(
    services: &Services,
    tx: &mut Tx,
    registration: &Registration,
    request: Option<i64>,
) -> Result<PendingUser, Error> {
    let new = NewUser {
        partner: &registration.partner,
        program: &registration.program,
        external_id: registration.external_id.as_ref(),
        person: &registration.person,
        vault_key: services.vault_key()?,
        request,
        import: None,
    };
    users::insert_pending(tx, &new, services.now())
        .await
        .map_err(|error| match error {
            StoreError::Duplicate => Code::ExternalIdTaken.into(),
            other => other.into(),
        })
}

/// Asks the vault for the holder of a PENDING user; the same question again gets the same holder.
///
/// # Errors
/// Whatever keeps the vault from it.
pub async fn create_holder(
    services: &Services,
    pending: &PendingUser,
    actor: Actor,
) -> Result<HolderToken, VaultError> {
    let request = CreateHolder {
        program: pending.program.clone(),
        actor,
    };
    Ok(services
        .vault
        .create_holder(&pending.vault_key, &request)
        .await?
        .holder)
}

/// Makes the PENDING user one whom the partner can see, and tells so. Whoever comes second has no effect.
///
/// # Errors
/// When the database fails.
pub async fn activate(
    services: &Services,
    tx: &mut Tx,
    pending: &PendingUser,
    holder: &HolderToken,
) -> Result<(), StoreError> {
    if users::activate(tx, pending.id, holder).await? {
        let event = Event::new(EventKind::UserCreated, &pending.partner).about_user(pending.id);
        events::write(tx, &event, services.now()).await?;
    }
    Ok(())
}

/// Strikes off what will not be finished. A row stays only where the vault may have created the holder and a retry with
/// the same key can find it again.
async fn take_back(
    services: &Services,
    pending: &PendingUser,
    claim: &Claim,
    error: &Error,
) -> Result<(), Error> {
    if error.vault_may_have_acted() && pending.has_request {
        return Ok(());
    }
    let mut tx = services.db.begin().await?;
    users::delete_pending(&mut tx, pending.id).await?;
    claim.abandon(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

async fn answer(
    mut tx: Tx,
    claim: &Claim,
    profile: &Profile,
    render: impl FnOnce(&Profile) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let answer = render(profile)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

fn gone() -> Error {
    Error::internal("a user is gone in the middle of its registration")
}
