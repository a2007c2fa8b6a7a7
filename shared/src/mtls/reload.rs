//! Files that are replaced while the process runs: when to read them again, and what may go wrong.
//!
//! New files are in force for the next handshake. Files that cannot be used leave the old ones in force and a warning
//! in the log. No connection is dropped for the sake of a reload.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::web::block;
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Largest file that is read, in bytes. A revocation list takes about 40 bytes an entry.
const FILE_MAX_BYTES: u64 = 4 << 20;

/// Largest private key file, in bytes: an RSA key of 8192 bits in PEM takes 6,400.
const KEY_FILE_MAX_BYTES: u64 = 16 << 10;

/// Permission bits of group and others.
const OPEN_TO_OTHERS: u32 = 0o077;

/// Something that stands in files and can be read again.
pub trait Reload: Send + Sync + 'static {
    /// Looks at the files and takes them over if they changed and are good.
    fn reload(&self) -> Reloaded;
}

/// What became of a reload.
#[derive(Debug)]
pub enum Reloaded {
    /// The files are those of the last look.
    Unchanged,
    /// The new files are in force.
    Replaced,
    /// The new files cannot be used; the old ones stay in force. Said in the log already.
    Kept(LoadError),
}

/// Looks at the files again and again, for ever; dropping the future ends it. The looking happens off the async threads.
pub async fn watch(every: Duration, materials: Vec<Arc<dyn Reload>>) {
    loop {
        sleep(every).await;
        for material in &materials {
            let material = Arc::clone(material);
            if let Err(error) = block(move || material.reload()).await {
                tracing::error!(%error, "looking at certificate files failed");
            }
        }
    }
}

/// Why certificates, keys or revocation lists cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is larger than any that makes sense.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Somebody besides its owner may read or write the private key.
    #[error("the private key {path} is open to others (mode {mode:03o}): chmod 600 it")]
    KeyOpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no PEM of the kind that was looked for, or broken PEM.
    #[error("{path} holds no {expected} in PEM")]
    NoPem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The PEM is sound but what is in it cannot be used.
    #[error("{path} cannot be used: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key are not a pair (perhaps one of the two was not replaced yet).
    #[error("{certificate} does not belong to the key {key}")]
    NotAPair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate is not valid at this time.
    #[error("{path} is valid from {not_before} to {not_after} only")]
    NotValidNow {
        /// The file.
        path: PathBuf,
        /// First valid instant.
        not_before: OffsetDateTime,
        /// Last valid instant.
        not_after: OffsetDateTime,
    },
    /// A root without a revocation list: nothing it signed could be accepted.
    #[error("no revocation list by {issuer}")]
    ListMissing {
        /// The root's name.
        issuer: String,
    },
    /// The list is not signed by a root that is trusted here.
    #[error("the revocation list by {issuer} is not signed by a trusted root of that name")]
    ListNotGenuine {
        /// The name on the list.
        issuer: String,
    },
    /// The list's next update is past, or it names none.
    #[error("the revocation list by {issuer} is out of date")]
    ListExpired {
        /// The name on the list.
        issuer: String,
    },
    /// The list is older than the one in force: taking it over would undo revocations.
    #[error("the revocation list by {issuer} is older than the one in force")]
    ListOlder {
        /// The name on the list.
        issuer: String,
    },
}

/// The state of some files when they were last looked at.
#[derive(Debug)]
pub(super) struct Watched {
    paths: Vec<PathBuf>,
    last: Mutex<Vec<Option<Stamp>>>,
}

/// What tells a file from its replacement, whether it was renamed over or written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device_and_inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<Metadata> for Stamp {
    fn from(metadata: Metadata) -> Self {
        Self {
            device_and_inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Watched {
    /// Takes the stamps before the caller reads, so that a change in between is seen at the next look.
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        let last = Mutex::new(stamps(&paths));
        Self { paths, last }
    }

    /// Runs `load` once for each change; files that turned out bad are not tried again until they change again. Held
    /// locked meanwhile: of two reloads at once the later one must see the files of the former in force.
    pub(super) fn if_changed(&self, load: impl FnOnce() -> Reloaded) -> Reloaded {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&self.paths);
        if *last == now {
            return Reloaded::Unchanged;
        }
        *last = now;
        load()
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    paths
        .iter()
        .map(|path| path.metadata().ok().map(Stamp::from))
        .collect()
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    within(FILE_MAX_BYTES, bytes.len(), path)?;
    Ok(bytes)
}

/// Reads a private key into memory that is wiped, provided that nobody else may. The permissions are those of the open
/// file, not of a path that could be exchanged in between.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, LoadError> {
    let unreadable = |source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
    if mode & OPEN_TO_OTHERS != 0 {
        return Err(LoadError::KeyOpenToOthers {
            path: path.to_owned(),
            mode,
        });
    }
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
    file.take(KEY_FILE_MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    within(KEY_FILE_MAX_BYTES, bytes.len(), path)?;
    Ok(bytes)
}

fn within(limit: u64, length: usize, path: &Path) -> Result<(), LoadError> {
    match u64::try_from(length) {
        Ok(length) if length <= limit => Ok(()),
        _ => Err(LoadError::TooLarge {
            path: path.to_owned(),
            limit,
        }),
    }
}
