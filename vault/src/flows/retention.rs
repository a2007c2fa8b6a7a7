//! What is kept and what is gone (PCI DSS 3.2.1): the halt of destructions, the closing of expired cards, the record of
//! what was destroyed and purged, and the report of all that.

use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::ids::{ApprovalToken, CardToken, ProgramName};
use shared::vault_api::notices::NoticeKind;
use shared::vault_api::reports::{DestroyedCard, RetentionReport};
use time::OffsetDateTime;

use super::backup::{self, BackupRecord};
use super::erase::Erasure;
use super::govern::Occasion;
use super::lookup::card_key;
use super::{notices, purge};
use crate::audit::event::{Event, Operation};
use crate::domain::card::{Card, Standing};
use crate::domain::retention::{KeptEpoch, MOST_HALT_HOURS, beyond_recovery};
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;

/// Destroyed cards in one report.
const MOST_SHOWN: usize = 1000;
/// Records read at once.
const PAGE: usize = 256;

const HALT: &[u8] = b"halt";
const DESTROYED: &[u8] = b"destroyed/";
const SECONDS_PER_HOUR: i64 = 3600;

/// Until when nothing is destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Unix seconds.
    pub until: i64,
    /// What two officers agreed on.
    pub approval: ApprovalToken,
}

impl Record for Halt {
    const TREE: Tree = Tree::Retention;
    fn key(&self) -> Vec<u8> {
        HALT.to_vec()
    }
}

/// A card whose secrets were destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destroyed {
    /// The card.
    pub card: CardToken,
    /// Its program; absent for a record that did not open any more.
    pub program: Option<ProgramName>,
    /// Unix seconds.
    pub at: i64,
    /// The epoch in which that was: its secret and earlier ones open copies that still have the card.
    pub epoch: u32,
}

impl Record for Destroyed {
    const TREE: Tree = Tree::Retention;
    fn key(&self) -> Vec<u8> {
        // The newest first.
        let age = u64::MAX - u64::try_from(self.at).unwrap_or(0);
        [DESTROYED, &age.to_be_bytes(), &card_key(&self.card)].concat()
    }
}

/// Whether destroying may be halted for so long.
///
/// # Errors
/// `HALT_TOO_LONG`.
pub fn check_halt(hours: u16) -> Result<(), Error> {
    if hours <= MOST_HALT_HOURS {
        Ok(())
    } else {
        Err(Error::conflict(
            "HALT_TOO_LONG",
            format!(
                "Destroying is halted for {MOST_HALT_HOURS} hours at most; after that it is agreed on again."
            ),
        ))
    }
}

/// Halts destroying for so many hours from the approval on, or takes it up again.
///
/// # Errors
/// `HALT_TOO_LONG`; the store's.
pub fn halt(tx: &mut Tx<'_, '_>, hours: u16, occasion: &Occasion) -> Result<(), Error> {
    check_halt(hours)?;
    if hours == 0 {
        return tx.delete::<Halt>(HALT);
    }
    let until = occasion
        .now
        .unix_timestamp()
        .saturating_add(i64::from(hours) * SECONDS_PER_HOUR);
    tx.put(&Halt {
        until,
        approval: occasion.approval.clone(),
    })
}

/// Until when destroying is halted, as this transaction sees it; `None`: it is not.
///
/// # Errors
/// The store's.
pub fn halted(tx: &mut Tx<'_, '_>, now: i64) -> Result<Option<i64>, Error> {
    let halt: Option<Halt> = tx.get(HALT)?;
    Ok(halt.map(|halt| halt.until).filter(|until| *until > now))
}

/// The same, outside a transaction.
///
/// # Errors
/// The store's.
pub fn halted_until(vault: &OpenVault) -> Result<Option<i64>, Error> {
    let halt = vault.records.get::<Halt>(HALT)?;
    Ok(halt
        .map(|stored| stored.record.until)
        .filter(|until| *until > vault.now()))
}

/// When a card was last destroyed, Unix seconds.
///
/// # Errors
/// The store's.
pub fn last_destroyed(vault: &OpenVault) -> Result<Option<i64>, Error> {
    let newest: Vec<Destroyed> = vault.records.scan(DESTROYED, Bound::Unbounded, 1)?;
    Ok(newest.first().map(|destroyed| destroyed.at))
}

