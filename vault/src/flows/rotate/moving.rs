//! Moves values to the new version: opened and sealed anew off the commit thread, then compared and replaced in one
//! transaction with the cursor. What was changed meanwhile is left for the next pass; what does not open is named and
//! left.

use std::ops::Bound;
use std::sync::Arc;

use shared::ids::CardToken;
use zeroize::Zeroizing;

use super::plan::{Phase, Rotating, Target};
use crate::crypto::aad::Field;
use crate::crypto::aead;
use crate::crypto::fingerprint::subject;
use crate::domain::card::{Card, Standing};
use crate::error::Error;
use crate::flows::issue::PanIndex;
use crate::flows::lookup::card_key;
use crate::flows::secrets::CardSecrets;
use crate::keys::data_key::WrappedDataKey;
use crate::open_vault::OpenVault;
use crate::records::{Stored, Tx};
use crate::store::Tree;
use crate::work::{Failed, Stepped, Turn};

/// Most bytes in one batch: a fraction of a transaction, so that a reveal in the same group is not held up.
const BATCH_BYTES: usize = 64 * 1024;

/// What becomes of one value.
enum Change {
    /// Another value in its place, if it is still what it was.
    Replace {
        tree: Tree,
        key: Vec<u8>,
        before: Vec<u8>,
        after: Vec<u8>,
    },
    /// A data key under the new KEK.
    Rewrap {
        key: Vec<u8>,
        before: Vec<u8>,
        after: WrappedDataKey,
    },
    /// A new data key, and the card's fields under it.
    Renew {
        before: Vec<u8>,
        stored: Box<Stored<Card>>,
        card: Box<Card>,
        after: WrappedDataKey,
    },
    /// An index entry under the new key.
    Index {
        before: Vec<u8>,
        old: Vec<u8>,
        new: Option<PanIndex>,
    },
}

/// Entries of a tree, judged.
struct Batch {
    last: Option<Vec<u8>>,
    seen: u64,
    changes: Vec<Change>,
    failed: Vec<Failed>,
}

/// Does the next batch; after the last tree the scan begins.
pub(super) async fn step(turn: &mut Turn, rotating: &Rotating) -> Result<Stepped, Error> {
    let Some(tree) = rotating.tree() else {
        turn.commit(|_, job| {
            let rotating = Rotating::in_job(job)?;
            rotating.left = 0;
            rotating.rewind(Phase::Scan);
            job.state = shared::vault_api::jobs::JobState::Verifying;
            Ok(())
        })
        .await?;
        return Ok(Stepped::Did(0));
    };
    let (vault, at, size) = (Arc::clone(turn.vault()), rotating.clone(), turn.batch());
    let judged = tokio::task::spawn_blocking(move || judge(&vault, &at, tree, size)).await;
    let batch = judged.map_err(|error| Error::Internal(error.to_string()))??;
    // An item that fails costs as much as one that does not.
    let (items, first_pass) = (batch.seen, rotating.passes == 1);
    let now = turn.vault().surroundings.clock.now();
    turn.commit(move |tx, job| {
        let intact = batch.seen.saturating_sub(batch.failed.len() as u64);
        for failed in batch.failed {
            Turn::fail_in(tx, job, now, failed)?;
        }
        let mut moved = 0;
        for change in batch.changes {
            moved += u64::from(apply(tx, change)?);
        }
        // A further pass is over what the first one counted already.
        job.done += if first_pass { intact } else { moved };
        Rotating::in_job(job)?.go_on(batch.last);
        Ok(())
    })
    .await?;
    Ok(Stepped::Did(items))
}

