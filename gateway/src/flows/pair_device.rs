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
use shared::vault_api::holders::{EnrolKey, EnrolledKey};
use subtle::ConstantTimeEq as _;

use super::begin_session::{NewSession, begin_session};
use super::secret::{CodeParts, hash};
use crate::domain::installation::{AppPin, DeviceId, InstallationId};
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::activation_codes::{self, ActivationCode};
use crate::store::installations::{self, NewInstallation};

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
    pairing: Pairing,
    actor: impl FnOnce(UserId) -> Actor,
) -> Result<Paired, Error> {
    let code = judge_code(services, &pairing.activation_code).await?;
    let pin_hash = services.pins.hash(pairing.pin, &services.random).await?;
    let request = EnrolKey {
        key: pairing.key.clone(),
        holder_proof: pairing.holder_proof,
        enrolment_proof: pairing.enrolment_proof,
        actor: actor(code.user.id),
    };
    let key = vault_key(&code, &request)?;
    let enrolled = match services.vault.enrol_key(&key, &code.user.holder, &request).await {
        Ok(enrolled) => enrolled,
        Err(error) => {
            let error = Error::from(error);
            if error.code() == Code::VaultUnavailable {
                give_back(services, code.id).await?;
            }
            return Err(error);
        }
    };
    let mut tx = services.db.begin().await?;
    if !activation_codes::spend(&mut tx, code.id).await? {
        return Err(Code::ActivationCodeInvalid.into());
    }
    let new = NewInstallation {
        user: code.user.id,
        device: &pairing.device,
        device_name: pairing.device_name.as_deref(),
        key: &pairing.key,
        pin_hash: &pin_hash,
    };
    let installation = installations::replace(&mut tx, &new, services.now()).await?;
    let session = begin_session(services, &mut tx, installation).await?;
    tx.commit().await?;
    Ok(Paired {
        installation,
        session,
        enrolled,
    })
}

/// Finds the code and takes one of its tries, before its secret is compared: guesses at the same time all count.
async fn judge_code(services: &Services, typed: &str) -> Result<ActivationCode, Error> {
    let invalid = || Error::from(Code::ActivationCodeInvalid);
    let parts = CodeParts::parse(typed).ok_or_else(invalid)?;
    let secret_hash = hash(parts.secret.as_bytes());
    let mut tx = services.db.begin().await?;
    let code = activation_codes::find(&mut tx, &parts.selector)
        .await?
        .ok_or_else(invalid)?;
    let in_time = services.now() < code.expires_at;
    if !in_time || !activation_codes::take_try(&mut tx, code.id).await? {
        return Err(invalid());
    }
    tx.commit().await?;
    if bool::from(code.secret_hash.ct_eq(&secret_hash)) {
        Ok(code)
    } else {
        Err(invalid())
    }
}

async fn give_back(services: &Services, code: i64) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    activation_codes::return_try(&mut tx, code).await?;
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
