//! A witness that is a file: notes are appended to it and synced, each followed by an empty line. Best on a volume of its
//! own, which nobody puts back together with the store's.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Refusal, durable, notes, unavailable};
use crate::audit::checkpoint::{self, Checkpoint, Head};
use crate::audit::note::NoteError;
use crate::audit::verify;
use crate::open_vault::OpenVault;

/// The last note is within so many bytes of the file's end: a note has some hundred.
const TAIL_BYTES: u64 = 16 * 1024;
/// The owner alone.
const MODE: u32 = 0o600;
const BETWEEN: &[u8] = b"\n\n";

/// A file of checkpoints.
pub(super) struct FileWitness {
    path: PathBuf,
}

impl FileWitness {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Compares the file's last note with the log. `None`: there is no note yet.
    pub(super) async fn check(&self, vault: &Arc<OpenVault>) -> Result<Option<u64>, Refusal> {
        let head = durable(vault).await?;
        let (path, vault) = (self.path.clone(), Arc::clone(vault));
        blocking(move || {
            let Some(note) = last_note(&path).map_err(|error| unavailable(&error))? else {
                return Ok(None);
            };
            let witnessed = ours(&vault, &note)?;
            if witnessed.size > head.size {
                return Err(Refusal::Behind {
                    witnessed: witnessed.size,
                });
            }
            let own = vault.log(|log| log.head(witnessed.size));
            if own.map_err(|error| unavailable(&error))? != witnessed {
                return Err(Refusal::Forked {
                    witnessed: witnessed.size,
                });
            }
            Ok(Some(witnessed.size))
        })
        .await
    }

    /// Appends the newest checkpoint, and before it those by which audit keys named their successors since `known`.
    pub(super) async fn tell(
        &self,
        vault: &Arc<OpenVault>,
        head: Head,
        known: Option<u64>,
    ) -> Result<u64, Refusal> {
        let (path, vault) = (self.path.clone(), Arc::clone(vault));
        blocking(move || {
            let notes = notes(&vault, head, known).map_err(|error| unavailable(&error))?;
            append(&path, &notes).map_err(|error| unavailable(&error))?;
            Ok(head.size)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| unavailable(&error))?
}

/// What a note says, if a key of this log signed it.
fn ours(vault: &OpenVault, note: &str) -> Result<Head, Refusal> {
    let origin = &vault.surroundings.origin;
    for key in vault.keyring().audit_keys() {
        let key = checkpoint::verifier_key(key, origin).map_err(|error| unavailable(&error))?;
        match Checkpoint::verify(note, &key) {
            Ok(checkpoint) => return Ok(checkpoint.head),
            Err(NoteError::OtherKey) => {}
            Err(_) => return Err(Refusal::NotOurs),
        }
    }
    Err(Refusal::NotOurs)
}

fn last_note(path: &Path) -> io::Result<Option<String>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(verify::notes(&String::from_utf8_lossy(&tail)).pop())
}

/// Appends all or nothing, as far as a full disk lets it: half a note is taken back, and where that fails too, the next
/// one begins after an empty line, so that readers skip it.
fn append(path: &Path, notes: &[String]) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = File::options()
        .read(true)
        .append(true)
        .create(true)
        .mode(MODE)
        .open(path)?;
    let before = file.metadata()?.len();
    let mut bytes = Vec::new();
    if before > 0 && !ends_a_note(&mut file, before)? {
        bytes.extend_from_slice(BETWEEN);
    }
    for note in notes {
        bytes.extend_from_slice(note.as_bytes());
        bytes.push(b'\n');
    }
    let written = file.write_all(&bytes).and_then(|()| file.sync_data());
    if written.is_err() {
        // Nothing more can be done about it; readers skip half a note.
        let _ = file.set_len(before);
    }
    written?;
    if is_new && let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn ends_a_note(file: &mut File, length: u64) -> io::Result<bool> {
    let mut end = [0; 2];
    file.seek(SeekFrom::Start(length.saturating_sub(2)))?;
    let read = file.read(&mut end)?;
    Ok(end.get(..read) == Some(BETWEEN))
}
