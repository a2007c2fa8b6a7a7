//! The epoch secret: the half of the wrapping key that lives outside the store and its backups, as a small file on
//! another volume, kept twice. After a rotation it is replaced, so that an earlier copy of the store stays closed;
//! losing every copy of it loses the vault.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use ring::rand::SecureRandom;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::escrow;
use crate::crypto::CryptoError;
use crate::secret::{RandomFailed, SecretBytes};

/// How it is described in the inventory of cryptography.
pub const EPOCH: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "epoch",
    algorithm: "256 random bits, mixed into the wrapping key by HKDF-SHA-256",
    source: "RFC 5869",
    library: "ring",
    names: &["SHA256"],
};

/// The first epoch of a new vault.
const FIRST_EPOCH: u32 = 1;
const MAGIC: &[u8; 15] = b"tessera-epoch-1";
const SECRET_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 8;
const FILE_BYTES: usize = MAGIC.len() + 4 + SECRET_BYTES + CHECKSUM_BYTES;
const PRIVATE: u32 = 0o600;

/// An epoch secret and its number, which stands in clear in front of each wrapped key.
#[derive(Debug, PartialEq, Eq)]
pub struct EpochSecret {
    number: u32,
    secret: SecretBytes<SECRET_BYTES>,
}

impl EpochSecret {
    /// The secret of a new vault's first epoch.
    ///
    /// # Errors
    /// [`RandomFailed`].
    pub fn first(rng: &dyn SecureRandom) -> Result<Self, RandomFailed> {
        Ok(Self {
            number: FIRST_EPOCH,
            secret: SecretBytes::random(rng)?,
        })
    }

    /// Counts from 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn expose(&self) -> &[u8; SECRET_BYTES] {
        self.secret.expose()
    }

    /// The secret of the epoch after this one.
    pub(super) fn next(number: u32, rng: &dyn SecureRandom) -> Result<Self, RandomFailed> {
        Ok(Self {
            number: number.saturating_add(1),
            secret: SecretBytes::random(rng)?,
        })
    }

    /// A secret as it was handed over or kept in escrow.
    pub(super) fn from_parts(number: u32, secret: &[u8]) -> Option<Self> {
        SecretBytes::from_slice(secret).map(|secret| Self { number, secret })
    }

    /// `magic ‖ number(4, big-endian) ‖ secret ‖ first 8 bytes of SHA-256 of all before`.
    fn to_file_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(self.expose());
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        bytes
    }

    fn from_file_bytes(bytes: &[u8]) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        if !bool::from(checksum(content).ct_eq(sum)) {
            return None;
        }
        let (number, secret) = content.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
        Some(Self {
            number: u32::from_be_bytes(*number),
            secret: SecretBytes::from_slice(secret)?,
        })
    }
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    for (byte, hash) in sum.iter_mut().zip(digest(&SHA256, content).as_ref()) {
        *byte = *hash;
    }
    sum
}

/// The places in which the epoch secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochFiles(Vec<PathBuf>);

/// An epoch secret that cannot be made, read or trusted.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// No path, or the same one twice.
    #[error("the epoch secret needs at least one path, and no path twice")]
    Paths,
    /// A path within the store's directory: a copy of the directory would hold everything.
    #[error("{0} lies in the store's directory: the epoch secret belongs outside of it and its backups")]
    InsideStore(PathBuf),
    /// A file is where a new one should be made.
    #[error("{0} exists: it may be the only copy of a vault's epoch secret and is not overwritten")]
    Exists(PathBuf),
    /// No copy is left.
    #[error("no copy of the epoch secret was found; without it the vault does not open")]
    Missing,
    /// A copy that is cut, changed or something else.
    #[error("{0} is not an intact epoch secret; move it away to have it restored from the other copy")]
    Damaged(PathBuf),
    /// Two intact copies with different secrets of one epoch.
    #[error("{0} and {1} hold different epoch secrets")]
    Disagree(PathBuf, PathBuf),
    /// The copies are of other epochs than the store.
    #[error("the store is of epoch {0}, and no copy of the epoch secret is")]
    OtherEpoch(u32),
    /// Others than the owner may read a copy.
    #[error("{0} may be read by others than its owner: its mode must be 0600")]
    Readable(PathBuf),
    /// An escrow does not seal.
    #[error("the escrow of an epoch secret: {0}")]
    Escrow(CryptoError),
    /// The operating system refused.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

