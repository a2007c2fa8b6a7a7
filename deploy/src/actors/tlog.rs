//! Transparency logs as auditors and witnesses read them: the Merkle tree of RFC 6962 §2.1 by its definition, signed notes,
//! checkpoints, on OpenSSL alone. Nothing of the vault's own tree is used here, so that the two sides are two
//! implementations.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::{Id, PKey, Public};
use openssl::sha::Sha256;
use openssl::sign::Verifier;

/// A hash of the tree.
pub type Hash = [u8; 32];

const LEAF: u8 = 0;
const NODE: u8 = 1;
/// The type of a key that signs notes.
const ED25519: u8 = 1;

fn hash(prefix: u8, parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(&[prefix]);
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}

/// The hash of an event.
#[must_use]
pub fn leaf(event: &[u8]) -> Hash {
    hash(LEAF, &[event])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    hash(NODE, &[left, right])
}

/// The largest power of two below `size`.
fn split(size: u64) -> u64 {
    let mut power = 1;
    while power * 2 < size {
        power *= 2;
    }
    power
}

/// The root over leaves.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::new().finish(),
        [one] => *one,
        more => {
            let middle = usize::try_from(split(more.len() as u64)).unwrap_or(usize::MAX);
            let (left, right) = more.split_at(middle.min(more.len()));
            node(&root(left), &root(right))
        }
    }
}

/// Checks that `leaf` is number `index` of the `size` under `root`.
///
/// # Errors
/// When it is not, as far as `proof` shows.
pub fn check_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<()> {
    fn up(leaf: &Hash, index: u64, size: u64, proof: &mut Vec<Hash>) -> Result<Hash> {
        if size <= 1 {
            return Ok(*leaf);
        }
        let sibling = proof.pop().context("the proof is too short")?;
        let middle = split(size);
        Ok(if index < middle {
            node(&up(leaf, index, middle, proof)?, &sibling)
        } else {
            node(&sibling, &up(leaf, index - middle, size - middle, proof)?)
        })
    }
    ensure!(index < size, "event {index} cannot be among {size}");
    let mut left = proof.to_vec();
    let found = up(leaf, index, size, &mut left)?;
    ensure!(left.is_empty(), "the proof is too long");
    ensure!(found == *root, "event {index} is not in this log");
    Ok(())
}

/// Checks that the log of `new.0` events with root `new.1` begins with that of `old.0`.
///
/// # Errors
/// When it does not, as far as `proof` shows.
pub fn check_consistency(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> Result<()> {
    /// The roots of the old and of the new tree within a subtree; `whole`: the old tree is known to be `old`.
    fn both(from: u64, to: u64, whole: Option<&Hash>, proof: &mut Vec<Hash>) -> Result<(Hash, Hash)> {
        if from == to {
            let known = whole.copied().or_else(|| proof.pop());
            return known.map(|hash| (hash, hash)).context("the proof is too short");
        }
        let sibling = proof.pop().context("the proof is too short")?;
        let middle = split(to);
        Ok(if from <= middle {
            let (old, new) = both(from, middle, whole, proof)?;
            (old, node(&new, &sibling))
        } else {
            let (old, new) = both(from - middle, to - middle, None, proof)?;
            (node(&sibling, &old), node(&sibling, &new))
        })
    }
    ensure!(old.0 <= new.0, "a log does not become shorter");
    if old.0 == 0 {
        ensure!(proof.is_empty(), "nothing is to be proved of an empty log");
        return Ok(());
    }
    let mut left = proof.to_vec();
    let roots = both(old.0, new.0, Some(old.1), &mut left)?;
    ensure!(left.is_empty(), "the proof is too long");
    ensure!(roots == (*old.1, *new.1), "the log was forked or rewritten");
    Ok(())
}

/// A key that signs notes, as its text says.
pub struct NoteKey {
    name: String,
    id: Vec<u8>,
    key: PKey<Public>,
}

impl NoteKey {
    /// Reads `name+hex(id)+base64(type ‖ key)`.
    ///
    /// # Errors
    /// When it is none, or its id is not that of name and key.
    pub fn read(text: &str) -> Result<Self> {
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().context("not a verifier key");
        let (name, id, key) = (part()?, part()?, STANDARD.decode(part()?)?);
        let [ED25519, raw @ ..] = key.as_slice() else {
            bail!("not an Ed25519 key");
        };
        let own = key_id(name, &key);
        let hex: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
        ensure!(hex == id, "the key's id is not its own");
        Ok(Self {
            name: name.to_owned(),
            id: own,
            key: PKey::public_key_from_raw_bytes(raw, Id::ED25519)?,
        })
    }

    /// The log's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Debug for NoteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NoteKey({})", self.name)
    }
}

/// The first four bytes of SHA-256(name ‖ newline ‖ type ‖ key).
pub(super) fn key_id(name: &str, typed_key: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update(b"\n");
    hash.update(typed_key);
    hash.finish().into_iter().take(4).collect()
}

/// How far a log came, by its signed word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Events.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// The text that was signed.
    pub text: String,
}

impl Checkpoint {
    /// Verifies a note and reads it.
    ///
    /// # Errors
    /// When it is no checkpoint, or not signed by `key`.
    pub fn verify(note: &str, key: &NoteKey) -> Result<Self> {
        let (text, signatures) = note.split_once("\n\n").context("not a signed note")?;
        let text = format!("{text}\n");
        let line = format!("\u{2014} {} ", key.name);
        let own = signatures
            .lines()
            .filter_map(|signature| signature.strip_prefix(line.as_str()));
        let mut own = own.filter_map(|encoded| STANDARD.decode(encoded).ok());
        let signature = own
            .find_map(|bytes| bytes.strip_prefix(key.id.as_slice()).map(<[u8]>::to_vec))
            .context("not signed by this key")?;
        let mut verifier = Verifier::new_without_digest(&key.key)?;
        let good = verifier.verify_oneshot(&signature, text.as_bytes())?;
        ensure!(good, "the checkpoint's signature does not hold");
        let mut lines = text.lines();
        ensure!(
            lines.next() == Some(key.name.as_str()),
            "a checkpoint of another log"
        );
        let size = lines.next().context("no size")?.parse()?;
        let root = STANDARD.decode(lines.next().context("no root")?)?;
        let root = root.try_into().ok().context("the root is no SHA-256")?;
        Ok(Self { size, root, text })
    }
}

/// Hashes of a proof as the door sends them.
///
/// # Errors
/// When one is no SHA-256 in base64.
pub fn hashes<'a>(texts: impl IntoIterator<Item = &'a String>) -> Result<Vec<Hash>> {
    let read = |text: &String| {
        let bytes = STANDARD.decode(text)?;
        bytes.try_into().ok().context("no SHA-256")
    };
    texts.into_iter().map(read).collect()
}
