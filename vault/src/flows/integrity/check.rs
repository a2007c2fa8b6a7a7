//! What must hold for each entry.

use std::ops::Bound;

use serde::de::{DeserializeOwned, IgnoredAny};
use shared::ids::CardToken;

use crate::crypto::fingerprint::{PanFingerprint, subject};
use crate::domain::card::{Card, Standing};
use crate::domain::holder::{EnrolledKey, Holder};
use crate::error::Error;
use crate::flows::erase::Erasure;
use crate::flows::issue::PanIndex;
use crate::flows::lookup::card_key;
use crate::flows::orders::OrderRecord;
use crate::flows::secrets::CardSecrets;
use crate::keys::keyring::Keyring;
use crate::records::record_name;
use crate::registers::{PartyRecord, ProgramRecord};
use crate::store::{EngineError, Entry, Snapshot, Tree};

/// What came of one batch.
pub(super) struct Batch {
    /// Entries looked at.
    pub(super) entries: u64,
    /// Entries that the commit record counts.
    pub(super) counted: u64,
    /// The last key, if there may be more.
    pub(super) last: Option<Vec<u8>>,
    pub(super) failures: Vec<Failure>,
}

/// Something that does not hold.
pub(super) struct Failure {
    pub(super) tree: Tree,
    /// The record.
    pub(super) item: String,
    /// What is wrong.
    pub(super) why: String,
}

/// Checks up to `limit` entries of `tree`.
///
/// # Errors
/// The store cannot be read.
pub(super) fn check_batch(
    keyring: &Keyring,
    snapshot: &Snapshot,
    tree: Tree,
    from: Bound<&[u8]>,
    limit: usize,
) -> Result<Batch, Error> {
    let entries = snapshot.scan(tree, b"", from, limit).map_err(unreadable)?;
    let checker = Checker { keyring, snapshot };
    let mut failures = Vec::new();
    for entry in &entries {
        if let Err(why) = checker.check(tree, entry)? {
            failures.push(Failure {
                tree,
                item: record_name(tree, &entry.0),
                why,
            });
        }
    }
    let is_own = |(key, _): &&Entry| tree == Tree::Meta && Snapshot::is_commit_record(key);
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let own = entries.iter().filter(is_own).count();
    Ok(Batch {
        entries: number(entries.len()),
        counted: number(entries.len() - own),
        last: entries
            .last()
            .filter(|_| entries.len() == limit)
            .map(|(key, _)| key.clone()),
        failures,
    })
}

pub(super) fn unreadable(error: EngineError) -> Error {
    match error {
        // No matter of waiting: the same would happen to the next snapshot.
        EngineError::SnapshotOutgrown => Error::conflict("SNAPSHOT_OUTGROWN", error.to_string()),
        other => Error::Store(other.to_string()),
    }
}

/// Why a record fails; the outer result is the store's.
type Verdict = Result<Result<(), String>, Error>;

struct Checker<'a> {
    keyring: &'a Keyring,
    snapshot: &'a Snapshot,
}

