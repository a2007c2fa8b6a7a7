//! Rotations without a job: JWE key, audit key and epoch change in the approval's own transaction, since nothing refers
//! to them that would have to be moved.

use std::sync::Arc;

use shared::jwe::RsaKeySize;
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::Rotation;
use tokio::sync::OwnedMutexGuard;

use super::finish;
use crate::audit::checkpoint::verifier_key;
use crate::audit::event::{Event, Operation};
use crate::error::Error;
use crate::flows::govern::Occasion;
use crate::keys::handover::NextEpoch;
use crate::keys::header::{KeyPurpose, KeyState};
use crate::keys::jwe_keys::NewJweKey;
use crate::open_vault::OpenVault;
use crate::records::Tx;

const SECONDS_PER_HOUR: i64 = 3600;
/// For so long a replaced audit key can still sign: the checkpoint that covers the event of its replacement follows
/// within minutes.
const AUDIT_GRACE_SECONDS: i64 = 24 * SECONDS_PER_HOUR;

/// What was made for a rotation before its transaction.
#[derive(Default)]
pub struct Prepared {
    jwe: Option<NewJweKey>,
    epoch: Option<(NextEpoch, OwnedMutexGuard<()>)>,
    origin: Arc<str>,
    /// Whether the keyring changes with the transaction.
    changes: bool,
}

/// Whether a rotation could begin.
///
/// # Errors
/// `GRACE_INVALID` for no grace time at all.
pub fn check(rotation: &Rotation) -> Result<(), Error> {
    match rotation {
        Rotation::Jwe { grace_hours: 0 } => Err(Error::conflict(
            "GRACE_INVALID",
            "The former key must open for at least an hour.",
        )),
        _ => Ok(()),
    }
}

/// Makes what takes long: an RSA key pair, the next epoch's secret in its files.
///
/// # Errors
/// No randomness; the files.
pub async fn prepare(vault: &Arc<OpenVault>, proposal: &Proposal) -> Result<Prepared, Error> {
    let mut prepared = Prepared {
        origin: Arc::clone(&vault.surroundings.origin),
        ..Prepared::default()
    };
    let Proposal::Rotate(rotation) = proposal else {
        return Ok(prepared);
    };
    match rotation {
        Rotation::Jwe { .. } => {
            let size = vault.surroundings.rsa_key_size;
            prepared.jwe = Some(new_jwe_key(size).await?);
        }
        Rotation::Epoch => {
            let turn = vault.desk.epoch_turn().await;
            prepared.epoch = Some((finish::prepare_epoch(vault, None).await?, turn));
        }
        _ => {}
    }
    prepared.changes = matches!(rotation, Rotation::Jwe { .. } | Rotation::Audit | Rotation::Epoch);
    Ok(prepared)
}

async fn new_jwe_key(size: RsaKeySize) -> Result<NewJweKey, Error> {
    let made = tokio::task::spawn_blocking(move || NewJweKey::generate(size)).await;
    made.map_err(|error| Error::Internal(error.to_string()))?
        .map_err(|error| Error::Internal(error.to_string()))
}

/// Changes the key inside the approval's transaction.
pub(super) fn apply(tx: &mut Tx<'_, '_>, rotation: &Rotation, occasion: &Occasion) -> Result<(), Error> {
    let (now, prepared) = (occasion.now.unix_timestamp(), &occasion.rotation);
    let missing = || Error::Internal("nothing was prepared".to_owned());
    let note = match rotation {
        Rotation::Jwe { grace_hours } => {
            let new = prepared.jwe.as_ref().ok_or_else(missing)?;
            let grace = i64::from(*grace_hours) * SECONDS_PER_HOUR;
            let renewed = tx.change_keys(|keyring, txn| keyring.replace_jwe_key(txn, new, now, grace))?;
            format!("jwe version {} to {}", renewed.from, renewed.to)
        }
        Rotation::Audit => {
            let new =
                tx.change_keys(|keyring, txn| keyring.replace_audit_key(txn, now, AUDIT_GRACE_SECONDS))?;
            let verifier = verifier_key(&new, &prepared.origin);
            let verifier = verifier.map_err(|error| Error::Internal(error.to_string()))?;
            format!("audit version {}, now {verifier}", new.version())
        }
        Rotation::Epoch => {
            let (next, _) = prepared.epoch.as_ref().ok_or_else(missing)?;
            tx.change_keys(|keyring, txn| keyring.replace_epoch(txn, next, now))?;
            format!("epoch {}", next.number())
        }
        Rotation::CardKek
        | Rotation::DataKeys
        | Rotation::Records
        | Rotation::Fingerprint
        | Rotation::Root { .. } => {
            return Err(Error::Internal(format!(
                "{} is not rotated at once",
                rotation.name()
            )));
        }
    };
    tx.also(event(occasion.now, format!("{note} by {}", occasion.approval)));
    Ok(())
}

fn event(at: time::OffsetDateTime, note: String) -> Event {
    let mut event = Event::done(Operation::RotateKey, at);
    event.note = Some(note);
    event
}

/// Puts in force what the transaction changed.
///
/// # Errors
/// The keyring does not open; the epoch files cannot be written.
pub async fn take_effect(vault: &Arc<OpenVault>, prepared: Prepared) -> Result<(), Error> {
    if prepared.changes {
        vault.exchange_keys().await?;
    }
    if prepared.epoch.is_some() {
        finish::close_epoch(vault).await?;
    }
    Ok(())
}

/// Destroys JWE and audit keys that outlived their grace time. Gives how many.
///
/// # Errors
/// The store's.
pub async fn end_grace(vault: &Arc<OpenVault>) -> Result<usize, Error> {
    let now = vault.now();
    let keyring = vault.keyring();
    let due = |header: &&crate::keys::header::KeyHeader| matches!(header.state, KeyState::Grace { not_after } if not_after <= now);
    let count = keyring.headers().iter().filter(due).count();
    if count == 0 {
        return Ok(0);
    }
    let event = event(vault.surroundings.clock.now(), String::new());
    vault
        .commit(event, move |tx, event| {
            let mut words = Vec::new();
            for purpose in [KeyPurpose::Jwe, KeyPurpose::Audit] {
                for version in tx.change_keys(|keyring, txn| keyring.end_grace(txn, purpose, now))? {
                    words.push(format!("{} version {version} destroyed", purpose.as_str()));
                }
            }
            event.note = Some(words.join(", "));
            Ok(())
        })
        .await?;
    vault.exchange_keys().await?;
    Ok(count)
}
