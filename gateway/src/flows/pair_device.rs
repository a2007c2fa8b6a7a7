//! Pairs a device: the activation code is judged, the device's key enrolled in the vault, and then in one commit the code
//! is spent, the former installation of the device revoked with its sessions, and the new one made with a session.
//!
//! While the vault is away nothing is spent. The vault is asked under a key that is made from the code's row and the
//! request, so that a retry after a lost answer enrols nothing twice.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use shared::ids::IdempotencyKey;
use shared::public_key::HolderKey;
use shared::vault_api::Actor;
use shared::vault_api::holders::{EnrolKey, EnrolledKey, KeyState};
use subtle::ConstantTimeEq as _;
use time::format_description::well_known::Rfc3339;

use super::begin_session::{NewSession, begin_session, renew_session};
use super::claimed::{Opened, open};
use super::secret::{CodeParts, hash};
use crate::domain::event::{Event, EventKind};
use crate::domain::installation::{AppPin, DeviceId, InstallationId};
use crate::domain::user::{User, UserId, UserStanding};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::activation_codes::{self, ActivationCode};
use crate::store::idempotency::{Answer, Claim, Request};
use crate::store::installations::{self, NewInstallation};
use crate::store::{Tx, events, users};

/// What the app sends.
pub struct Pairing {
    /// The code, as the user typed it.
    pub activation_code: String,
    /// On which device.
    pub device: DeviceId,
    /// What the user calls the device.
    pub device_name: Option<String>,
    /// The device's key.
    pub key: HolderKey,
    /// The app's PIN.
    pub pin: AppPin,
    /// A JWE to the vault: possession of a card, or the secret of a ticket.
    pub enrolment_proof: Option<String>,
    /// A proof `op: enrol-key` by an active key.
    pub holder_proof: Option<String>,
}

/// What came of it.
pub struct Paired {
    /// The new installation.
    pub installation: InstallationId,
    /// Its first session.
    pub session: NewSession,
    /// What the vault made of the key.
    pub enrolled: EnrolledKey,
}

/// Pairs the device; `actor` names the user to the vault once the code has told who it is.
///
/// # Errors
/// `ACTIVATION_CODE_INVALID`, the vault's refusals of the enrolment, 503 while the vault is away.
pub async fn pair_device(
    services: &Services,
    mut request: Request,
    pairing: Pairing,
    actor: impl FnOnce(UserId) -> Actor,
) -> Result<Paired, Error> {
    let parts = CodeParts::parse(&pairing.activation_code).ok_or(Code::ActivationCodeInvalid)?;
    request.scope = format!("pairing:{} {}", parts.name(), request.scope);
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, &request).await? {
        Opened::Replay(kept) => return pair_again(services, tx, &kept).await,
        Opened::Claim(claim) => claim,
    };
    let Some(code) = judge_code(services, &mut tx, &parts).await? else {
        claim.abandon(&mut tx).await?;
        tx.commit().await?;
        return Err(Code::ActivationCodeInvalid.into());
    };
    tx.commit().await?;

    let pin_hash = services.pins.hash(pairing.pin, &services.random).await?;
    let enrolment = EnrolKey {
        key: pairing.key.clone(),
        holder_proof: pairing.holder_proof,
        enrolment_proof: pairing.enrolment_proof,
        enrolment_ticket: code.enrolment_ticket.clone(),
        actor: actor(code.user.id),
    };
    let key = vault_key(&code, &enrolment)?;
    let enrolled = match services
        .vault
        .enrol_key(&key, &code.user.holder, &enrolment)
        .await
    {
        Ok(enrolled) => enrolled,
        Err(error) => {
            let error = Error::from(error);
            take_back(services, &code, &claim, &error).await?;
            return Err(error);
        }
    };

    let new = NewInstallation {
        user: code.user.id,
        device: &pairing.device,
        device_name: pairing.device_name.as_deref(),
        key: &pairing.key,
        pin_hash: &pin_hash,
    };
    settle(services, &code, &claim, &new, enrolled).await
}

