//! Where bulk files lie, and how one comes to be there: written under another name with mode 0600, synced, renamed, its
//! directory synced. Nobody ever sees half a file under its name.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

/// The files are for the vault's own user, sealed as they are.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;
/// The end of a file's name while it is being written.
const DRAFT: &str = "part";
/// How often a long write looks at the room that is left, in bytes.
const LOOK_EVERY: u64 = 16 * 1024 * 1024;

/// Why a bulk file cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Less room than the floor, or than the file needs.
    #[error("there is no room in {0}")]
    NoSpace(PathBuf),
    /// Somebody writes the same file now.
    #[error("{0} is being written")]
    UnderWay(PathBuf),
    /// The operating system refused.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

/// A directory for bulk files.
#[derive(Clone, Debug)]
pub struct Place {
    directory: PathBuf,
    floor: u64,
}

impl Place {
    /// `directory` is made when something is first written to it; below `floor` free bytes nothing is.
    #[must_use]
    pub const fn new(directory: PathBuf, floor: u64) -> Self {
        Self { directory, floor }
    }

    /// Where a file of that name is, once it is whole.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Whether `bytes` more leave the floor free.
    ///
    /// # Errors
    /// [`FileError::NoSpace`], or the volume cannot be asked.
    pub fn require_room(&self, bytes: u64) -> Result<(), FileError> {
        self.make_directory()?;
        let volume = statvfs(&self.directory).map_err(|error| self.io(&self.directory, error.into()))?;
        let free = volume.f_bavail.saturating_mul(volume.f_frsize);
        if free < self.floor.saturating_add(bytes) {
            return Err(FileError::NoSpace(self.directory.clone()));
        }
        Ok(())
    }

    /// Begins a new file; a draft that a crash left is begun anew.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn draft(&self, name: &str) -> Result<Draft, FileError> {
        self.require_room(0)?;
        let path = self.draft_path(name);
        remove_if_there(&path).map_err(|error| self.io(&path, error))?;
        self.open_draft(name, &path, OpenOptions::new().create_new(true))
    }

    /// Begins a new file unless another is being written under this name.
    ///
    /// # Errors
    /// [`FileError::UnderWay`] among others.
    pub fn draft_alone(&self, name: &str) -> Result<Draft, FileError> {
        self.require_room(0)?;
        let path = self.draft_path(name);
        let draft = self.open_draft(name, &path, OpenOptions::new().create(true).truncate(false))?;
        // A lock rather than the file's existence: it ends with whoever held it, by a crash too.
        match draft.file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FileError::UnderWay(path)),
            Err(TryLockError::Error(error)) => return Err(self.io(&path, error)),
        }
        draft.file.set_len(0).map_err(|error| self.io(&path, error))?;
        Ok(draft)
    }

    /// Goes on with a draft where it held `bytes`; what was written after that is cut off.
    ///
    /// # Errors
    /// [`FileError`]; also when it holds less.
    pub fn resume(&self, name: &str, bytes: u64) -> Result<Draft, FileError> {
        let path = self.draft_path(name);
        let mut draft = self.open_draft(name, &path, OpenOptions::new().create(bytes == 0))?;
        let cut = |file: &mut File| -> io::Result<()> {
            if file.metadata()?.len() < bytes {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "shorter than it was left",
                ));
            }
            file.set_len(bytes)?;
            file.seek(SeekFrom::End(0)).map(drop)
        };
        cut(&mut draft.file).map_err(|error| self.io(&path, error))?;
        draft.written = bytes;
        Ok(draft)
    }

    fn open_draft(&self, name: &str, path: &Path, options: &mut OpenOptions) -> Result<Draft, FileError> {
        self.make_directory()?;
        let opened = options.write(true).mode(PRIVATE_FILE).open(path);
        let file = opened.map_err(|error| self.io(path, error))?;
        Ok(Draft {
            place: self.clone(),
            file,
            path: path.to_owned(),
            name: name.to_owned(),
            written: 0,
            looked: 0,
        })
    }

    /// Opens a whole file.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn open(&self, name: &str) -> Result<File, FileError> {
        let path = self.path(name);
        File::open(&path).map_err(|error| self.io(&path, error))
    }

    /// Reads up to `length` bytes from `offset` on.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn read_at(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, FileError> {
        let mut file = self.open(name)?;
        let read = |file: &mut File| -> io::Result<Vec<u8>> {
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::with_capacity(length);
            file.take(length as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read(&mut file).map_err(|error| self.io(&self.path(name), error))
    }

    /// Removes a file and its draft; what is not there is no error.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn remove(&self, name: &str) -> Result<(), FileError> {
        for path in [self.path(name), self.draft_path(name)] {
            remove_if_there(&path).map_err(|error| self.io(&path, error))?;
        }
        Ok(())
    }

    fn draft_path(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.{DRAFT}"))
    }

    fn make_directory(&self) -> Result<(), FileError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE_DIRECTORY)
            .create(&self.directory);
        made.map_err(|error| self.io(&self.directory, error))
    }

    #[expect(clippy::unused_self, reason = "reads as the place's own error")]
    fn io(&self, path: &Path, error: io::Error) -> FileError {
        if error.kind() == io::ErrorKind::StorageFull {
            FileError::NoSpace(path.to_owned())
        } else {
            FileError::Io(path.to_owned(), error)
        }
    }
}

/// A file on its way. Dropped, it stays as a draft; see [`Place::draft`] and [`Place::resume`].
pub struct Draft {
    place: Place,
    file: File,
    path: PathBuf,
    name: String,
    written: u64,
    looked: u64,
}

impl Draft {
    /// Bytes so far.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Appends.
    ///
    /// # Errors
    /// [`FileError`]; what was written of `bytes` is not known.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        if self.written >= self.looked {
            self.place.require_room(bytes.len() as u64)?;
            self.looked = self.written.saturating_add(LOOK_EVERY);
        }
        let appended = self.file.write_all(bytes);
        appended.map_err(|error| self.place.io(&self.path, error))?;
        self.written = self.written.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Makes what was written so far durable.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn sync(&self) -> Result<(), FileError> {
        self.file
            .sync_all()
            .map_err(|error| self.place.io(&self.path, error))
    }

    /// Makes the file whole: it has its name from here on, durably.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn finish(self) -> Result<PathBuf, FileError> {
        self.sync()?;
        let whole = self.place.path(&self.name);
        let rename = || -> io::Result<()> {
            fs::rename(&self.path, &whole)?;
            File::open(&self.place.directory)?.sync_all()
        };
        rename().map_err(|error| self.place.io(&whole, error))?;
        Ok(whole)
    }

    /// Takes back what was written.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn discard(self) -> Result<(), FileError> {
        remove_if_there(&self.path).map_err(|error| self.place.io(&self.path, error))
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_has_its_name_only_once_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(directory.path().join("bulk"), 0);
        let mut draft = place.draft_alone("one").unwrap();
        draft.append(b"first").unwrap();
        assert!(place.open("one").is_err());
        assert!(matches!(place.draft_alone("one"), Err(FileError::UnderWay(_))));
        draft.sync().unwrap();
        drop(draft);
        let mut draft = place.resume("one", 3).unwrap();
        draft.append(b"e").unwrap();
        let path = draft.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"fire");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(place.read_at("one", 1, 2).unwrap(), b"ir");
        place.remove("one").unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn below_the_floor_nothing_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(directory.path().to_owned(), u64::MAX / 2);
        assert!(matches!(place.draft("one"), Err(FileError::NoSpace(_))));
    }
}