impl Checker<'_> {
    fn check(&self, tree: Tree, entry: &Entry) -> Verdict {
        match tree {
            // The store's own, and what the root key judged at unlock.
            Tree::Meta | Tree::Slots | Tree::Keks => Ok(Ok(())),
            Tree::DataKeys => self.data_key(entry),
            Tree::Cards => self.card(entry),
            Tree::Fingerprints => self.index(entry),
            Tree::HolderKeys => self.holder_key(entry),
            Tree::Orders => self.belongs_to_card::<OrderRecord>(tree, entry, |order| &order.card),
            Tree::Erasures => self.belongs_to_card::<Erasure>(tree, entry, |erasure| &erasure.card),
            Tree::Holders => Ok(self.read::<Holder>(tree, entry).map(drop)),
            Tree::Programs => Ok(self.read::<ProgramRecord>(tree, entry).map(drop)),
            Tree::Parties => Ok(self.read::<PartyRecord>(tree, entry).map(drop)),
            // Whether the tree of hashes is right is the auditors' to verify, without our word.
            Tree::Audit | Tree::AuditNodes => Ok(self.open(tree, entry).map(drop)),
            _ => Ok(self.sealed(tree, entry)),
        }
    }

    /// A record of some other room: it opens, and reads as JSON.
    fn sealed(&self, tree: Tree, entry: &Entry) -> Result<(), String> {
        self.read::<IgnoredAny>(tree, entry).map(drop)
    }

    fn open(&self, tree: Tree, (key, sealed): &Entry) -> Result<zeroize::Zeroizing<Vec<u8>>, String> {
        self.keyring
            .open_record(tree, key, sealed)
            .map_err(|error| error.to_string())
    }

    fn read<R: DeserializeOwned>(&self, tree: Tree, entry: &Entry) -> Result<R, String> {
        let plain = self.open(tree, entry)?;
        serde_json::from_slice(&plain).map_err(|error| error.to_string())
    }

    /// Another record, as it was at the same point of time.
    fn find<R: DeserializeOwned>(&self, tree: Tree, key: &[u8]) -> Result<Option<R>, Error> {
        let sealed = self.snapshot.get(tree, key).map_err(unreadable)?;
        // What does not read is named where its own tree is checked.
        Ok(sealed.and_then(|sealed| self.read(tree, &(key.to_vec(), sealed)).ok()))
    }

    fn card(&self, entry: &Entry) -> Verdict {
        let card: Card = match self.read(Tree::Cards, entry) {
            Ok(card) => card,
            Err(why) => return Ok(Err(why)),
        };
        if matches!(card.standing, Standing::Destroyed) {
            return Ok(Ok(()));
        }
        let fingerprints = match self.open_fields(&card)? {
            Ok(fingerprints) => fingerprints,
            Err(why) => return Ok(Err(why)),
        };
        for fingerprint in fingerprints {
            if self.names(&fingerprint.to_key(), &card.token)? {
                return Ok(Ok(()));
            }
        }
        Ok(Err("no index entry leads to this card".to_owned()))
    }

    /// Opens every field of a card; gives the fingerprints under which its number may be found.
    fn open_fields(&self, card: &Card) -> Result<Result<Vec<PanFingerprint>, String>, Error> {
        let key = card_key(&card.token);
        let wrapped = self.snapshot.get(Tree::DataKeys, &key).map_err(unreadable)?;
        let opened = || -> Result<Vec<PanFingerprint>, Error> {
            let missing = || Error::Corrupt("the data key is missing".to_owned());
            let secrets = CardSecrets::unwrap(self.keyring, card, wrapped.ok_or_else(missing)?)?;
            let pan = secrets.pan(card)?;
            secrets.cvv(card)?;
            secrets.next_cvv(card)?;
            secrets.pin(card)?;
            let subject = subject(pan.as_bytes(), card.reach());
            Ok(self.keyring.fingerprints(&subject).collect())
        };
        Ok(opened().map_err(|error| error.to_string()))
    }

    /// Whether the index entry under `key` leads to the card.
    fn names(&self, key: &[u8], card: &CardToken) -> Result<bool, Error> {
        let entry: Option<PanIndex> = self.find(Tree::Fingerprints, key)?;
        Ok(entry.is_some_and(|entry| entry.card == *card))
    }

    fn index(&self, entry: &Entry) -> Verdict {
        let index: PanIndex = match self.read(Tree::Fingerprints, entry) {
            Ok(index) => index,
            Err(why) => return Ok(Err(why)),
        };
        let card: Option<Card> = self.find(Tree::Cards, &card_key(&index.card))?;
        let Some(card) = card.filter(|card| !matches!(card.standing, Standing::Destroyed)) else {
            return Ok(Err(format!("leads to {}, which has no number", index.card)));
        };
        Ok(match self.open_fields(&card)? {
            Ok(fingerprints) if fingerprints.iter().any(|own| own.to_key() == entry.0) => Ok(()),
            Ok(_) => Err(format!("leads to {}, whose number is another", index.card)),
            // Named where the card itself is checked.
            Err(_) => Ok(()),
        })
    }

    fn data_key(&self, (key, _): &Entry) -> Verdict {
        // It is opened with its card; here only that it has one.
        match self.find::<Card>(Tree::Cards, key)? {
            Some(card) if !matches!(card.standing, Standing::Destroyed) => Ok(Ok(())),
            Some(_) => Ok(Err("the card was destroyed, and its data key was not".to_owned())),
            None => Ok(Err("there is no readable card to it".to_owned())),
        }
    }

    fn holder_key(&self, entry: &Entry) -> Verdict {
        let key: EnrolledKey = match self.read(Tree::HolderKeys, entry) {
            Ok(key) => key,
            Err(why) => return Ok(Err(why)),
        };
        let holder: Option<Holder> = self.find(Tree::Holders, key.holder.as_str().as_bytes())?;
        Ok(match holder {
            Some(holder) if holder.ever_had_key => Ok(()),
            Some(_) => Err("its holder is said never to have had a key".to_owned()),
            None => Err("there is no readable holder to it".to_owned()),
        })
    }

    fn belongs_to_card<R: DeserializeOwned>(
        &self,
        tree: Tree,
        entry: &Entry,
        card: impl Fn(&R) -> &CardToken,
    ) -> Verdict {
        let record: R = match self.read(tree, entry) {
            Ok(record) => record,
            Err(why) => return Ok(Err(why)),
        };
        let known: Option<Card> = self.find(Tree::Cards, &card_key(card(&record)))?;
        Ok(match known {
            Some(_) => Ok(()),
            None => Err("there is no readable card to it".to_owned()),
        })
    }
}
