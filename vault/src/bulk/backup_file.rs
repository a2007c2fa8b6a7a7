//! The file of a backup: everything that the store holds, as it holds it, sealed. Written and read in one pass, with as
//! much memory as one entry takes.
//!
//! ```text
//! title line ‖ entry* ‖ 0x00 ‖ manifest (a signed note, to the end of the file)
//! entry = tree tag(1) ‖ key length(2, big-endian) ‖ value length(2, big-endian) ‖ key ‖ value
//! ```
//! Entries ascend by tree and key. The manifest's hash covers every byte before it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use ring::digest::{Context, SHA256};

use super::manifest::{MOST_MANIFEST_BYTES, Manifest, TITLE};
use crate::store::{MAX_KEY_BYTES, MAX_VALUE_BYTES, Tree};

/// Ends the entries; no tree has this tag.
const END: u8 = 0;

/// Trees that a backup leaves out: what in them lives for minutes and serves one process. Answers for idempotent replay
/// are not among them: without them a retry after a restore would do things twice.
pub const LEFT_OUT: [Tree; 1] = [Tree::Challenges];

/// A file that is no whole backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupFileError {
    /// Something else.
    #[error("the file is no backup of this format")]
    NotOne,
    /// It ends too early.
    #[error("the file is cut off")]
    CutOff,
    /// Entries that do not read, or are not in order.
    #[error("the file's entries are damaged after {0} of them")]
    Damaged(u64),
    /// The manifest does not read.
    #[error("the file's manifest does not read")]
    Manifest,
    /// The entries are not those that the manifest names.
    #[error("the file was changed: its hash or its counts are not those of its manifest")]
    Changed,
    /// The operating system refused.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// The bytes of a backup, hashed and counted on their way.
pub struct Encoder {
    hash: Context,
    counts: BTreeMap<Tree, u64>,
}

impl Encoder {
    /// Begins a file, whose first bytes are appended to `out`.
    #[must_use]
    pub fn begin(out: &mut Vec<u8>) -> Self {
        let title = format!("{TITLE}\n");
        out.extend_from_slice(title.as_bytes());
        let mut hash = Context::new(&SHA256);
        hash.update(title.as_bytes());
        Self {
            hash,
            counts: BTreeMap::new(),
        }
    }

    /// Appends an entry to `out`. Sizes are those that a store has let in.
    pub fn entry(&mut self, tree: Tree, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        out.push(tree.tag());
        out.extend_from_slice(&length(key));
        out.extend_from_slice(&length(value));
        out.extend_from_slice(key);
        out.extend_from_slice(value);
        self.hash.update(out.get(start..).unwrap_or_default());
        *self.counts.entry(tree).or_default() += 1;
    }

    /// Ends the entries. The manifest follows.
    #[must_use]
    pub fn end(mut self, out: &mut Vec<u8>) -> Ended {
        out.push(END);
        self.hash.update(&[END]);
        Ended {
            sha256: finish(self.hash.clone()),
            trees: self.counts.into_iter().collect(),
            hash: self.hash,
        }
    }
}

/// What is known once the last entry is written.
pub struct Ended {
    /// Of every byte so far: belongs into the manifest.
    pub sha256: [u8; 32],
    /// Entries of each tree: belong into the manifest.
    pub trees: Vec<(Tree, u64)>,
    hash: Context,
}

impl Ended {
    /// SHA-256 of the whole file, which ends with this manifest.
    #[must_use]
    pub fn file_hash(mut self, manifest: &str) -> [u8; 32] {
        self.hash.update(manifest.as_bytes());
        finish(self.hash)
    }
}

/// Reads a backup, giving each entry to `each`, and then the manifest with its note. Only once this has returned is it known
/// whether the entries were whole.
///
/// # Errors
/// [`BackupFileError`], or that of `each`.
pub fn read<E: From<BackupFileError>>(
    file: impl Read,
    mut each: impl FnMut(Tree, Vec<u8>, Vec<u8>) -> Result<(), E>,
) -> Result<(Manifest, String), E> {
    let mut source = Source {
        file,
        hash: Context::new(&SHA256),
    };
    let title = source
        .take(TITLE.len() + 1)
        .map_err(|_| BackupFileError::NotOne)?;
    if title != format!("{TITLE}\n").as_bytes() {
        return Err(BackupFileError::NotOne.into());
    }
    let mut counts: BTreeMap<Tree, u64> = BTreeMap::new();
    let (mut number, mut before): (u64, Option<(Tree, Vec<u8>)>) = (0, None);
    loop {
        let tag = source.byte()?;
        if tag == END {
            break;
        }
        let (tree, key, value) = source.entry(tag, number)?;
        let place = (tree, key);
        if before.as_ref().is_some_and(|before| *before >= place) {
            return Err(BackupFileError::Damaged(number).into());
        }
        before = Some(place.clone());
        *counts.entry(tree).or_default() += 1;
        number += 1;
        each(tree, place.1, value)?;
    }
    let (manifest, note) = source.manifest()?;
    let counted: Vec<(Tree, u64)> = counts.into_iter().collect();
    if manifest.sha256 != finish(source.hash) || manifest.trees != counted {
        return Err(BackupFileError::Changed.into());
    }
    Ok((manifest, note))
}

