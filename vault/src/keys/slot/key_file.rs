//! A slot whose secret lies in a file: one person, one file, no ceremony. Development only, and it says so each time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::{Keeping, Slot, SlotError, SlotFacts, SlotId, Standing};
use crate::environment::Environment;
use crate::keys::root::{KeyMemoryError, RootKey};
use crate::secret::SecretBytes;

const MAGIC: &[u8; 18] = b"tessera-key-file-1";
const FILE_BYTES: usize = MAGIC.len() + 32;

/// A key-file slot that is not allowed, or a file that does not serve.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Outside development one file must not open the vault.
    #[error("a key-file slot is for development only: outside of it the root key is kept by custodians")]
    NotInProduction,
    /// The slot is kept otherwise.
    #[error("slot {0} is not kept in a key file")]
    OtherKeeping(SlotId),
    /// The file cannot be made or read.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// The file is not a key file.
    #[error("{0} is not a key file")]
    Damaged(PathBuf),
    /// The slot does not open, or cannot be made.
    #[error(transparent)]
    Slot(#[from] SlotError),
}

impl KeyFileError {
    /// The problem code; `None` where the vault itself failed.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::NotInProduction => Some("KEY_FILE_NOT_IN_PRODUCTION"),
            Self::Io(..) | Self::Damaged(_) => Some("KEY_FILE_UNUSABLE"),
            Self::OtherKeeping(_) | Self::Slot(_) => None,
        }
    }
}

impl<E: Into<KeyMemoryError>> From<E> for KeyFileError {
    fn from(error: E) -> Self {
        Self::Slot(SlotError::Key(error.into()))
    }
}

/// Makes a slot and its file, which must not exist yet.
///
/// # Errors
/// [`KeyFileError`].
pub(in crate::keys) fn create(
    environment: Environment,
    root: &RootKey,
    path: &Path,
    standing: Standing,
    now: i64,
    rng: &dyn SecureRandom,
) -> Result<Slot, KeyFileError> {
    allowed(environment)?;
    let secret = SecretBytes::random(rng)?;
    let keeping = Keeping::KeyFile {
        path: path.to_owned(),
    };
    let facts = SlotFacts {
        id: SlotId::random(rng)?,
        created_at: now,
        keeping,
        standing,
    };
    let slot = Slot::new(environment, facts, &secret, root, rng)?;
    let mut content = Zeroizing::new(Vec::with_capacity(FILE_BYTES));
    content.extend_from_slice(MAGIC);
    content.extend_from_slice(secret.expose());
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(&content).and_then(|()| file.sync_all()));
    written.map_err(|error| KeyFileError::Io(path.to_owned(), error))?;
    warn(path);
    Ok(slot)
}

/// Opens a key-file slot.
///
/// # Errors
/// [`KeyFileError`].
pub fn open(environment: Environment, slot: &Slot) -> Result<RootKey, KeyFileError> {
    allowed(environment)?;
    let Keeping::KeyFile { path } = &slot.keeping else {
        return Err(KeyFileError::OtherKeeping(slot.id));
    };
    let mut content = Zeroizing::new(Vec::with_capacity(FILE_BYTES + 1));
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES as u64 + 1).read_to_end(&mut content));
    read.map_err(|error| KeyFileError::Io(path.clone(), error))?;
    let secret = content.strip_prefix(MAGIC).and_then(SecretBytes::from_slice);
    let secret = secret.ok_or_else(|| KeyFileError::Damaged(path.clone()))?;
    warn(path);
    Ok(slot.open(environment, &secret)?)
}

/// Whether such a slot may be made or opened here.
///
/// # Errors
/// [`KeyFileError::NotInProduction`].
pub fn allowed(environment: Environment) -> Result<(), KeyFileError> {
    match environment {
        Environment::Development => Ok(()),
        Environment::Production => Err(KeyFileError::NotInProduction),
    }
}

fn warn(path: &Path) {
    tracing::warn!(
        path = %path.display(),
        "DEVELOPMENT KEY FILE: whoever reads this one file opens this vault, without custodians"
    );
}