impl EpochFiles {
    /// The paths of the copies, none of them under `store_directory`.
    ///
    /// # Errors
    /// [`EpochError::Paths`], [`EpochError::InsideStore`].
    pub fn new(paths: Vec<PathBuf>, store_directory: &Path) -> Result<Self, EpochError> {
        let absolute =
            |path: &Path| std::path::absolute(path).map_err(|error| EpochError::Io(path.to_owned(), error));
        let store = resolved(absolute(store_directory)?);
        let mut seen: Vec<PathBuf> = Vec::with_capacity(paths.len());
        for path in &paths {
            let place = resolved(absolute(path)?);
            if place.starts_with(&store) {
                return Err(EpochError::InsideStore(path.clone()));
            }
            if seen.contains(&place) {
                return Err(EpochError::Paths);
            }
            seen.push(place);
        }
        if seen.is_empty() {
            Err(EpochError::Paths)
        } else {
            Ok(Self(paths))
        }
    }

    /// The paths, as configured.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.0
    }

    /// Writes a new secret to all places, durably. Takes back what it wrote if one of them fails.
    ///
    /// # Errors
    /// [`EpochError::Exists`], [`EpochError::Io`].
    pub fn create(&self, secret: &EpochSecret) -> Result<(), EpochError> {
        for (index, path) in self.0.iter().enumerate() {
            if let Err(error) = write_new(path, secret) {
                self.0.iter().take(index).for_each(|written| remove_own(written));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes back a secret that [`EpochFiles::create`] wrote and that no vault was sealed with.
    pub(super) fn take_back(&self) {
        self.0.iter().for_each(|path| remove_own(path));
    }

    /// Reads the secrets: one, or during a change of epoch two. What the copies hold of one epoch must agree; a missing
    /// copy is written anew from the others, with a warning.
    ///
    /// # Errors
    /// [`EpochError`].
    pub fn load(&self) -> Result<EpochSecrets, EpochError> {
        let mut found: Vec<(&PathBuf, EpochSecret)> = Vec::new();
        let mut missing = Vec::new();
        for path in &self.0 {
            let Some(secrets) = read(path)? else {
                missing.push(path);
                continue;
            };
            for secret in secrets {
                match found.iter().find(|(_, known)| known.number == secret.number) {
                    Some((first, known)) if *known != secret => {
                        return Err(EpochError::Disagree((*first).clone(), path.clone()));
                    }
                    Some(_) => {}
                    None => found.push((path, secret)),
                }
            }
        }
        if found.is_empty() {
            return Err(EpochError::Missing);
        }
        let mut secrets: Vec<EpochSecret> = found.into_iter().map(|(_, secret)| secret).collect();
        secrets.sort_by_key(EpochSecret::number);
        for path in missing {
            replace(path, &secrets.iter().collect::<Vec<_>>())?;
            tracing::warn!(path = %path.display(), "a copy of the epoch secret was missing and has been restored");
        }
        Ok(EpochSecrets {
            files: self.clone(),
            secrets,
        })
    }

    /// The same for an unlock: of a vault that was restored from a backup, only the escrow of its epoch may be there.
    ///
    /// # Errors
    /// [`EpochError`].
    pub fn load_or_escrowed(&self) -> Result<EpochSecrets, EpochError> {
        match self.load() {
            Err(EpochError::Missing) if escrow::any(self) => Ok(EpochSecrets {
                files: self.clone(),
                secrets: Vec::new(),
            }),
            other => other,
        }
    }

    /// Writes the secret of the next epoch beside the present one, into all copies.
    pub(super) fn add(&self, next: &EpochSecret) -> Result<(), EpochError> {
        let present = self.load()?;
        let mut secrets: Vec<&EpochSecret> = present
            .secrets
            .iter()
            .filter(|secret| secret.number < next.number)
            .collect();
        secrets.push(next);
        self.0.iter().try_for_each(|path| replace(path, &secrets))
    }

    /// Drops every secret but this one from all copies; the former files are overwritten. Does nothing where that is so
    /// already.
    pub(super) fn settle(&self, secret: &EpochSecret) -> Result<(), EpochError> {
        for path in &self.0 {
            let held = read(path).ok().flatten().unwrap_or_default();
            if held.len() != 1 || held.first() != Some(secret) {
                replace(path, &[secret])?;
            }
        }
        Ok(())
    }
}

/// What the copies hold: the secret of one epoch, or of two while one is being replaced.
#[derive(Debug, PartialEq, Eq)]
pub struct EpochSecrets {
    pub(super) files: EpochFiles,
    pub(super) secrets: Vec<EpochSecret>,
}

impl EpochSecrets {
    /// How many epochs' secrets there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.secrets.len()
    }

    /// The number of the newest epoch that the copies hold; `None`: they hold none, and an escrow is there instead.
    #[must_use]
    pub fn newest(&self) -> Option<u32> {
        self.secrets.last().map(EpochSecret::number)
    }

    /// The secret of an epoch, if it is here.
    pub(super) fn of(&self, number: u32) -> Option<&EpochSecret> {
        self.secrets.iter().find(|secret| secret.number == number)
    }

    /// The newest secret that is not newer than `number`: with it a handed-over one may open.
    pub(super) fn before(&self, number: u32) -> Option<&EpochSecret> {
        self.secrets.iter().rfind(|secret| secret.number < number)
    }
}

/// The path with the links of its existing part followed.
fn resolved(path: PathBuf) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return if rest.as_os_str().is_empty() {
                real
            } else {
                real.join(rest)
            };
        }
    }
    path
}

