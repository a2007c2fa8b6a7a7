//! Export: card data of a program, sealed to a recipient that two officers agreed on, as lines of JWE in a file that
//! officers fetch. Number, expiry, card and holder; never a CVV or a PIN. Each card is an event before the file has it.

use std::ops::Bound;
use std::sync::Arc;

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use shared::ids::{ApprovalToken, JobToken};
use shared::public_key::PublicKey;
use shared::vault_api::bulk::{ExportPlan, MOST_ROWS};
use shared::vault_api::jobs::JobState;
use zeroize::Zeroizing;

use super::govern::Occasion;
use super::{bulk_error, retention};
use crate::audit::event::{Event, Operation};
use crate::bulk::places::Draft;
use crate::bytes::Base64Bytes;
use crate::domain::card::Card;
use crate::domain::pan::Pan;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::registers::Registers;
use crate::store::Tree;
use crate::work::{self, NewJob, Stepped, Turn, Work};

/// Longest reason, characters.
const MOST_REASON_CHARACTERS: usize = 200;
/// Records looked at in one step: of other programs' cards nothing is written.
const PAGE: usize = 256;
/// Room for a line's rows, so that the buffer never grows and leaves a copy behind: a row takes at most 150 bytes.
const LINE_CAPACITY: usize = MOST_ROWS * 192;
/// Exports looked at in one pass.
const MOST_EXPORTS: usize = 1000;
const EXPORT: &str = "export/";

/// What a job of an export does, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportWork {
    /// What two officers agreed on.
    pub plan: ExportPlan,
    /// Their approval.
    pub approval: ApprovalToken,
    /// The card that was looked at last.
    after: Base64Bytes,
    /// Bytes of the file that count.
    written: u64,
    /// Cards in the file.
    cards: u64,
}

/// An export, by its approval.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ExportRecord {
    approval: ApprovalToken,
    job: JobToken,
}

impl Record for ExportRecord {
    const TREE: Tree = Tree::ImportRows;
    fn key(&self) -> Vec<u8> {
        export_key(&self.approval)
    }
}

fn export_key(approval: &ApprovalToken) -> Vec<u8> {
    format!("{EXPORT}{approval}").into_bytes()
}

fn file_name(approval: &ApprovalToken) -> String {
    format!("export-{approval}.jwe")
}

/// Whether a plan can be carried out.
///
/// # Errors
/// `PROGRAM_UNKNOWN`, `EXPORT_REASON_INVALID`, `EXPORT_EMPTY`.
pub fn check(plan: &ExportPlan, registers: &Registers) -> Result<(), Error> {
    if registers.program(&plan.program).is_none() {
        return Err(Error::conflict("PROGRAM_UNKNOWN", "There is no such program."));
    }
    let characters = plan.reason.chars().count();
    if !(1..=MOST_REASON_CHARACTERS).contains(&characters) || plan.reason.chars().any(char::is_control) {
        return Err(Error::conflict(
            "EXPORT_REASON_INVALID",
            format!("A reason has 1 to {MOST_REASON_CHARACTERS} printable characters."),
        ));
    }
    if plan.most_cards == 0 {
        return Err(Error::conflict("EXPORT_EMPTY", "An export of no cards is none."));
    }
    Ok(())
}

/// Begins an export inside the approval's transaction.
///
/// # Errors
/// `JOB_RUNNING`; the store's.
pub fn begin(tx: &mut Tx<'_, '_>, plan: &ExportPlan, occasion: &Occasion) -> Result<(), Error> {
    let (approval, job) = (occasion.approval.clone(), occasion.job.clone());
    let work = ExportWork {
        plan: plan.clone(),
        approval: approval.clone(),
        after: Base64Bytes(Vec::new()),
        written: 0,
        cards: 0,
    };
    let new = NewJob {
        id: job.clone(),
        work: Work::Export(Box::new(work)),
        approval: Some(approval.clone()),
        begun_at: occasion.now,
    };
    work::begin(tx, new)?;
    tx.put(&ExportRecord { approval, job })
}

