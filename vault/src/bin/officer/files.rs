//! Files that are read and written: bounded, and secret ones for their owner alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::Failure;

/// Permission bits of group and others.
const OPEN_TO_OTHERS: u32 = 0o077;
/// A share, sealed or clear, or a private key: a few kilobytes.
pub const MOST_SECRET_BYTES: u64 = 16 * 1024;

/// A whole text file.
///
/// # Errors
/// [`Failure::Usage`]: it cannot be read, is longer than `most` bytes, or is no text.
pub fn read_text(path: &Path, most: u64) -> Result<String, Failure> {
    let bytes = read_some(open(path)?, most).map_err(|error| cannot_read(path, &error))?;
    let bytes = bytes.ok_or_else(|| too_long(path, most))?;
    std::str::from_utf8(&bytes)
        .map(str::to_owned)
        .map_err(|_| Failure::usage(format!("{} is no text", path.display())))
}

/// Secret text: the file's owner alone may read it, and what was read is wiped.
///
/// # Errors
/// As for [`read_text`], and when the file is open to others.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let file = open(path)?;
    let metadata = file.metadata().map_err(|error| cannot_read(path, &error))?;
    if metadata.is_file() && metadata.mode() & OPEN_TO_OTHERS != 0 {
        return Err(Failure::usage(format!(
            "{} holds a secret and is open to others (mode {:03o}): chmod 600 it",
            path.display(),
            metadata.mode() & 0o777
        )));
    }
    let bytes = read_some(file, MOST_SECRET_BYTES).map_err(|error| cannot_read(path, &error))?;
    secret_text(
        bytes.ok_or_else(|| too_long(path, MOST_SECRET_BYTES))?,
        &path.display().to_string(),
    )
}

/// Secret text from stdin, to its end.
///
/// # Errors
/// [`Failure::Usage`]: too long, or no text.
pub fn read_secret_from_stdin() -> Result<Zeroizing<String>, Failure> {
    let bytes = read_some(io::stdin().lock(), MOST_SECRET_BYTES);
    let bytes = bytes.map_err(|error| Failure::usage(format!("stdin: {error}")))?;
    secret_text(
        bytes.ok_or_else(|| Failure::usage("stdin is too long for a share"))?,
        "stdin",
    )
}

fn secret_text(bytes: Zeroizing<Vec<u8>>, name: &str) -> Result<Zeroizing<String>, Failure> {
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::usage(format!("{name} is no text")))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// Everything that `source` gives, in one buffer that never grows and so leaves no copy behind; `None`: more than `most`.
fn read_some(source: impl io::Read, most: u64) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let room = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    source.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// Writes a new file of mode 600; one that is there already stays as it is.
///
/// # Errors
/// [`Failure::Usage`]: it exists, or cannot be written.
pub fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut file = create_new(path)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(|error| cannot_write(path, &error))
}

/// A new, empty file of mode 600.
///
/// # Errors
/// [`Failure::Usage`]: it exists, or cannot be made.
pub fn create_new(path: &Path) -> Result<File, Failure> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    made.map_err(|error| cannot_write(path, &error))
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| cannot_read(path, &error))
}

/// What the system says when a file cannot be read.
pub fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", path.display()))
}

/// What the system says when a file cannot be written.
pub fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot write {}: {error}", path.display()))
}

fn too_long(path: &Path, most: u64) -> Failure {
    Failure::usage(format!("{} is longer than {most} bytes", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("share.txt");
        write_new(&path, b" a share\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read_secret(&path).unwrap().as_str(), "a share");
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(
                read_secret(&path).unwrap_err().to_string().contains("chmod 600"),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_endless_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write_new(&path, b"12345").unwrap();
        assert!(write_new(&path, b"other").is_err());
        assert_eq!(read_text(&path, 5).unwrap(), "12345");
        assert!(
            read_text(&path, 4)
                .unwrap_err()
                .to_string()
                .contains("longer than 4")
        );
        assert!(read_text(Path::new("/dev/zero"), 100).is_err());
    }
}
