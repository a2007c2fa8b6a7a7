//! What happens by itself: destroying the secrets of cards whose grace time is over, and forgetting remembered answers.

use std::ops::Bound;
use std::sync::Arc;

use crate::audit::event::{Event, Operation};
use crate::crypto::fingerprint::{PanFingerprint, subject};
use crate::domain::card::{Card, Standing};
use crate::error::Error;
use crate::flows::erase::Erasure;
use crate::flows::issue::PanIndex;
use crate::flows::lookup::{TriesRecord, card_key};
use crate::flows::retention::{self, Destroyed};
use crate::flows::{orders, purge};
use crate::idempotency::oldest_kept;
use crate::open_vault::OpenVault;
use crate::records::Record;
use crate::store::Tree;

/// Entries handled in one transaction: little enough not to hold up live traffic.
const BATCH: usize = 64;

/// Destroys the secrets of every card that is due, unless two officers halted that. Returns how many.
///
/// # Errors
/// The store's. A corrupt card is left for the integrity check and does not stop the others.
pub async fn destroy_due(vault: &Arc<OpenVault>) -> Result<usize, Error> {
    let (mut destroyed, mut from) = (0, Vec::new());
    loop {
        if retention::halted_until(vault)?.is_some() {
            return Ok(destroyed);
        }
        // By their keys alone: what says that a card is due need not open for that.
        let after = if from.is_empty() {
            Bound::Unbounded
        } else {
            Bound::Excluded(from.as_slice())
        };
        let page = vault.surroundings.store.scan(Tree::Erasures, b"", after, BATCH);
        let page = page.map_err(|error| Error::Store(error.to_string()))?;
        let due = page.iter().filter_map(|(key, _)| Erasure::from_key(key));
        let due: Vec<Erasure> = due.filter(|erasure| erasure.due <= vault.now()).collect();
        match page.last() {
            Some((last, _)) if !due.is_empty() => from = last.clone(),
            _ => return Ok(destroyed),
        }
        for erasure in due {
            match destroy(vault, &erasure).await {
                Ok(()) => destroyed += 1,
                // Halted meanwhile, or its turn comes again with the next sweep.
                Err(Error::Raced) => {}
                Err(other) => return Err(other),
            }
        }
    }
}

/// Destroys data key, sealed fields, PAN index and counters of one card; token and masked number stay as a tombstone.
async fn destroy(vault: &Arc<OpenVault>, erasure: &Erasure) -> Result<(), Error> {
    let mut event = Event::done(Operation::Destroy, vault.surroundings.clock.now());
    event.card = Some(erasure.card.clone());
    let unreadable = |error: &Error| {
        matches!(
            error,
            Error::NotFound(_) | Error::Corrupt(_) | Error::UnknownKeyVersion(_)
        )
    };
    let fingerprints: Vec<PanFingerprint> = match vault.card(&erasure.card) {
        Ok(context) => {
            let card = &context.card.record;
            event.program = Some(card.program.clone());
            event.holder = Some(card.holder.clone());
            match fingerprints_of(vault, card) {
                Err(error) if unreadable(&error) => Vec::new(),
                found => found?,
            }
        }
        Err(error) if unreadable(&error) => Vec::new(),
        Err(other) => return Err(other),
    };
    let at = vault.now();
    let erasure = erasure.clone();
    let work = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut Event| {
        if retention::halted(tx, at)?.is_some() {
            return Err(Error::Raced);
        }
        // After the beginning of a purge that runs now: that one may have wrapped this card's data key anew already.
        let at = purge::running_since(tx)?.map_or(at, |begun| at.max(begun + 1));
        let key = card_key(&erasure.card);
        tx.delete::<Erasure>(&erasure.key())?;
        let card = match tx.get::<Card>(&key) {
            // Restored in its grace time, or closed again since.
            Ok(Some(card)) if !matches!(card.standing, Standing::Closed { destroy_at, .. } if destroy_at <= erasure.due) =>
            {
                return Ok(());
            }
            Ok(card) => card,
            // What cannot be read any more can still be destroyed.
            Err(Error::Corrupt(_) | Error::UnknownKeyVersion(_)) => {
                tx.delete_sealed(Tree::Cards, &key)?;
                None
            }
            Err(other) => return Err(other),
        };
        if let Some(active) = fingerprints.first() {
            // A rotation that began meanwhile may have moved the entry to a key that is not among these.
            tx.require_active(active)?;
        }
        for fingerprint in fingerprints {
            tx.delete::<PanIndex>(&fingerprint.to_key())?;
        }
        tx.delete_sealed(Tree::DataKeys, &key)?;
        tx.delete::<TriesRecord>(&key)?;
        tx.put(&Destroyed {
            card: erasure.card,
            program: card.as_ref().map(|card| card.program.clone()),
            at,
            epoch: tx.keyring().epoch(),
        })?;
        let Some(mut card) = card else { return Ok(()) };
        orders::forget_person(tx, &card)?;
        card.standing = Standing::Destroyed;
        (card.pan, card.cvv, card.pin, card.next) = (None, None, None, None);
        tx.put(&card)
    };
    vault.commit(event, work).await
}

/// Under which keys the number of a card may be found.
fn fingerprints_of(vault: &OpenVault, card: &Card) -> Result<Vec<PanFingerprint>, Error> {
    let pan = vault.secrets(card)?.pan(card)?;
    let subject = subject(pan.as_bytes(), card.reach());
    Ok(vault.keyring().fingerprints(&subject).collect())
}

/// Forgets remembered answers that are older than a day. Returns how many.
///
/// # Errors
/// The store's.
pub async fn forget_answers(vault: &Arc<OpenVault>) -> Result<usize, Error> {
    let keep_from = oldest_kept(vault.now());
    let mut forgotten = 0;
    loop {
        let store = &vault.surroundings.store;
        let old = store.scan(Tree::Idempotency, b"", Bound::Unbounded, BATCH);
        let old = old.map_err(|error| Error::Store(error.to_string()))?;
        let old: Vec<Vec<u8>> = old
            .into_iter()
            .map(|(key, _)| key)
            .take_while(|key| key.as_slice() < keep_from.as_slice())
            .collect();
        if old.is_empty() {
            return Ok(forgotten);
        }
        forgotten += old.len();
        vault
            .records
            .transact(move |tx| {
                old.iter()
                    .try_for_each(|key| tx.delete_sealed(Tree::Idempotency, key))
            })
            .await?;
    }
}