/// Closes, as erasing does, every card that expired longer ago than the configuration keeps them. Returns how many. Reads
/// every card, so it is run once a day.
///
/// # Errors
/// The store's. A card that does not open is left for the integrity check.
pub async fn close_expired(vault: &Arc<OpenVault>) -> Result<usize, Error> {
    if vault.surroundings.retention.close_after_expiry_days.is_none() {
        return Ok(0);
    }
    let (mut closed, mut from) = (0, Vec::new());
    loop {
        let store = vault.surroundings.store.clone();
        let after = if from.is_empty() {
            Bound::Unbounded
        } else {
            Bound::Excluded(from.as_slice())
        };
        let page = store.scan(Tree::Cards, b"", after, PAGE);
        let page = page.map_err(|error| Error::Store(error.to_string()))?;
        let Some((last, _)) = page.last() else {
            return Ok(closed);
        };
        from = last.clone();
        let now = vault.surroundings.clock.now();
        for (key, _) in &page {
            let card = match vault.records.get::<Card>(key) {
                Ok(Some(stored)) => stored.record,
                Ok(None) | Err(Error::Corrupt(_)) => continue,
                Err(other) => return Err(other),
            };
            let open = matches!(card.standing, Standing::Open | Standing::LockedFinally { .. });
            if open && vault.surroundings.retention.closes(card.last_end(), now) {
                match close(vault, card).await {
                    Ok(()) => closed += 1,
                    // It goes on since.
                    Err(Error::Raced) => {}
                    Err(other) => return Err(other),
                }
            }
        }
    }
}

async fn close(vault: &Arc<OpenVault>, card: Card) -> Result<(), Error> {
    let mut event = Event::done(Operation::Erase, vault.surroundings.clock.now());
    event.note = Some(format!("expired {}", card.exp));
    let judged = card.last_end();
    (event.card, event.holder, event.program) =
        (Some(card.token.clone()), Some(card.holder), Some(card.program));
    let due = vault
        .now()
        .saturating_add(vault.surroundings.retention.grace_seconds);
    let at = vault.surroundings.clock.now();
    let work = move |tx: &mut Tx<'_, '_>, _: &mut Event| {
        let card: Option<Card> = tx.get(&card_key(&card.token))?;
        let mut card = card.ok_or(Error::NotFound("card"))?;
        if card.last_end() != judged {
            return Err(Error::Raced);
        }
        card.standing = card.standing.close(due);
        if matches!(card.standing, Standing::Closed { destroy_at, .. } if destroy_at == due) {
            let card_token = card.token.clone();
            tx.put(&Erasure {
                due,
                card: card_token.clone(),
            })?;
            tx.put(&card)?;
            notices::write(tx, NoticeKind::Erased, card_token, None, at)?;
        }
        Ok(())
    };
    vault.commit(event, work).await
}

/// The report. Counts every card, a second for a million: off the async threads.
///
/// # Errors
/// The store's.
pub async fn report(vault: &Arc<OpenVault>) -> Result<RetentionReport, Error> {
    let vault = Arc::clone(vault);
    let made = tokio::task::spawn_blocking(move || make_report(&vault)).await;
    made.map_err(|error| Error::Internal(error.to_string()))?
}

fn make_report(vault: &OpenVault) -> Result<RetentionReport, Error> {
    let rules = vault.surroundings.retention;
    let done = purge::done(vault)?;
    let backups = backup::all(&vault.records)?;
    let kept_epochs: Vec<KeptEpoch> = backups.iter().map(BackupRecord::kept_epoch).collect();
    let cards = vault
        .records
        .scan::<Destroyed>(DESTROYED, Bound::Unbounded, MOST_SHOWN)?;
    let shown = cards.iter().map(|card| {
        let beyond = beyond_recovery(card.at, card.epoch, &done, &kept_epochs);
        Ok(DestroyedCard {
            card: card.card.clone(),
            program: card.program.clone(),
            destroyed_at: moment(card.at)?,
            beyond_recovery_at: beyond.map(moment).transpose()?,
        })
    });
    let (in_grace, destroyed) = (
        count(vault, Tree::Erasures, b"")?,
        count(vault, Tree::Retention, DESTROYED)?,
    );
    Ok(RetentionReport {
        as_of: vault.surroundings.clock.now(),
        grace_days: u16::try_from(rules.grace_seconds / (24 * SECONDS_PER_HOUR)).unwrap_or(u16::MAX),
        close_after_expiry_days: rules.close_after_expiry_days,
        halted_until: halted_until(vault)?.map(moment).transpose()?,
        kept: count(vault, Tree::Cards, b"")?
            .saturating_sub(in_grace)
            .saturating_sub(destroyed),
        in_grace,
        destroyed,
        purged_at: done.first().map(|purge| moment(purge.ended_at)).transpose()?,
        cards: shown.collect::<Result<_, Error>>()?,
    })
}

/// How many entries a tree has under a prefix. Reads them all.
///
/// # Errors
/// The store's.
pub fn count(vault: &OpenVault, tree: Tree, prefix: &[u8]) -> Result<u64, Error> {
    let (mut total, mut from) = (0u64, Vec::new());
    loop {
        let after = if from.is_empty() {
            Bound::Unbounded
        } else {
            Bound::Excluded(from.as_slice())
        };
        let page = vault.surroundings.store.scan(tree, prefix, after, PAGE);
        let page = page.map_err(|error| Error::Store(error.to_string()))?;
        let Some((last, _)) = page.last() else {
            return Ok(total);
        };
        total += page.len() as u64;
        from.clone_from(last);
    }
}

fn moment(seconds: i64) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| Error::Corrupt(error.to_string()))
}