/// Exports the cards of the next page.
///
/// # Errors
/// `EXPORT_EXCEEDS` ends the job; the store's.
pub async fn step(turn: &mut Turn, work: ExportWork) -> Result<Stepped, Error> {
    let vault = Arc::clone(turn.vault());
    if turn.job().total == 0 {
        let counted = Arc::clone(&vault);
        let total = tokio::task::spawn_blocking(move || retention::count(&counted, Tree::Cards, b"")).await;
        let total = total.map_err(|error| Error::Internal(error.to_string()))??;
        turn.commit(move |_, job| {
            job.total = total;
            Ok(())
        })
        .await?;
    }
    let page = page(&vault, &work)?;
    let Some(last) = page.last().cloned() else {
        return finish(turn, &work).await;
    };
    let (mut line, mut corrupt, mut looked, mut reached) = (Vec::new(), Vec::new(), 0u64, last);
    for key in page {
        match exported(&vault, &work.plan, &key) {
            Ok(Some(card)) => line.push(card),
            Ok(None) => {}
            Err(Error::Corrupt(why)) => corrupt.push((String::from_utf8_lossy(&key).into_owned(), why)),
            Err(other) => return Err(other),
        }
        looked += 1;
        if line.len() == MOST_ROWS {
            reached = key;
            break;
        }
    }
    let count = line.len() as u64;
    if work.cards + count > work.plan.most_cards {
        remove(&vault, &work.approval).await?;
        return Err(Error::conflict(
            "EXPORT_EXCEEDS",
            format!("The program has more than {} cards in use.", work.plan.most_cards),
        ));
    }
    let written = if line.is_empty() {
        work.written
    } else {
        write(&vault, &work, line).await?
    };
    for (card, why) in corrupt {
        turn.fail(&card, &why, |_| {}).await?;
    }
    turn.commit(move |_, job| {
        job.done += looked;
        if let Work::Export(work) = &mut job.work {
            (work.after, work.written) = (Base64Bytes(reached), written);
            work.cards += count;
        }
        Ok(())
    })
    .await?;
    Ok(Stepped::Did(looked))
}

fn page(vault: &OpenVault, work: &ExportWork) -> Result<Vec<Vec<u8>>, Error> {
    let after = if work.after.0.is_empty() {
        Bound::Unbounded
    } else {
        Bound::Excluded(work.after.0.as_slice())
    };
    let page = vault.surroundings.store.scan(Tree::Cards, b"", after, PAGE);
    let page = page.map_err(|error| Error::Store(error.to_string()))?;
    Ok(page.into_iter().map(|(key, _)| key).collect())
}

/// A card of the program that is in use, with its number; `None`: another.
fn exported(vault: &OpenVault, plan: &ExportPlan, key: &[u8]) -> Result<Option<(Card, Pan)>, Error> {
    let Some(stored) = vault.records.get::<Card>(key)? else {
        return Ok(None);
    };
    let card = stored.record;
    if card.program != plan.program || card.standing.permits_use().is_err() {
        return Ok(None);
    }
    let pan = vault.secrets(&card)?.pan(&card)?;
    Ok(Some((card, pan)))
}

/// Writes the events of a line's cards, then the line. Returns how long the file is now.
async fn write(vault: &Arc<OpenVault>, work: &ExportWork, line: Vec<(Card, Pan)>) -> Result<u64, Error> {
    let events = line.iter().map(|(card, _)| {
        let mut event = Event::done(Operation::Export, vault.surroundings.clock.now());
        event.program = Some(card.program.clone());
        event.holder = Some(card.holder.clone());
        event.card = Some(card.token.clone());
        event.emitted = true;
        event.note = Some(format!("{} {}", work.approval, work.plan.reason));
        vault.commit(event, |_, _| Ok(()))
    });
    try_join_all(events).await?;
    let (place, name, from) = (
        vault.surroundings.bulk.files.clone(),
        file_name(&work.approval),
        work.written,
    );
    let recipient = work.plan.recipient.clone();
    let vault = Arc::clone(vault);
    let written = tokio::task::spawn_blocking(move || -> Result<u64, Error> {
        let mut sealed = seal(&vault, &recipient, &line)?;
        sealed.push('\n');
        // What a crash left behind the cursor is cut off and written again.
        let mut draft: Draft = place.resume(&name, from).map_err(bulk_error)?;
        draft.append(sealed.as_bytes()).map_err(bulk_error)?;
        draft.sync().map_err(bulk_error)?;
        Ok(draft.written())
    });
    written
        .await
        .map_err(|error| Error::Internal(error.to_string()))?
}

