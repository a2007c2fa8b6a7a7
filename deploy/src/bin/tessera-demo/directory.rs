//! The demo's directory: wiped and made anew at each start, and never anything but its own.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::running;

/// Marks a directory as the demo's, and is held locked while a demo works in it.
const MARKER: &str = ".tessera-demo";
const INFO: &str = "info.json";

/// A directory that is empty and ours for as long as this value lives.
#[derive(Debug)]
pub(crate) struct DemoDirectory {
    path: PathBuf,
    /// Closing the file gives the lock back.
    _lock: File,
}

impl DemoDirectory {
    /// Takes the directory for this demo and empties it; refuses where a pair runs, or where something else is kept.
    pub(crate) fn claim(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        let marker = path.join(MARKER);
        if !marker.exists() && fs::read_dir(path)?.next().is_some() {
            bail!(
                "{} holds something that is not a demo's; give another directory with TESSERA_DEMO_DIR",
                path.display()
            );
        }
        if let [first, ..] = running::find(path)?.as_slice() {
            bail!(
                "a pair runs in {} ({first}); `deploy/demo --stop` ends it",
                path.display()
            );
        }
        let lock = File::create(&marker).with_context(|| format!("cannot write in {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another demo works in {}", path.display()),
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the demo's directory"),
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_name() == MARKER {
                continue;
            }
            let removed = if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
            removed.with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Takes `info.json` away: it speaks of a pair that does not run any more.
    pub(crate) fn forget_info(&self) {
        forget_info(&self.path);
    }
}

/// Takes `info.json` away where it is.
pub(crate) fn forget_info(directory: &Path) {
    match fs::remove_file(directory.join(INFO)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            say_not_removed(&error);
        }
        _ => {}
    }
}

#[expect(clippy::print_stderr, reason = "a command's word to the person who called it")]
fn say_not_removed(error: &std::io::Error) {
    eprintln!("info.json could not be removed: {error}");
}