fn read(path: &Path) -> Result<Option<Vec<EpochSecret>>, EpochError> {
    let io_error = |error| EpochError::Io(path.to_owned(), error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(error)),
    };
    let facts = file.metadata().map_err(io_error)?;
    if facts.permissions().mode() & 0o077 != 0 {
        return Err(EpochError::Readable(path.to_owned()));
    }
    let damaged = || EpochError::Damaged(path.to_owned());
    let length = usize::try_from(facts.len()).map_err(|_| damaged())?;
    if length != FILE_BYTES && length != 2 * FILE_BYTES {
        return Err(damaged());
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    file.read_exact(&mut bytes).map_err(io_error)?;
    let secrets: Option<Vec<EpochSecret>> = bytes
        .chunks(FILE_BYTES)
        .map(EpochSecret::from_file_bytes)
        .collect();
    secrets.map(Some).ok_or_else(damaged)
}

/// Puts a file with these secrets in the place of what is at `path`: the new one is whole and durable before it takes
/// the name, and what had the name is overwritten afterwards. (On flash and copying file systems overwriting promises
/// nothing; there the volume must be one that is encrypted or thrown away.)
fn replace(path: &Path, secrets: &[&EpochSecret]) -> Result<(), EpochError> {
    let io_error = |error| EpochError::Io(path.to_owned(), error);
    let former = OpenOptions::new().write(true).open(path).ok();
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * FILE_BYTES));
    secrets
        .iter()
        .for_each(|secret| bytes.extend_from_slice(&secret.to_file_bytes()));
    write_over(path, &bytes).map_err(io_error)?;
    if let Some(former) = former
        && let Err(error) = overwrite(former)
    {
        tracing::warn!(path = %path.display(), %error, "a former epoch secret was unlinked but not overwritten");
    }
    Ok(())
}

/// Makes `path` hold `bytes`, durably, all or nothing.
pub(super) fn write_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    // One that a crash left behind was never anybody's secret, or is written again now.
    let _ = std::fs::remove_file(&beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_parent(path)
}

pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Overwrites a file that has lost its name.
pub(super) fn overwrite(mut file: File) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    file.write_all(&vec![0; length])?;
    file.sync_all()
}

fn write_new(path: &Path, secret: &EpochSecret) -> Result<(), EpochError> {
    let io_error = |error| EpochError::Io(path.to_owned(), error);
    let mut file = match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path)
    {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(EpochError::Exists(path.to_owned()));
        }
        Err(error) => return Err(io_error(error)),
    };
    let written = file
        .write_all(&secret.to_file_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_parent(path));
    written.map_err(|error| {
        remove_own(path);
        io_error(error)
    })
}

fn remove_own(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "an epoch secret that no vault uses could not be removed");
    }
}

#[cfg(test)]
#[path = "epoch_tests.rs"]
mod tests;
