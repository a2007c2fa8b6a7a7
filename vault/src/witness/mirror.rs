//! The mirror: every event as a line of JSON in files beside the store's volume, so that the log survives the loss of the
//! store's disk. Its cursor is its own last line.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use shared::vault_api::audit::AuditEntry;

use crate::error::Error;
use crate::flows::read_audit;
use crate::open_vault::OpenVault;

/// A file that reached this size is left for the next, bytes.
const MOST_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Events written and synced at once.
const BATCH: u64 = 1000;
/// Longer than any line: an event's notes and names are bounded.
const MOST_LINE_BYTES: u64 = 64 * 1024;
const PREFIX: &str = "audit-";
const SUFFIX: &str = ".jsonl";
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Why the mirror does not follow.
#[derive(Debug, thiserror::Error)]
pub(super) enum MirrorError {
    /// The directory or a file in it.
    #[error("the mirror: {0}")]
    Io(#[from] io::Error),
    /// The log itself.
    #[error(transparent)]
    Log(#[from] Error),
    /// Its last line is not what the log has in its place: an old disk was put back, or the mirror is another vault's.
    #[error("the mirror holds another log from event {index} on")]
    Another {
        /// The event.
        index: u64,
    },
    /// A file of its own that does not end in a line of its own.
    #[error("{0} does not end in an event")]
    Unreadable(PathBuf),
    /// The thread that writes.
    #[error("the mirror stopped: {0}")]
    Stopped(String),
}

/// The directory, and where it is written.
pub(super) struct Mirror(Arc<Mutex<State>>);

struct State {
    directory: PathBuf,
    /// Opened at the first event, and anew after a failure.
    writing: Option<Writing>,
}

struct Writing {
    file: File,
    bytes: u64,
    next: u64,
}

impl Mirror {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(State {
            directory,
            writing: None,
        })))
    }

    /// Writes what is durable and not mirrored yet. Gives the number of mirrored events.
    pub(super) async fn follow(&self, vault: &Arc<OpenVault>) -> Result<u64, MirrorError> {
        let size = vault.durable_head().await?.size;
        let (state, vault) = (Arc::clone(&self.0), Arc::clone(vault));
        let followed = tokio::task::spawn_blocking(move || {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let followed = state.follow(&vault, size);
            if followed.is_err() {
                state.writing = None;
            }
            followed
        });
        followed
            .await
            .map_err(|error| MirrorError::Stopped(error.to_string()))?
    }
}

impl State {
    fn follow(&mut self, vault: &OpenVault, size: u64) -> Result<u64, MirrorError> {
        let mut writing = match self.writing.take() {
            Some(writing) => writing,
            None => open(&self.directory, vault)?,
        };
        if writing.next > size {
            return Err(MirrorError::Another { index: size });
        }
        while writing.next < size {
            if writing.bytes >= MOST_FILE_BYTES {
                writing = create(&self.directory, writing.next)?;
            }
            let to = size.min(writing.next.saturating_add(BATCH));
            writing.append(vault, to)?;
        }
        let next = writing.next;
        self.writing = Some(writing);
        Ok(next)
    }
}

impl Writing {
    fn append(&mut self, vault: &OpenVault, to: u64) -> Result<(), MirrorError> {
        let mut lines = Vec::new();
        for index in self.next..to {
            let entry = read_audit::entry(index, &vault.log(|log| log.bytes(index))?)?;
            lines.extend(serde_json::to_vec(&entry).map_err(io::Error::from)?);
            lines.push(b'\n');
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // Half a line is taken back here, or by the next opening.
            let _ = self.file.set_len(self.bytes);
        }
        written?;
        self.bytes += lines.len() as u64;
        self.next = to;
        Ok(())
    }
}

/// Opens the newest file behind its last whole line, which must be the log's own.
fn open(directory: &Path, vault: &OpenVault) -> Result<Writing, MirrorError> {
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory)?;
    let Some((path, first)) = newest(directory)? else {
        return create(directory, 0);
    };
    let mut file = File::options().read(true).append(true).open(&path)?;
    let length = file.metadata()?.len();
    let begin = length.saturating_sub(2 * MOST_LINE_BYTES);
    file.seek(SeekFrom::Start(begin))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let bytes = begin + whole as u64;
    file.set_len(bytes)?;
    let lines = tail.get(..whole).unwrap_or_default();
    let last = lines.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
    let Some(last) = last else {
        return if begin == 0 {
            // Made, and not written before the process ended.
            Ok(Writing {
                file,
                bytes,
                next: first,
            })
        } else {
            Err(MirrorError::Unreadable(path))
        };
    };
    let last: AuditEntry = serde_json::from_slice(last).map_err(|_| MirrorError::Unreadable(path))?;
    let own = vault.log(|log| log.find(last.index))?;
    if own.as_ref().map(|bytes| bytes.as_slice()) != Some(last.event.as_bytes()) {
        return Err(MirrorError::Another { index: last.index });
    }
    let next = last.index.saturating_add(1);
    Ok(Writing { file, bytes, next })
}

fn create(directory: &Path, next: u64) -> Result<Writing, MirrorError> {
    let path = directory.join(format!("{PREFIX}{next:020}{SUFFIX}"));
    let file = File::options()
        .append(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)?;
    File::open(directory)?.sync_all()?;
    Ok(Writing { file, bytes: 0, next })
}

/// The newest file, and the index with which it begins.
fn newest(directory: &Path) -> io::Result<Option<(PathBuf, u64)>> {
    let mut found: Option<(PathBuf, u64)> = None;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        if let Some(number) = number.and_then(|number| number.parse().ok())
            && found.as_ref().is_none_or(|(_, newest)| *newest < number)
        {
            found = Some((path, number));
        }
    }
    Ok(found)
}