/// Reads the next entries and makes what takes their place.
fn judge(vault: &OpenVault, rotating: &Rotating, tree: Tree, size: usize) -> Result<Batch, Error> {
    let from = rotating
        .cursor
        .as_ref()
        .map_or(Bound::Unbounded, |cursor| Bound::Excluded(cursor.0.as_slice()));
    let entries = vault.surroundings.store.scan(tree, b"", from, size);
    let mut entries = entries.map_err(|error| Error::Store(error.to_string()))?;
    let complete = entries.len() < size;
    let mut bytes = 0;
    let fitting = entries.iter().take_while(|(key, value)| {
        bytes += key.len() + value.len();
        bytes <= BATCH_BYTES
    });
    // One entry always fits a transaction.
    let fitting = fitting.count().max(1).min(entries.len());
    let complete = complete && fitting == entries.len();
    entries.truncate(fitting);
    let last = entries.last().map(|(key, _)| key.clone()).filter(|_| !complete);
    let mut batch = Batch {
        last,
        seen: entries.len() as u64,
        changes: Vec::new(),
        failed: Vec::new(),
    };
    let target = rotating.target()?;
    for (key, value) in entries {
        if is_moved(target, rotating.to, &key, &value) {
            continue;
        }
        match change(vault, target, tree, (&key, &value)) {
            Ok(change) => batch.changes.extend(change),
            Err(error @ (Error::Corrupt(_) | Error::UnknownKeyVersion(_))) => {
                batch
                    .failed
                    .push(Failed::of(&format!("{} {}", tree.name(), shown(&key)), &error));
            }
            // Changed between two readings: the next pass finds it.
            Err(Error::Raced) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(batch)
}

/// The key of a record, in a form that can be read and looked up.
fn shown(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if text.chars().all(|letter| letter.is_ascii_graphic()) => text.to_owned(),
        _ => crate::audit::note::hex(key),
    }
}

/// Whether a value refers to the new version already.
pub(super) fn is_moved(target: Target, to: u32, key: &[u8], value: &[u8]) -> bool {
    let version = match target {
        Target::Fingerprint => key.first_chunk::<4>().map(|version| u32::from_be_bytes(*version)),
        Target::CardKek | Target::DataKeys | Target::Records => aead::key_version(value).ok(),
    };
    version == Some(to)
}

fn change(
    vault: &OpenVault,
    target: Target,
    tree: Tree,
    (key, before): (&[u8], &[u8]),
) -> Result<Option<Change>, Error> {
    match target {
        Target::Records => reseal(vault, tree, key, before).map(Some),
        Target::CardKek => rewrap(vault, key, before).map(Some),
        Target::DataKeys => renew(vault, key, before).map(Some),
        Target::Fingerprint => index(vault, key, before),
    }
}

fn reseal(vault: &OpenVault, tree: Tree, key: &[u8], before: &[u8]) -> Result<Change, Error> {
    let keyring = vault.keyring();
    let plain = keyring.open_record(tree, key, before);
    let plain = plain.map_err(|error| Error::of_opening(tree.name(), &error))?;
    let after = keyring.seal_record(tree, key, &plain);
    let after = after.map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Change::Replace {
        tree,
        key: key.to_vec(),
        before: before.to_vec(),
        after,
    })
}

/// The card that a data key is of: its program is part of the key's name.
fn card_of(vault: &OpenVault, key: &[u8]) -> Result<Stored<Card>, Error> {
    let card = vault.records.get::<Card>(key)?;
    card.ok_or_else(|| Error::Corrupt("the card of this data key is missing".to_owned()))
}

fn rewrap(vault: &OpenVault, key: &[u8], before: &[u8]) -> Result<Change, Error> {
    let card = card_of(vault, key)?.record;
    let wrapped = WrappedDataKey::from_bytes(before.to_vec());
    let keyring = vault.keyring();
    let data_key = keyring.unwrap_data_key(&card.program, &card.token, &wrapped);
    let data_key = data_key.map_err(|error| Error::of_opening("data key", &error))?;
    let after = keyring.wrap_data_key(&card.program, &card.token, &data_key);
    let after = after.map_err(crate::flows::secrets::of_wrapping)?;
    Ok(Change::Rewrap {
        key: key.to_vec(),
        before: before.to_vec(),
        after,
    })
}

/// A new data key for a card, and its fields under it.
fn renew(vault: &OpenVault, key: &[u8], before: &[u8]) -> Result<Change, Error> {
    let stored = card_of(vault, key)?;
    let mut card = stored.record.clone();
    let keyring = vault.keyring();
    let old = CardSecrets::unwrap(&keyring, &card, before.to_vec())?;
    let (new, after) = old.renew(&keyring, &card)?;
    let was = &stored.record;
    for (field, sealed, next) in [
        (Field::Pan, &was.pan, &mut card.pan),
        (Field::Cvv, &was.cvv, &mut card.cvv),
        (Field::Pin, &was.pin, &mut card.pin),
    ] {
        if let Some(sealed) = sealed {
            *next = Some(old.reseal(&new, field, was, sealed)?);
        }
    }
    if let Some(next) = card.next.as_mut()
        && let Some(sealed) = &next.cvv
    {
        next.cvv = Some(old.reseal(&new, Field::NextCvv, was, sealed)?);
    }
    Ok(Change::Renew {
        before: before.to_vec(),
        stored: Box::new(stored),
        card: Box::new(card),
        after,
    })
}

