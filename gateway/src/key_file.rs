//! A file of 32 random bytes that is its owner's alone: how each of the gateway's own keys is made and read.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use ring::rand::SecureRandom;
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Mode bits that must not be set.
const OPEN_TO_OTHERS: u32 = 0o077;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or made.
    #[error("{path}: {error} (`gateway {what} new-key` makes it)")]
    File {
        /// Which.
        path: String,
        /// The subcommand that makes such a file.
        what: &'static str,
        /// Why.
        error: std::io::Error,
    },
    /// Others can read it.
    #[error("{0} is open to others than its owner")]
    OpenToOthers(String),
    /// It is not 32 bytes.
    #[error("{0} does not hold 32 bytes")]
    Length(String),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// Reads a key; `what` is the subcommand that makes such a file.
///
/// # Errors
/// [`KeyFileError`], among others when others than the owner can read the file.
pub fn load(path: &Path, what: &'static str) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyFileError> {
    let name = || path.display().to_string();
    let unreadable = |error| KeyFileError::File {
        path: name(),
        what,
        error,
    };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.mode() & OPEN_TO_OTHERS != 0 {
        return Err(KeyFileError::OpenToOthers(name()));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
    file.take(KEY_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if bytes.len() != KEY_BYTES {
        return Err(KeyFileError::Length(name()));
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// Makes a file with a fresh key; never over an old one, under which there may be something sealed.
///
/// # Errors
/// [`KeyFileError`].
pub fn create(path: &Path, what: &'static str, random: &dyn SecureRandom) -> Result<(), KeyFileError> {
    let failed = |error| KeyFileError::File {
        path: path.display().to_string(),
        what,
        error,
    };
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    random
        .fill(bytes.as_mut_slice())
        .map_err(|_| KeyFileError::Random)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(bytes.as_slice()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;

    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn a_key_file_is_the_owners_alone_and_is_never_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("operators.key");
        let (what, random) = ("operator", SystemRandom::new());
        assert!(matches!(load(&path, what), Err(KeyFileError::File { .. })));
        create(&path, what, &random).unwrap();
        load(&path, what).unwrap();
        assert!(create(&path, what, &random).is_err());
        set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(&path, what), Err(KeyFileError::OpenToOthers(_))));
        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for length in [31, 33] {
            write(&path, vec![0; length]).unwrap();
            assert!(matches!(load(&path, what), Err(KeyFileError::Length(_))));
        }
    }
}
