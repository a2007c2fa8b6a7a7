//! How files come to be: new ones never over an old one, keys private from their first byte, replaced ones whole or not at
//! all, and everything on disk before the call returns.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Who may read a new file; the process's umask may take more away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The owner only: keys and the index.
    Private,
    /// Everybody: certificates and CRLs.
    Public,
}

impl Access {
    fn mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Public => 0o644,
        }
    }
}

/// The most that is read of any file: keys, certificates and requests are some kilobytes, an index of ten thousand
/// certificates some megabytes.
const MAX_READ_BYTES: u64 = 64 * 1024 * 1024;

/// Turns an I/O error into the sentence about `path`.
pub(crate) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |source| Error::File {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Creates `path` with `contents`, durably.
///
/// # Errors
/// [`Error::Exists`] if anything stands there, a dangling symbolic link included.
pub(crate) fn create(path: &Path, contents: &[u8], access: Access) -> Result<()> {
    let mut file = match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(access.mode())
        .open(path)
    {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(Error::Exists(path.to_owned())),
        Err(error) => return Err(failed("create", path)(error)),
    };
    let written = file.write_all(contents).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Ours and half-written: nobody can use it. The first error is the one to tell.
        drop(fs::remove_file(path));
        return Err(failed("write", path)(error));
    }
    sync_parent(path)
}

/// Puts `contents` in the place of whatever `path` holds: readers see the old file or the new one.
pub(crate) fn replace(path: &Path, contents: &[u8], access: Access) -> Result<()> {
    let mut name = path
        .file_name()
        .ok_or_else(|| Error::NotAPath(path.to_owned()))?
        .to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    // What a crash left behind was never in use; the CA's lock keeps other writers away.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("remove", &temporary)(error)),
        _ => {}
    }
    create(&temporary, contents, access)?;
    fs::rename(&temporary, path).map_err(failed("replace", path))?;
    sync_parent(path)
}

/// Makes the directory, with the missing ones above it, readable by the owner only.
pub(crate) fn make_dir(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed("create", path))
}

/// Refuses when any of the paths exists: asked before the first of several files is written.
pub(crate) fn refuse_existing<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    for path in paths {
        if fs::symlink_metadata(path).is_ok() {
            return Err(Error::Exists(path.to_owned()));
        }
    }
    Ok(())
}

/// Reads a file that is not secret.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let mut contents = Vec::new();
    let file = File::open(path).map_err(failed("read", path))?;
    file.take(MAX_READ_BYTES)
        .read_to_end(&mut contents)
        .map_err(failed("read", path))?;
    Ok(contents)
}

/// Reads a private key's file from its open handle; refuses if anyone but the owner may read it.
pub(crate) fn read_private(mut file: &File, path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let metadata = file.metadata().map_err(failed("read", path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::KeyFileTooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    let length = usize::try_from(metadata.len().min(MAX_READ_BYTES)).unwrap_or(0);
    // Reserved at once, so that no outgrown buffer keeps a copy of the key.
    let mut contents = Zeroizing::new(Vec::with_capacity(length + 1));
    file.read_to_end(&mut contents).map_err(failed("read", path))?;
    Ok(contents)
}

/// Makes a new or replaced directory entry durable.
pub(crate) fn sync_parent(path: &Path) -> Result<()> {
    let parent = parent_of(path);
    File::open(&parent)
        .and_then(|dir| dir.sync_all())
        .map_err(failed("synchronise", &parent))
}

/// The directory that holds `path`.
pub(crate) fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::{Access, create, read, replace};
    use crate::error::Error;

    #[test]
    fn a_new_file_is_never_written_over_an_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        create(&path, b"first", Access::Private).unwrap();
        assert!(matches!(
            create(&path, b"second", Access::Private),
            Err(Error::Exists(_))
        ));
        assert_eq!(read(&path).unwrap(), b"first");
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        symlink(&target, &link).unwrap();
        assert!(matches!(
            create(&link, b"key", Access::Private),
            Err(Error::Exists(_))
        ));
        assert!(!target.exists());
    }

    #[test]
    fn a_replaced_file_is_whole_and_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.json");
        create(&path, b"old", Access::Private).unwrap();
        fs::write(dir.path().join("index.json.new"), b"left by a crash").unwrap();
        replace(&path, b"new", Access::Private).unwrap();
        assert_eq!(read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