/// An index entry under the active key; none for a card whose number is gone.
fn index(vault: &OpenVault, key: &[u8], before: &[u8]) -> Result<Option<Change>, Error> {
    let Some(entry) = vault.records.get::<PanIndex>(key)? else {
        return Ok(None);
    };
    let token = entry.record.card;
    let new = match subject_of(vault, &token)? {
        Some(subject) => {
            let keyring = vault.keyring();
            let keys: Vec<Vec<u8>> = keyring.fingerprints(&subject).map(|one| one.to_key()).collect();
            if !keys.iter().any(|own| own == key) {
                return Err(Error::Corrupt("the entry is not of its card's number".to_owned()));
            }
            Some(PanIndex::new(&keyring.fingerprint(&subject), token))
        }
        None => None,
    };
    Ok(Some(Change::Index {
        before: before.to_vec(),
        old: key.to_vec(),
        new,
    }))
}

/// What the index entry of a card is made of; none when its secrets were destroyed.
fn subject_of(vault: &OpenVault, token: &CardToken) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let key = card_key(token);
    let data_key = vault.surroundings.store.get(Tree::DataKeys, &key);
    let data_key = data_key.map_err(|error| Error::Store(error.to_string()))?;
    let card = match (vault.records.get::<Card>(&key), &data_key) {
        (Ok(Some(card)), _) => card.record,
        // Erased although it could not be read.
        (Ok(None) | Err(Error::Corrupt(_) | Error::UnknownKeyVersion(_)), None) => return Ok(None),
        (Ok(None), Some(_)) => return Err(Error::Corrupt("the card of this entry is missing".to_owned())),
        (Err(error), _) => return Err(error),
    };
    if card.standing == Standing::Destroyed {
        return Ok(None);
    }
    let pan = vault.secrets(&card)?.pan(&card)?;
    Ok(Some(subject(pan.as_bytes(), card.reach())))
}

/// Puts a change in place, if nothing was faster. Says whether it did.
fn apply(tx: &mut Tx<'_, '_>, change: Change) -> Result<bool, Error> {
    let is = |tx: &mut Tx<'_, '_>, tree, key: &[u8], before: &[u8]| -> Result<bool, Error> {
        Ok(tx.get_sealed(tree, key)?.as_deref() == Some(before))
    };
    match change {
        Change::Replace {
            tree,
            key,
            before,
            after,
        } => {
            let unchanged = is(tx, tree, &key, &before)?;
            if unchanged {
                tx.put_sealed(tree, &key, after)?;
            }
            Ok(unchanged)
        }
        Change::Rewrap { key, before, after } => {
            let unchanged = is(tx, Tree::DataKeys, &key, &before)?;
            if unchanged {
                tx.put_data_key(&key, after)?;
            }
            Ok(unchanged)
        }
        Change::Renew {
            before,
            stored,
            card,
            after,
        } => {
            let key = card_key(&card.token);
            let unchanged = is(tx, Tree::DataKeys, &key, &before)? && tx.is_unchanged(&stored)?;
            if unchanged {
                tx.put_data_key(&key, after)?;
                tx.put(&*card)?;
            }
            Ok(unchanged)
        }
        Change::Index { before, old, new } => {
            let unchanged = is(tx, Tree::Fingerprints, &old, &before)?;
            if unchanged {
                tx.delete::<PanIndex>(&old)?;
                if let Some(new) = new {
                    tx.put(&new)?;
                }
            }
            Ok(unchanged)
        }
    }
}

/// Entries as the first batch found them.
#[cfg(test)]
pub(super) struct Judged(Batch);

#[cfg(test)]
pub(super) fn judged_for_test(vault: &OpenVault, rotating: &Rotating) -> Judged {
    let tree = rotating.tree().expect("a tree to walk");
    Judged(judge(vault, rotating, tree, 100).expect("readable entries"))
}

#[cfg(test)]
impl Judged {
    /// Puts in place what can be; says how many that were.
    pub(super) async fn put_for_test(self, vault: &Arc<OpenVault>) -> usize {
        let put = vault.transact(move |tx| {
            let mut put = 0;
            for change in self.0.changes {
                put += usize::from(apply(tx, change)?);
            }
            Ok(put)
        });
        put.await.expect("a transaction")
    }
}
