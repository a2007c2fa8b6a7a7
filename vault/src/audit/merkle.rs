//! The Merkle tree of the audit log (RFC 6962 §2.1), without I/O: the compact range that grows with every event, proofs
//! over whatever can name the hash of a complete subtree, and their verification.
//!
//! ```text
//! leaf(event) = SHA-256(0x00 ‖ event)      node(l, r) = SHA-256(0x01 ‖ l ‖ r)
//! ```
//! The two prefix bytes keep an event from posing as a node.

use ring::digest::{Context, SHA256};

/// How it is described in the inventory of cryptography.
pub const TREE: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "audit log",
    algorithm: "Merkle tree of SHA-256",
    source: "RFC 6962",
    library: "ring",
    names: &["SHA256"],
};

/// A leaf, a node, or a root.
pub type Hash = [u8; 32];

/// A complete subtree: 2^`level` leaves, the `index`-th of that size from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// Binary logarithm of the number of leaves.
    pub level: u32,
    /// Which of its level, from 0.
    pub index: u64,
}

impl Subtree {
    const fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }

    const fn parent(self) -> Self {
        Self {
            level: self.level + 1,
            index: self.index / 2,
        }
    }
}

/// The hash of a leaf.
#[must_use]
pub fn leaf(event: &[u8]) -> Hash {
    digest(&[&[0x00], event])
}

/// The hash of an inner node.
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    digest(&[&[0x01], left, right])
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty_root() -> Hash {
    digest(&[])
}

fn digest(parts: &[&[u8]]) -> Hash {
    #[cfg(test)]
    tests::count_a_hash();
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// All that must be remembered of a tree to make it grow: the roots of its complete subtrees, the largest first; one for
/// each bit that is set in its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Hash>,
}

impl CompactRange {
    /// Reads the range of the first `size` leaves.
    ///
    /// # Errors
    /// What `subtree` answers.
    pub fn read<E>(size: u64, subtree: &mut impl FnMut(Subtree) -> Result<Hash, E>) -> Result<Self, E> {
        let peaks: Result<Vec<_>, E> = subtrees(0, size).into_iter().map(subtree).collect();
        Ok(Self { size, peaks: peaks? })
    }

    /// Leaves so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and tells `complete` of every inner subtree that it completes, the smallest first.
    pub fn append(&mut self, leaf: Hash, mut complete: impl FnMut(Subtree, &Hash)) {
        let (mut hash, mut at) = (leaf, Subtree::leaf(self.size));
        while at.index % 2 == 1 {
            // The size says that there is one: a bit for each peak.
            let Some(left) = self.peaks.pop() else { break };
            hash = node(&left, &hash);
            at = at.parent();
            complete(at, &hash);
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The root of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold(&self.peaks)
    }
}

/// The root over neighbouring complete subtrees of falling size.
fn fold(peaks: &[Hash]) -> Hash {
    let hash = peaks
        .iter()
        .rev()
        .copied()
        .reduce(|right, left| node(&left, &right));
    hash.unwrap_or_else(empty_root)
}

/// The complete subtrees that make up the leaves from `begin` to before `end`, from the left.
fn subtrees(begin: u64, end: u64) -> Vec<Subtree> {
    let (mut found, mut at) = (Vec::new(), begin);
    while at < end {
        let fits = (end - at).ilog2();
        let level = if at == 0 {
            fits
        } else {
            fits.min(at.trailing_zeros())
        };
        found.push(Subtree {
            level,
            index: at >> level,
        });
        at += 1 << level;
    }
    found
}

/// The root of the leaves from `begin` to before `end`, which are a subtree of a proof: `begin` is a multiple of the
/// largest power of two below their number.
fn root_of<E>(
    (begin, end): (u64, u64),
    subtree: &mut impl FnMut(Subtree) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let peaks: Result<Vec<_>, E> = subtrees(begin, end).into_iter().map(subtree).collect();
    Ok(fold(&peaks?))
}

/// The largest power of two below `leaves`, which are two or more.
const fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The root of the first `size` leaves.
///
/// # Errors
/// What `subtree` answers.
pub fn root_at<E>(size: u64, subtree: &mut impl FnMut(Subtree) -> Result<Hash, E>) -> Result<Hash, E> {
    root_of((0, size), subtree)
}

/// Proves that leaf `index` is among the first `size` (RFC 6962 §2.1.1). `index` is below `size`.
///
/// # Errors
/// What `subtree` answers.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    subtree: &mut impl FnMut(Subtree) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let (mut ranges, mut begin, mut end) = (Vec::new(), 0, size);
    while end.saturating_sub(begin) > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((begin, middle));
            begin = middle;
        }
    }
    ranges
        .into_iter()
        .rev()
        .map(|range| root_of(range, subtree))
        .collect()
}

/// Proves that the first `from` leaves of the first `to` were never changed (RFC 6962 §2.1.2). Empty when there is nothing
/// to prove: `from` is 0 or `to`.
///
/// # Errors
/// What `subtree` answers.
pub fn consistency_proof<E>(
    from: u64,
    to: u64,
    subtree: &mut impl FnMut(Subtree) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let (mut ranges, mut begin, mut end) = (Vec::new(), 0, to);
    if from == 0 || from >= to {
        return Ok(Vec::new());
    }
    while from < end {
        let middle = begin + split(end - begin);
        if from <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((begin, middle));
            begin = middle;
        }
    }
    // The whole of the old tree is known to whoever verifies.
    if begin > 0 {
        ranges.push((begin, end));
    }
    ranges
        .into_iter()
        .rev()
        .map(|range| root_of(range, subtree))
        .collect()
}

/// Whether `proof` shows that `leaf` is number `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2).
#[must_use]
pub fn is_included(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node(sibling, &hash);
            while at.is_multiple_of(2) && at != 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at /= 2;
        last /= 2;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `to` leaves begins with the tree of `from` leaves (RFC 9162 §2.1.4.2).
#[must_use]
pub fn is_consistent((from, old): (u64, &Hash), (to, new): (u64, &Hash), proof: &[Hash]) -> bool {
    if from > to || (from == 0 && (!proof.is_empty() || *old != empty_root())) {
        return false;
    }
    if from == 0 {
        return true;
    }
    if from == to {
        return proof.is_empty() && old == new;
    }
    let (mut at, mut last) = (from - 1, to - 1);
    while at % 2 == 1 {
        at /= 2;
        last /= 2;
    }
    // The proof leaves out the old root where the old tree is one complete subtree.
    let mut steps = proof.iter();
    let first = if from.is_power_of_two() {
        Some(old)
    } else {
        steps.next()
    };
    let Some(first) = first else { return false };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            old_hash = node(step, &old_hash);
            new_hash = node(step, &new_hash);
            while at.is_multiple_of(2) && at != 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            new_hash = node(&new_hash, step);
        }
        at /= 2;
        last /= 2;
    }
    last == 0 && old_hash == *old && new_hash == *new
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;