fn seal(vault: &OpenVault, recipient: &PublicKey, line: &[(Card, Pan)]) -> Result<String, Error> {
    let mut json = Zeroizing::new(Vec::with_capacity(LINE_CAPACITY));
    json.extend_from_slice(b"{\"rows\":[");
    for (index, (card, pan)) in line.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        let exp = card.exp.to_string();
        // All of an alphabet that JSON need not escape.
        for part in [
            &b"{\"card\":\""[..],
            card.token.as_str().as_bytes(),
            b"\",\"cardNo\":\"",
            pan.as_bytes(),
            b"\",\"exp\":\"",
            exp.as_bytes(),
            b"\",\"holder\":\"",
            card.holder.as_str().as_bytes(),
            b"\"}",
        ] {
            json.extend_from_slice(part);
        }
    }
    json.extend_from_slice(b"]}");
    let sealed = vault.sealers.get(recipient).and_then(|sealer| sealer.seal(&json));
    sealed.map_err(|error| Error::Internal(error.to_string()))
}

async fn finish(turn: &mut Turn, work: &ExportWork) -> Result<Stepped, Error> {
    let place = turn.vault().surroundings.bulk.files.clone();
    let (name, written) = (file_name(&work.approval), work.written);
    let finished = tokio::task::spawn_blocking(move || {
        // A crash after this and before the end comes here again.
        if place.open(&name).is_ok() {
            return Ok(());
        }
        place.resume(&name, written)?.finish().map(drop)
    });
    let finished = finished
        .await
        .map_err(|error| Error::Internal(error.to_string()))?;
    finished.map_err(bulk_error)?;
    turn.end(JobState::Done, None, |_, job| {
        job.total = job.done + job.failed;
        Ok(())
    })
    .await?;
    Ok(Stepped::Ended)
}

/// Where the file of an export is that is done; its fetching is an event.
///
/// # Errors
/// No such export, or its file is gone; `EXPORT_NOT_DONE`.
pub async fn file(
    vault: &Arc<OpenVault>,
    mut event: Event,
    approval: &ApprovalToken,
) -> Result<std::fs::File, Error> {
    let record = vault.records.get::<ExportRecord>(&export_key(approval))?;
    let record = record.ok_or(Error::NotFound("export"))?.record;
    let job = work::find(vault, &record.job)?;
    if job.state != JobState::Done {
        return Err(Error::conflict(
            "EXPORT_NOT_DONE",
            "The export's job is not done.",
        ));
    }
    let (place, name) = (vault.surroundings.bulk.files.clone(), file_name(approval));
    let opened = tokio::task::spawn_blocking(move || place.open(&name)).await;
    let opened = opened.map_err(|error| Error::Internal(error.to_string()))?;
    let file = opened.map_err(|_| Error::NotFound("file of this export any more"))?;
    event.note = Some(format!("{approval} file fetched"));
    vault.commit(event, |_, _| Ok(())).await?;
    Ok(file)
}

/// Removes the files of ended exports after the time for which they are kept; of failed and aborted ones at once.
///
/// # Errors
/// The store's.
pub async fn clean(vault: &Arc<OpenVault>) -> Result<(), Error> {
    let exports: Vec<ExportRecord> = vault
        .records
        .scan(EXPORT.as_bytes(), Bound::Unbounded, MOST_EXPORTS)?;
    for export in exports {
        let job = match work::find(vault, &export.job) {
            Ok(job) => job,
            Err(Error::NotFound(_)) => continue,
            Err(other) => return Err(other),
        };
        let Some(ended) = job.ended_at else { continue };
        let kept_until = ended
            .unix_timestamp()
            .saturating_add(vault.surroundings.bulk.keep_seconds);
        if job.state == JobState::Done && kept_until > vault.now() {
            continue;
        }
        remove(vault, &export.approval).await?;
        let key = export.key();
        vault
            .records
            .transact(move |tx| tx.delete::<ExportRecord>(&key))
            .await?;
    }
    Ok(())
}

async fn remove(vault: &Arc<OpenVault>, approval: &ApprovalToken) -> Result<(), Error> {
    let (place, name) = (vault.surroundings.bulk.files.clone(), file_name(approval));
    let removed = tokio::task::spawn_blocking(move || place.remove(&name)).await;
    removed
        .map_err(|error| Error::Internal(error.to_string()))?
        .map_err(bulk_error)
}
