//! What the process gives up at its start.

use std::io;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// No core dumps, and files for the owner alone.
///
/// The process stays inspectable by its own user, unlike the vault: it holds no card data, and the proof of that is to
/// search its memory.
///
/// # Errors
/// When the kernel refuses.
pub fn harden() -> Result<(), io::Error> {
    umask(Mode::from_bits_truncate(0o077));
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    Ok(())
}
