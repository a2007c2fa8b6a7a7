//! Challenges and spent identifiers in the store, for several processes that share one. Taking one is a transaction, so of
//! two proofs with the same nonce, at whichever processes, one is late.
//!
//! Keys begin with the time at which they are over, in steps of a lifetime: what is over is the front of its kind, and a
//! look-up tries the two steps in which its entry can lie. Neither nonce nor holder stands in a key, only hashes.

use std::ops::Bound;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use shared::ids::Nonce;

use super::{JTI_SECONDS, LIFETIME_SECONDS, MOST_OPEN, NotFresh, Purpose, TooManyOpen, identifier_of};
use crate::bytes::Base64Bytes;
use crate::error::Error;
use crate::records::{Record, Records, Tx};
use crate::store::Tree;

const OPEN: u8 = 1;
const SPENT: u8 = 2;
/// Entries deleted in one transaction.
const BATCH: usize = 256;

/// An open challenge, or an identifier that was spent.
#[derive(Serialize, Deserialize)]
struct Entry {
    key: Base64Bytes,
    /// When it is over, unix seconds.
    until: i64,
}

impl Record for Entry {
    const TREE: Tree = Tree::Challenges;
    fn key(&self) -> Vec<u8> {
        self.key.0.clone()
    }
}

/// Entries of a kind that are over in the same step of time lie together.
fn front(kind: u8, step: i64) -> Vec<u8> {
    let step = u64::try_from(step).unwrap_or(0);
    [&[kind][..], &step.to_be_bytes()].concat()
}

/// The two steps in which something lies that is over after now and within a lifetime.
fn steps(now: i64, lifetime: i64) -> [i64; 2] {
    [now / lifetime, now / lifetime + 1]
}

fn purpose_hash(purpose: &Purpose) -> Vec<u8> {
    let text = match purpose {
        Purpose::Holder(holder) => format!("holder/{holder}"),
        Purpose::Card(holder, card) => format!("card/{holder}/{card}"),
    };
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

fn open_key(step: i64, purpose: &Purpose, nonce: &Nonce) -> Vec<u8> {
    let nonce = digest(&SHA256, nonce.to_string().as_bytes());
    [front(OPEN, step), purpose_hash(purpose), nonce.as_ref().to_vec()].concat()
}

pub(super) fn open(
    tx: &mut Tx<'_, '_>,
    purpose: Purpose,
    nonce: &Nonce,
    now: i64,
) -> Result<Result<i64, TooManyOpen>, Error> {
    let mut open = 0;
    for step in steps(now, LIFETIME_SECONDS) {
        let prefix = [front(OPEN, step), purpose_hash(&purpose)].concat();
        let entries: Vec<Entry> = tx.scan(&prefix, Bound::Unbounded, MOST_OPEN + 1)?;
        open += entries.iter().filter(|entry| entry.until > now).count();
    }
    if open >= MOST_OPEN {
        return Ok(Err(TooManyOpen));
    }
    let until = now + LIFETIME_SECONDS;
    let key = Base64Bytes(open_key(until / LIFETIME_SECONDS, &purpose, nonce));
    tx.put(&Entry { key, until })?;
    Ok(Ok(until))
}

pub(super) fn is_open(
    records: &Records,
    purpose: &Purpose,
    nonce: &Nonce,
    now: i64,
) -> Result<Result<(), NotFresh>, Error> {
    for step in steps(now, LIFETIME_SECONDS) {
        let entry = records.get::<Entry>(&open_key(step, purpose, nonce))?;
        if entry.is_some_and(|entry| entry.record.until > now) {
            return Ok(Ok(()));
        }
    }
    Ok(Err(NotFresh::Nonce))
}

pub(super) fn spend(
    tx: &mut Tx<'_, '_>,
    purpose: &Purpose,
    nonce: &Nonce,
    jti: &str,
    now: i64,
) -> Result<Result<(), NotFresh>, Error> {
    let mut found = None;
    for step in steps(now, LIFETIME_SECONDS) {
        let key = open_key(step, purpose, nonce);
        if tx.get::<Entry>(&key)?.is_some_and(|entry| entry.until > now) {
            found = Some(key);
        }
    }
    let Some(found) = found else {
        return Ok(Err(NotFresh::Nonce));
    };
    tx.delete::<Entry>(&found)?;
    let identifier = identifier_of(purpose, jti);
    let spent_key = |step| [front(SPENT, step), identifier.to_vec()].concat();
    for step in steps(now, JTI_SECONDS) {
        if tx
            .get::<Entry>(&spent_key(step))?
            .is_some_and(|entry| entry.until > now)
        {
            return Ok(Err(NotFresh::Jti));
        }
    }
    let until = now + JTI_SECONDS;
    let key = Base64Bytes(spent_key(until / JTI_SECONDS));
    tx.put(&Entry { key, until })?;
    Ok(Ok(()))
}

/// Deletes what lies before the present step of its kind.
pub(super) async fn sweep(records: &Records, now: i64) -> Result<(), Error> {
    for (kind, lifetime) in [(OPEN, LIFETIME_SECONDS), (SPENT, JTI_SECONDS)] {
        let keep_from = front(kind, now / lifetime);
        loop {
            let old: Vec<Vec<u8>> = records
                .keys::<Entry>(&[kind], BATCH)?
                .into_iter()
                .take_while(|key| *key < keep_from)
                .collect();
            if old.is_empty() {
                break;
            }
            let delete = move |tx: &mut Tx<'_, '_>| old.iter().try_for_each(|key| tx.delete::<Entry>(key));
            records.transact(delete).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_over_lies_in_one_of_two_steps() {
        for now in 0..200 {
            for until in now + 1..=now + LIFETIME_SECONDS {
                assert!(
                    steps(now, LIFETIME_SECONDS).contains(&(until / LIFETIME_SECONDS)),
                    "{now} {until}"
                );
            }
        }
    }

    #[test]
    fn what_is_over_lies_before_what_is_not() {
        let (now, kind) = (1_800_000_030, OPEN);
        assert!(front(kind, (now - 60) / 60) < front(kind, now / 60));
        assert!(front(OPEN, i64::MAX) < front(SPENT, 0));
    }
}
