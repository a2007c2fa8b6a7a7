//! The end of a rotation: the old versions are destroyed, the epoch is replaced, and a signed record says so.

use std::sync::Arc;

use shared::ids::JobToken;
use shared::vault_api::jobs::JobState;

use super::plan::{Finished, Phase, Rotating, Target};
use crate::audit::checkpoint::verifier_key;
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::backup;
use crate::keys::handover::NextEpoch;
use crate::keys::keyring::KeyringError;
use crate::keys::root::RootKey;
use crate::open_vault::OpenVault;
use crate::work::{JobRecord, Stepped, Turn};

/// Destroys the versions that nothing refers to any more, and turns to the next key.
pub(super) async fn destroy(turn: &mut Turn, target: Target) -> Result<Stepped, Error> {
    let event = turn.event(Operation::RotateKey, String::new());
    let now = turn.vault().now();
    turn.commit_event(event, move |tx, job, event| {
        let gone = tx.change_keys(|keyring, txn| keyring.destroy_retiring(txn, target.purpose(), now))?;
        let gone: Vec<String> = gone.iter().map(u32::to_string).collect();
        let (name, id) = (target.purpose().as_str(), job.id.clone());
        event.note = Some(format!(
            "{name} version {} destroyed by {id}: no references",
            gone.join(", ")
        ));
        job.state = JobState::Running;
        let rotating = Rotating::in_job(job)?;
        rotating.finished.push(Finished {
            target,
            from: rotating.from,
            to: rotating.to,
        });
        rotating.plan.retain(|planned| *planned != target);
        let next = if rotating.plan.is_empty() {
            Phase::Epoch
        } else {
            Phase::Renew
        };
        rotating.rewind(next);
        Ok(())
    })
    .await?;
    turn.vault().exchange_keys().await?;
    Ok(Stepped::Did(0))
}

/// Replaces the epoch.
pub(super) async fn replace_epoch(turn: &mut Turn) -> Result<Stepped, Error> {
    let vault = Arc::clone(turn.vault());
    let _turn = vault.desk.epoch_turn().await;
    let next = prepare_epoch(&vault, None).await?;
    let event = turn.event(Operation::RotateKey, String::new());
    let now = vault.now();
    turn.commit_event(event, move |tx, job, event| {
        tx.change_keys(|keyring, txn| keyring.replace_epoch(txn, &next, now))?;
        event.note = Some(format!("epoch {} by {}", next.number(), job.id));
        Rotating::in_job(job)?.rewind(Phase::Complete);
        Ok(())
    })
    .await?;
    vault.exchange_keys().await?;
    Ok(Stepped::Did(0))
}

/// The next epoch, its secret in the epoch files; with `root` it brings another root key. The caller has the turn to
/// replace the epoch.
pub(in crate::flows) async fn prepare_epoch(
    vault: &Arc<OpenVault>,
    root: Option<RootKey>,
) -> Result<NextEpoch, Error> {
    let vault = Arc::clone(vault);
    let prepared = tokio::task::spawn_blocking(move || {
        let keyring = vault.keyring();
        let escrow = backup::needs_epoch(&vault, keyring.epoch())?;
        keyring.prepare_epoch(root, escrow).map_err(of_files)
    });
    prepared
        .await
        .map_err(|error| Error::Internal(error.to_string()))?
}

/// Files that cannot be written may be written later; the job then goes on.
fn of_files(error: KeyringError) -> Error {
    match error {
        KeyringError::Epoch(error) => Error::Store(error.to_string()),
        other => Error::Internal(other.to_string()),
    }
}

/// Sees to it that the former epoch's secret is gone: from the files, and from the handover where no other process needs
/// it.
pub(in crate::flows) async fn close_epoch(vault: &Arc<OpenVault>) -> Result<(), Error> {
    let keyring = vault.keyring();
    let settled = tokio::task::spawn_blocking(move || keyring.ensure_settled()).await;
    settled
        .map_err(|error| Error::Internal(error.to_string()))?
        .map_err(of_files)?;
    if vault.surroundings.store.is_shared() {
        return Ok(());
    }
    vault
        .transact(|tx| tx.change_keys(crate::keys::keyring::Keyring::drop_handover))
        .await
}

/// Writes the completion record.
pub(super) async fn complete(turn: &mut Turn) -> Result<Stepped, Error> {
    let vault = Arc::clone(turn.vault());
    close_epoch(&vault).await?;
    turn.end(JobState::Done, None, move |tx, job| {
        let text = text(job, tx.keyring().epoch(), tx.audit_index())?;
        let key = tx.keyring().audit_key();
        let verifier = verifier_key(key, &vault.surroundings.origin);
        let verifier = verifier.map_err(|error| Error::Internal(error.to_string()))?;
        let line = verifier.signature_line(key.sign(text.as_bytes()).as_ref());
        job.completion = Some(format!("{text}\n{line}"));
        Ok(())
    })
    .await?;
    Ok(Stepped::Ended)
}

/// What is signed: a line for each fact.
fn text(job: &mut JobRecord, epoch: u32, log_size: u64) -> Result<String, Error> {
    let (id, total, failed): (JobToken, u64, u64) = (job.id.clone(), job.total, job.failed);
    let finished = Rotating::in_job(job)?.finished.clone();
    let keys: Vec<String> = finished
        .iter()
        .map(|done| {
            format!(
                "key {} from {} to {}\n",
                done.target.purpose().as_str(),
                done.from,
                done.to
            )
        })
        .collect();
    Ok(format!(
        "tessera rotation completed\njob {id}\n{}total {total}\nfailed {failed}\nreferences 0\nepoch {epoch}\nlog {log_size}\n",
        keys.concat()
    ))
}
