//! The same mutation again gives the first answer, byte for byte: nothing is done or sealed twice.
//!
//! A slot is scoped to certificate identity, operation, subject and key; the request's fingerprint covers everything that
//! matters but the proof, which a client makes anew for a retry.

use ring::digest::{Context, SHA256};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::ids::IdempotencyKey;
use shared::jwe::BodyHash;
use shared::mtls::identity::Identity;
use shared::vault_api::cards::{IssuedCard, RenewedCard, SealedAnswer};
use shared::vault_api::governance::Approval;
use shared::vault_api::holders::{EnrolledKey, HolderCreated};
use shared::vault_api::jobs::Job;
use shared::vault_api::tokens::{TokenisedCard, TokenisedRow};

use crate::audit::event::Operation;
use crate::bytes::Base64Bytes;
use crate::error::Error;
use crate::records::{Record, Records, Tx};
use crate::store::Tree;

/// An answer that can be given again, and what the event of doing so says of it.
pub trait Logged: DeserializeOwned {
    /// The hash of the JWE in it.
    fn body_hash(&self) -> Option<BodyHash> {
        None
    }

    /// Names the event by which it is given.
    fn set_index(&mut self, _index: u64) {}
}

impl Logged for SealedAnswer {
    fn body_hash(&self) -> Option<BodyHash> {
        Some(BodyHash::of(&self.payload))
    }

    fn set_index(&mut self, index: u64) {
        self.audit_index = index;
    }
}

impl Logged for IssuedCard {
    fn body_hash(&self) -> Option<BodyHash> {
        self.payload.as_deref().map(BodyHash::of)
    }

    fn set_index(&mut self, index: u64) {
        self.audit_index = index;
    }
}

impl Logged for TokenisedCard {
    fn body_hash(&self) -> Option<BodyHash> {
        Some(BodyHash::of(&self.payload))
    }

    fn set_index(&mut self, index: u64) {
        self.audit_index = index;
    }
}

impl Logged for TokenisedRow {}
impl Logged for HolderCreated {}
impl Logged for RenewedCard {}
impl Logged for EnrolledKey {}
impl Logged for Approval {}
impl Logged for Job {}

/// How it is described in the inventory of cryptography.
pub const HASHES: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "hashes of requests, files and approvals",
    algorithm: "SHA-256",
    source: "FIPS 180-4",
    library: "ring",
    names: &["SHA256"],
};

/// Answers are kept for at least a day: in the bucket of the day on which they were given and through the next.
const SECONDS_PER_BUCKET: i64 = 86_400;

/// Where an answer is or will be remembered.
#[derive(Debug, Clone)]
pub struct Slot {
    name: [u8; 32],
    fingerprint: [u8; 32],
    bucket: u32,
}

/// A remembered answer.
#[derive(Serialize, Deserialize)]
struct Remembered {
    bucket: u32,
    name: Base64Bytes,
    fingerprint: Base64Bytes,
    answer: String,
}

impl Record for Remembered {
    const TREE: Tree = Tree::Idempotency;
    fn key(&self) -> Vec<u8> {
        key_of(self.bucket, &self.name.0)
    }
}

fn key_of(bucket: u32, name: &[u8]) -> Vec<u8> {
    [&bucket.to_be_bytes(), name].concat()
}

fn bucket_at(now: i64) -> u32 {
    u32::try_from(now / SECONDS_PER_BUCKET).unwrap_or(0)
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

impl Slot {
    /// The slot of a request: who, what, about whom, under which key; and what the request says.
    #[must_use]
    pub fn new(
        caller: &Identity,
        operation: Operation,
        subject: &str,
        key: &IdempotencyKey,
        says: &[&[u8]],
        now: i64,
    ) -> Self {
        let operation = format!("{operation:?}");
        let scope = [caller.to_string(), operation, subject.to_owned(), key.to_string()];
        Self {
            name: hash(&scope.each_ref().map(String::as_bytes)),
            fingerprint: hash(says),
            bucket: bucket_at(now),
        }
    }

    /// The answer that was given before, if any.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`], or the record cannot be read.
    pub fn replay<T: DeserializeOwned>(&self, records: &Records) -> Result<Option<T>, Error> {
        for bucket in [self.bucket, self.bucket.saturating_sub(1)] {
            if let Some(stored) = records.get::<Remembered>(&key_of(bucket, &self.name))? {
                return self.read(&stored.record).map(Some);
            }
        }
        Ok(None)
    }

    fn read<T: DeserializeOwned>(&self, remembered: &Remembered) -> Result<T, Error> {
        if remembered.fingerprint.0 != self.fingerprint {
            return Err(Error::IdempotencyKeyReused);
        }
        serde_json::from_str(&remembered.answer).map_err(|error| Error::Corrupt(error.to_string()))
    }

    /// Remembers `answer` in the transaction that did the work.
    ///
    /// # Errors
    /// [`Error::Raced`] when another request with the same key was faster: nothing is done, its answer counts.
    pub fn remember<T: Serialize>(&self, tx: &mut Tx<'_, '_>, answer: &T) -> Result<(), Error> {
        for bucket in [self.bucket, self.bucket.saturating_sub(1)] {
            if tx.exists::<Remembered>(&key_of(bucket, &self.name))? {
                return Err(Error::Raced);
            }
        }
        let answer = serde_json::to_string(answer).map_err(|error| Error::Internal(error.to_string()))?;
        tx.put(&Remembered {
            bucket: self.bucket,
            name: Base64Bytes(self.name.to_vec()),
            fingerprint: Base64Bytes(self.fingerprint.to_vec()),
            answer,
        })
    }
}

/// The key below which every remembered answer is older than a day.
#[must_use]
pub fn oldest_kept(now: i64) -> [u8; 4] {
    bucket_at(now).saturating_sub(1).to_be_bytes()
}