/// Spends the code and makes the installation, in one commit.
async fn settle(
    services: &Services,
    code: &ActivationCode,
    claim: &Claim,
    new: &NewInstallation<'_>,
    enrolled: EnrolledKey,
) -> Result<Paired, Error> {
    let mut tx = services.db.begin().await?;
    // Held until the end: a lock of the user voids the code before this, or ends the session after it.
    let open = users::find_for_update(&mut tx, code.user.id)
        .await?
        .is_some_and(|user| user.standing == UserStanding::Open);
    if !open || !activation_codes::spend(&mut tx, code.id).await? {
        // Voided or spent while the vault was asked: nobody shall prove anything with the key that it enrolled.
        installations::note_stray_key(&mut tx, new, services.now()).await?;
        claim.abandon(&mut tx).await?;
        tx.commit().await?;
        return Err(Code::ActivationCodeInvalid.into());
    }
    let (installation, former) = installations::replace(&mut tx, new, services.now()).await?;
    tell(services, &mut tx, &code.user, (installation, former), &enrolled).await?;
    let session = begin_session(services, &mut tx, installation, claim, &enrolled).await?;
    tx.commit().await?;
    Ok(Paired {
        installation,
        session,
        enrolled,
    })
}

/// Writes down what the user and the partner are told: the new installation, the former one's end, and a key that waits,
/// which the user can still revoke if somebody else brought it in.
pub(super) async fn tell(
    services: &Services,
    tx: &mut Tx,
    user: &User,
    (installation, former): (InstallationId, Option<InstallationId>),
    enrolled: &EnrolledKey,
) -> Result<(), Error> {
    let now = services.now();
    let about = |kind, installation: InstallationId| {
        Event::new(kind, &user.partner)
            .about_user(user.id)
            .telling("installationId", installation.0)
    };
    if let Some(former) = former {
        events::write(tx, &about(EventKind::InstallationRevoked, former), now).await?;
    }
    events::write(tx, &about(EventKind::InstallationPaired, installation), now).await?;
    if enrolled.state == KeyState::Pending {
        let mut event = about(EventKind::HolderKeyPending, installation);
        if let Some(matures_at) = enrolled.matures_at {
            let matures_at = matures_at
                .format(&Rfc3339)
                .map_err(|_| Error::internal("an instant cannot be written"))?;
            event = event.telling("maturesAt", matures_at);
        }
        events::write(tx, &event, now).await?;
    }
    Ok(())
}

/// The same pairing again: the same installation, under another token of the same session.
async fn pair_again(services: &Services, mut tx: Tx, kept: &Answer) -> Result<Paired, Error> {
    let renewed = renew_session(services, &mut tx, kept)
        .await?
        .ok_or(Code::ActivationCodeInvalid)?;
    tx.commit().await?;
    let (installation, session, enrolled) = renewed;
    Ok(Paired {
        installation,
        session,
        enrolled,
    })
}

/// Finds the code and takes one of its tries, before its secret is compared: guesses at the same time all count.
async fn judge_code(
    services: &Services,
    tx: &mut Tx,
    parts: &CodeParts,
) -> Result<Option<ActivationCode>, Error> {
    let Some(code) = activation_codes::find(tx, &parts.selector).await? else {
        return Ok(None);
    };
    if services.now() >= code.expires_at || !activation_codes::take_try(tx, code.id).await? {
        return Ok(None);
    }
    let right = bool::from(code.secret_hash.ct_eq(&hash(parts.secret.as_bytes())));
    Ok(right.then_some(code))
}

/// After a refusal: the try is given back where the failure was not the caller's, and the request may come again.
async fn take_back(
    services: &Services,
    code: &ActivationCode,
    claim: &Claim,
    error: &Error,
) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    if matches!(error.code(), Code::VaultUnavailable | Code::TooManyRequests) {
        activation_codes::return_try(&mut tx, code.id).await?;
    }
    if !error.vault_may_have_acted() {
        claim.abandon(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The same code, key and proofs make the same key; anything else makes another.
fn vault_key(code: &ActivationCode, request: &EnrolKey) -> Result<IdempotencyKey, Error> {
    let mut context = Context::new(&SHA256);
    context.update(&code.vault_key);
    context.update(request.key.thumbprint().as_bytes());
    for proof in [&request.holder_proof, &request.enrolment_proof] {
        let proof = proof.as_deref().unwrap_or_default().as_bytes();
        context.update(&hash(proof));
    }
    URL_SAFE_NO_PAD
        .encode(context.finish())
        .parse()
        .map_err(|_| Error::internal("a hash is no idempotency key"))
}
