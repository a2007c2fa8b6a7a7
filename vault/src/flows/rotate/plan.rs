//! How far a rotation is: what is left to rotate, and what is being done to the first of it.

use serde::{Deserialize, Serialize};

use crate::bytes::Base64Bytes;
use crate::error::Error;
use crate::keys::header::KeyPurpose;
use crate::store::Tree;
use crate::work::{JobRecord, Work};

/// A key whose old versions must be referred to by nothing before they are destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The KEK of cards: data keys are wrapped anew.
    CardKek,
    /// Every card gets a new data key under a new KEK, and its fields are sealed anew.
    DataKeys,
    /// The key that seals every record.
    Records,
    /// The key of the PAN fingerprints.
    Fingerprint,
}

/// What is sealed under the records key: everything but the store's own facts, and what is wrapped or must be readable
/// while the vault is locked.
const SEALED: [Tree; 22] = [
    Tree::Cards,
    Tree::Fingerprints,
    Tree::Holders,
    Tree::HolderKeys,
    Tree::Programs,
    Tree::Parties,
    Tree::Approvals,
    Tree::Idempotency,
    Tree::Counters,
    Tree::Orders,
    Tree::Audit,
    Tree::Erasures,
    Tree::Jobs,
    Tree::Challenges,
    Tree::AuditNodes,
    Tree::ImportRows,
    Tree::Backups,
    Tree::Shares,
    Tree::Retention,
    Tree::Notices,
    Tree::Batches,
    Tree::Emissions,
];

impl Target {
    /// The key that gets a new version.
    #[must_use]
    pub const fn purpose(self) -> KeyPurpose {
        match self {
            Self::CardKek | Self::DataKeys => KeyPurpose::CardKek,
            Self::Records => KeyPurpose::Records,
            Self::Fingerprint => KeyPurpose::Fingerprint,
        }
    }

    /// Where values refer to it.
    #[must_use]
    pub const fn trees(self) -> &'static [Tree] {
        match self {
            Self::CardKek | Self::DataKeys => &[Tree::DataKeys],
            Self::Records => &SEALED,
            Self::Fingerprint => &[Tree::Fingerprints],
        }
    }
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The new version becomes active.
    Renew,
    /// Values are moved to it.
    Move,
    /// A scan counts what still refers to others.
    Scan,
    /// The others are destroyed.
    Destroy,
    /// All keys are done: the epoch is replaced.
    Epoch,
    /// The completion record is written.
    Complete,
}

/// A key that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Which.
    pub target: Target,
    /// From which version.
    pub from: u32,
    /// To which.
    pub to: u32,
}

/// Where a rotation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotating {
    /// What is still to be rotated, the present one first. After the last the epoch is replaced.
    pub plan: Vec<Target>,
    /// What is being done to the first.
    pub phase: Phase,
    /// The version that was active.
    pub from: u32,
    /// The version that is.
    pub to: u32,
    /// Which of the target's trees is being walked.
    pub tree: usize,
    /// Up to where, in this tree.
    pub cursor: Option<Base64Bytes>,
    /// Passes over the trees so far.
    pub passes: u32,
    /// References to other versions that the scan found so far.
    pub left: u64,
    /// What is done.
    pub finished: Vec<Finished>,
}

impl Rotating {
    /// At the beginning.
    #[must_use]
    pub const fn of(plan: Vec<Target>) -> Self {
        Self {
            plan,
            phase: Phase::Renew,
            from: 0,
            to: 0,
            tree: 0,
            cursor: None,
            passes: 0,
            left: 0,
            finished: Vec::new(),
        }
    }

    /// After erased cards were swept: what an earlier copy of the store would need to show them is replaced.
    #[must_use]
    pub fn purge() -> Self {
        Self::of(vec![Target::CardKek, Target::Fingerprint])
    }

    /// The key at hand.
    ///
    /// # Errors
    /// All are done.
    pub fn target(&self) -> Result<Target, Error> {
        let target = self.plan.first().copied();
        target.ok_or_else(|| Error::Internal("a rotation of no key".to_owned()))
    }

    /// The tree at hand, if one is left to walk.
    #[must_use]
    pub fn tree(&self) -> Option<Tree> {
        self.plan
            .first()
            .and_then(|target| target.trees().get(self.tree).copied())
    }

    /// Back to the first tree.
    pub fn rewind(&mut self, phase: Phase) {
        (self.phase, self.tree, self.cursor) = (phase, 0, None);
    }

    /// Past the entries up to `last`, or, without one, past the tree.
    pub fn go_on(&mut self, last: Option<Vec<u8>>) {
        if last.is_none() {
            self.tree += 1;
        }
        self.cursor = last.map(Base64Bytes);
    }

    /// How far a job's rotation is.
    ///
    /// # Errors
    /// The job does something else.
    pub fn in_job(job: &mut JobRecord) -> Result<&mut Self, Error> {
        if let Work::RotateCardKek(rotating)
        | Work::RotateDataKeys(rotating)
        | Work::RotateRecords(rotating)
        | Work::RotateFingerprint(rotating)
        | Work::Purge(rotating) = &mut job.work
        {
            return Ok(rotating);
        }
        Err(Error::Internal("the job rotates nothing".to_owned()))
    }
}
