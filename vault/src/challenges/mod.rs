//! Open challenges: made by the vault, good for one proof, for a minute, for one holder (and card), at whichever process of
//! the vault the proof comes in.
//!
//! A process that has its store for itself keeps them in memory; where several share one, they lie in the store and are
//! taken by a transaction (ADR 0005, ADR 0016).

mod memory;
mod stored;

use ring::digest::{SHA256, digest};
use shared::ids::{CardToken, HolderToken, Nonce};

use self::memory::InMemory;
use crate::error::Error;
use crate::records::{Records, Tx};

/// How long a challenge lasts, seconds.
pub const LIFETIME_SECONDS: i64 = 60;
/// How many may be open for one card, and for one holder without a card: a user with several devices and impatience.
pub const MOST_OPEN: usize = 16;
/// How long an identifier of a proof is remembered: the whole span in which its `iat` can pass.
const JTI_SECONDS: i64 = 2 * crate::domain::proof::IAT_TOLERANCE_SECONDS;

/// For what a challenge is good.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Operations of the holder that concern no card yet.
    Holder(HolderToken),
    /// Operations on one card.
    Card(HolderToken, CardToken),
}

/// As many challenges are open for the holder or card as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many open challenges")]
pub struct TooManyOpen;

/// Why a proof's nonce or identifier is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotFresh {
    /// Unknown, spent, for somebody else, or too old.
    #[error("the nonce is not open for this")]
    Nonce,
    /// The same proof identifier came before.
    #[error("the proof's jti was used before")]
    Jti,
}

/// The register of challenges.
pub struct Challenges(Register);

enum Register {
    InMemory(InMemory),
    Stored,
}

impl Challenges {
    /// For a process that has its store for itself, or for one of several.
    #[must_use]
    pub fn new(shared: bool) -> Self {
        Self(if shared {
            Register::Stored
        } else {
            Register::InMemory(InMemory::default())
        })
    }

    /// Opens a challenge until the returned instant (unix seconds), with the transaction that writes its event.
    ///
    /// # Errors
    /// [`TooManyOpen`] inside; the store's.
    pub fn open(
        &self,
        tx: &mut Tx<'_, '_>,
        purpose: Purpose,
        nonce: &Nonce,
        now: i64,
    ) -> Result<Result<i64, TooManyOpen>, Error> {
        match &self.0 {
            Register::InMemory(register) => Ok(register.open(purpose, nonce.clone(), now)),
            Register::Stored => stored::open(tx, purpose, nonce, now),
        }
    }

    /// Whether a proof with this nonce would be fresh; spends nothing.
    ///
    /// # Errors
    /// [`NotFresh::Nonce`] inside; the store's.
    pub fn is_open(
        &self,
        records: &Records,
        purpose: &Purpose,
        nonce: &Nonce,
        now: i64,
    ) -> Result<Result<(), NotFresh>, Error> {
        match &self.0 {
            Register::InMemory(register) => Ok(register.is_open(purpose, nonce, now)),
            Register::Stored => stored::is_open(records, purpose, nonce, now),
        }
    }

    /// Spends the nonce and the identifier of a proof, together and once over all processes.
    ///
    /// # Errors
    /// [`NotFresh`] inside: a nonce that was open for something else stays open. The store's.
    pub async fn spend(
        &self,
        records: &Records,
        purpose: &Purpose,
        nonce: &Nonce,
        jti: &str,
        now: i64,
    ) -> Result<Result<(), NotFresh>, Error> {
        match &self.0 {
            Register::InMemory(register) => Ok(register.spend(purpose, nonce, jti, now)),
            Register::Stored => {
                let (purpose, nonce, jti) = (purpose.clone(), nonce.clone(), jti.to_owned());
                records
                    .transact(move |tx| stored::spend(tx, &purpose, &nonce, &jti, now))
                    .await
            }
        }
    }

    /// Deletes what is over. Those in memory go by themselves.
    ///
    /// # Errors
    /// The store's.
    pub async fn sweep(&self, records: &Records, now: i64) -> Result<(), Error> {
        match &self.0 {
            Register::InMemory(_) => Ok(()),
            Register::Stored => stored::sweep(records, now).await,
        }
    }
}

/// An identifier is unique among the proofs of one holder: others may count in the same way.
fn identifier_of(purpose: &Purpose, jti: &str) -> [u8; 32] {
    let (Purpose::Holder(holder) | Purpose::Card(holder, _)) = purpose;
    let mut identifier = [0; 32];
    identifier.copy_from_slice(digest(&SHA256, format!("{holder}/{jti}").as_bytes()).as_ref());
    identifier
}
