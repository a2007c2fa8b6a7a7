//! The anchor: a copy of the commit record outside the store, best on another volume. It trails the store by at most
//! [`ANCHOR_COMMITS`] commits or [`ANCHOR_INTERVAL`]; a store that opens behind its anchor has lost its tail (a restored
//! disk, or damage that the engine took for a torn end).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::commit_record::CommitRecord;

/// The anchor is rewritten at the latest after this many groups of commits.
pub(super) const ANCHOR_COMMITS: u64 = 1000;

/// The anchor is rewritten at the latest this long after a commit. Two small syncs a second at most, off the commit path.
pub(super) const ANCHOR_INTERVAL: Duration = Duration::from_secs(1);

const TITLE: &str = "tessera store anchor 1";

/// Reads an anchor; `None`: there is no such file.
pub(super) fn read(path: &Path) -> io::Result<Option<CommitRecord>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    parse(&text)
        .map(Some)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an anchor file"))
}

/// Replaces the anchor durably: a new file, synced, renamed over the old one, its directory synced.
pub(super) fn write(path: &Path, record: CommitRecord) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(render(record).as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(
        path.parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new(".")),
    )?
    .sync_all()
}

fn render(record: CommitRecord) -> String {
    let head = u128_pair(record.audit_head);
    format!(
        "{TITLE}\ncommit {}\nrecords {}\naudit {:032x}{:032x}\n",
        record.number, record.records, head.0, head.1
    )
}

fn parse(text: &str) -> Option<CommitRecord> {
    let mut lines = text.lines();
    if lines.next()? != TITLE {
        return None;
    }
    let number = lines.next()?.strip_prefix("commit ")?.parse().ok()?;
    let records = lines.next()?.strip_prefix("records ")?.parse().ok()?;
    let (first, second) = lines.next()?.strip_prefix("audit ")?.split_at_checked(32)?;
    let mut audit_head = [0; 32];
    let (front, back) = audit_head.split_at_mut(16);
    front.copy_from_slice(&u128::from_str_radix(first, 16).ok()?.to_be_bytes());
    back.copy_from_slice(&u128::from_str_radix(second, 16).ok()?.to_be_bytes());
    Some(CommitRecord {
        number,
        records,
        audit_head,
    })
}

fn u128_pair(head: [u8; 32]) -> (u128, u128) {
    let (front, back) = head.split_at(16);
    let number = |half: &[u8]| {
        half.iter()
            .fold(0, |number, &byte| (number << 8) | u128::from(byte))
    };
    (number(front), number(back))
}

/// Writes the anchor in a thread of its own, so that no commit waits for it.
pub(super) struct AnchorWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    durable: CommitRecord,
    written: CommitRecord,
    closing: bool,
}

impl AnchorWriter {
    /// Starts the thread; `record` is what the file at `path` holds.
    pub(super) fn start(path: PathBuf, record: CommitRecord) -> io::Result<Self> {
        let state = Mutex::new(State {
            durable: record,
            written: record,
            closing: false,
        });
        let shared = Arc::new(Shared {
            path,
            state,
            changed: Condvar::new(),
        });
        let thread = std::thread::Builder::new()
            .name("store-anchor".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.run()
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Tells that the store is durable up to `record`.
    pub(super) fn advance(&self, record: CommitRecord) {
        let mut state = self.shared.lock();
        let idle = state.durable == state.written;
        state.durable = record;
        if idle || state.is_urgent() {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for AnchorWriter {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook; the anchor then stays where it was.
            let _ = thread.join();
        }
    }
}

impl State {
    fn is_urgent(&self) -> bool {
        self.closing || self.durable.number >= self.written.number + ANCHOR_COMMITS
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            state = self
                .changed
                .wait_while(state, |state| state.durable == state.written && !state.closing)
                .unwrap_or_else(PoisonError::into_inner);
            let waited = self
                .changed
                .wait_timeout_while(state, ANCHOR_INTERVAL, |state| !state.is_urgent());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            let (record, closing) = (state.durable, state.closing);
            if record != state.written {
                drop(state);
                let outcome = write(&self.path, record);
                state = self.lock();
                // A failed write is tried again with the next interval; until then the old anchor holds.
                match outcome {
                    Ok(()) => state.written = record,
                    Err(error) => {
                        tracing::error!(%error, path = %self.path.display(), "cannot write the store's anchor")
                    }
                }
            }
            if closing {
                return;
            }
        }
    }
}
