//! What happens by itself: destroying the secrets of cards whose grace time is over, and forgetting remembered answers.

use std::ops::Bound;
use std::sync::Arc;

use crate::audit::event::{Event, Operation};
use crate::crypto::fingerprint::PanFingerprint;
use crate::domain::card::{Card, Standing};
use crate::error::Error;
use crate::flows::erase::Erasure;
use crate::flows::issue::PanIndex;
use crate::flows::lookup::{TriesRecord, card_key};
use crate::idempotency::oldest_kept;
use crate::open_vault::OpenVault;
use crate::records::Record;
use crate::store::Tree;

/// Entries handled in one transaction: little enough not to hold up live traffic.
const BATCH: usize = 64;

/// Destroys the secrets of every card that is due. Returns how many.
///
/// # Errors
/// The store's. A corrupt card is left for the integrity check and does not stop the others.
pub async fn destroy_due(vault: &Arc<OpenVault>) -> Result<usize, Error> {
    let mut destroyed = 0;
    loop {
        let now = vault.now();
        let due: Vec<Erasure> = vault.records.scan(b"", Bound::Unbounded, BATCH)?;
        let due: Vec<Erasure> = due.into_iter().take_while(|erasure| erasure.due <= now).collect();
        if due.is_empty() {
            return Ok(destroyed);
        }
        for erasure in due {
            destroy(vault, erasure).await?;
            destroyed += 1;
        }
    }
}

/// Destroys data key, sealed fields, PAN index and counters of one card; token and masked number stay as a tombstone.
async fn destroy(vault: &Arc<OpenVault>, erasure: Erasure) -> Result<(), Error> {
    let mut event = Event::done(Operation::Destroy, vault.surroundings.clock.now());
    event.card = Some(erasure.card.clone());
    let fingerprints: Vec<PanFingerprint> = match vault.card(&erasure.card) {
        Ok(context) => {
            let card = &context.card.record;
            event.program = Some(card.program.clone());
            event.holder = Some(card.holder.clone());
            vault
                .secrets(card)
                .and_then(|secrets| secrets.pan(card))
                .map(|pan| vault.keyring().fingerprints(pan.as_bytes()).collect())
                .unwrap_or_default()
        }
        Err(Error::NotFound(_) | Error::Corrupt(_)) => Vec::new(),
        Err(other) => return Err(other),
    };
    let work = move |tx: &mut crate::records::Tx<'_, '_>, _: &mut Event| {
        let key = card_key(&erasure.card);
        tx.delete::<Erasure>(&erasure.key())?;
        let card = match tx.get::<Card>(&key) {
            // Restored in its grace time.
            Ok(Some(card)) if !matches!(card.standing, Standing::Closed { .. }) => return Ok(()),
            Ok(card) => card,
            // What cannot be read any more can still be destroyed.
            Err(Error::Corrupt(_)) => None,
            Err(other) => return Err(other),
        };
        for fingerprint in fingerprints {
            tx.delete::<PanIndex>(&fingerprint.to_key())?;
        }
        tx.delete_sealed(Tree::DataKeys, &key)?;
        tx.delete::<TriesRecord>(&key)?;
        let Some(mut card) = card else { return Ok(()) };
        card.standing = Standing::Destroyed;
        (card.pan, card.cvv, card.pin) = (None, None, None);
        tx.put(&card)
    };
    vault.commit(event, work).await
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