struct Source<R> {
    file: R,
    hash: Context,
}

impl<R: Read> Source<R> {
    fn take(&mut self, length: usize) -> Result<Vec<u8>, BackupFileError> {
        let mut bytes = vec![0; length];
        self.file.read_exact(&mut bytes).map_err(cut_off)?;
        self.hash.update(&bytes);
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, BackupFileError> {
        Ok(self.take(1)?.first().copied().unwrap_or(END))
    }

    fn length(&mut self, most: usize, number: u64) -> Result<usize, BackupFileError> {
        let bytes = self.take(2)?;
        let length = bytes
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        if length <= most {
            Ok(length)
        } else {
            Err(BackupFileError::Damaged(number))
        }
    }

    fn entry(&mut self, tag: u8, number: u64) -> Result<(Tree, Vec<u8>, Vec<u8>), BackupFileError> {
        let tree = Tree::ALL.into_iter().find(|tree| tree.tag() == tag);
        let tree = tree.ok_or(BackupFileError::Damaged(number))?;
        let key_length = self.length(MAX_KEY_BYTES, number)?;
        let value_length = self.length(MAX_VALUE_BYTES, number)?;
        Ok((tree, self.take(key_length)?, self.take(value_length)?))
    }

    /// The rest of the file.
    fn manifest(&mut self) -> Result<(Manifest, String), BackupFileError> {
        let mut bytes = Vec::new();
        let most = MOST_MANIFEST_BYTES as u64 + 1;
        self.file.by_ref().take(most).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Err(BackupFileError::CutOff);
        }
        if bytes.len() > MOST_MANIFEST_BYTES {
            return Err(BackupFileError::Manifest);
        }
        let note = String::from_utf8(bytes).map_err(|_| BackupFileError::Manifest)?;
        let text = note.rsplit_once("\n\n").map(|(text, _)| format!("{text}\n"));
        let text = text.ok_or(BackupFileError::CutOff)?;
        let manifest = Manifest::parse(&text).ok_or(BackupFileError::Manifest)?;
        Ok((manifest, note))
    }
}

fn cut_off(error: io::Error) -> BackupFileError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        BackupFileError::CutOff
    } else {
        BackupFileError::Io(error)
    }
}

fn finish(hash: Context) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.finish().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::manifest::tests::manifest;

    fn file() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::begin(&mut bytes);
        encoder.entry(Tree::Slots, b"a", b"first", &mut bytes);
        for key in [&b"a"[..], b"b", b"c", b"d"] {
            encoder.entry(Tree::Audit, key, &[7; 100], &mut bytes);
        }
        let mut manifest = manifest();
        let ended = encoder.end(&mut bytes);
        (manifest.sha256, manifest.trees) = (ended.sha256, ended.trees);
        bytes.extend_from_slice(manifest.text().as_bytes());
        bytes.extend_from_slice("\n\u{2014} key AAAA\n".as_bytes());
        bytes
    }

    fn entries(bytes: &[u8]) -> Result<u64, BackupFileError> {
        let mut count = 0;
        let each = |_: Tree, _: Vec<u8>, _: Vec<u8>| {
            count += 1;
            Ok::<(), BackupFileError>(())
        };
        read(bytes, each)
            .map(|(manifest, _)| manifest.records())
            .inspect(|records| assert_eq!(*records, count))
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(entries(&file()).unwrap(), 5);
    }

    #[test]
    fn a_flipped_byte_of_the_entries_is_noticed() {
        let file = file();
        let manifest = manifest().text().len() + "\n\u{2014} key AAAA\n".len() + 50;
        for place in 0..file.len() - manifest {
            let mut bad = file.clone();
            bad[place] ^= 1;
            assert!(entries(&bad).is_err(), "byte {place}");
        }
    }

    #[test]
    fn a_cut_file_says_so() {
        let file = file();
        for length in 30..file.len() - "\n\u{2014} key AAAA\n".len() {
            let error = entries(&file[..length]).unwrap_err();
            assert!(
                matches!(error, BackupFileError::CutOff | BackupFileError::Manifest),
                "{length}: {error}"
            );
        }
    }
}
