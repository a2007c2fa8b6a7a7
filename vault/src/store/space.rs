//! Free space as a limit that is met before the disk does. sled cannot even be opened on a full volume, so writes stop at
//! a floor, and a ballast file can be given up to open a store on a volume that something else has filled.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

/// How long one look at the free space counts. At a hundred megabytes a second, more than any commit rate here writes,
/// the floor is overrun by a tenth of its default.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What sled needs to open: it writes a snapshot and rewrites the torn end of its log.
const ROOM_TO_OPEN: u64 = 16 * 1024 * 1024;

const CHUNK: usize = 1024 * 1024;

/// Bytes that an unprivileged process may still write to the volume of `path`.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let volume = statvfs(path)?;
    Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
}

/// The floor below which nothing is written.
pub(super) struct FreeSpace {
    volume: PathBuf,
    floor: u64,
    looked: Option<(Instant, bool)>,
}

impl FreeSpace {
    pub(super) fn new(volume: PathBuf, floor: u64) -> Self {
        Self {
            volume,
            floor,
            looked: None,
        }
    }

    /// Whether writes must stop. A volume that cannot be asked counts as full.
    pub(super) fn is_low(&mut self) -> bool {
        match self.looked {
            Some((when, low)) if when.elapsed() < LOOK_EVERY => low,
            before => {
                let low = free_bytes(&self.volume).map_or(true, |free| free < self.floor);
                if low && !before.is_some_and(|(_, low)| low) {
                    tracing::error!(volume = %self.volume.display(), floor = self.floor, "too little free space: writes stop");
                }
                self.looked = Some((Instant::now(), low));
                low
            }
        }
    }
}

/// Gives the ballast up if the store could not be opened without its room.
pub(super) fn release_ballast_if_full(ballast: &Path) -> io::Result<()> {
    let volume = ballast.parent().unwrap_or(Path::new("."));
    if free_bytes(volume)? < ROOM_TO_OPEN && fs::exists(ballast)? {
        tracing::error!(ballast = %ballast.display(), "the volume is full: giving up the ballast to open the store");
        fs::remove_file(ballast)?;
    }
    Ok(())
}

/// Makes the ballast if it is missing and the volume has room for it above the floor; 0 bytes: none is wanted.
pub(super) fn make_ballast(ballast: &Path, bytes: u64, floor: u64) -> io::Result<()> {
    if bytes == 0 || fs::exists(ballast)? {
        return Ok(());
    }
    let volume = ballast.parent().unwrap_or(Path::new("."));
    if free_bytes(volume)? < floor.saturating_add(bytes) {
        tracing::warn!(ballast = %ballast.display(), "no room for the store's ballast");
        return Ok(());
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(ballast)?;
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => {}
        Err(Errno::OPNOTSUPP) => fill(&mut file, bytes)?,
        Err(error) => {
            fs::remove_file(ballast)?;
            return Err(error.into());
        }
    }
    file.sync_all()
}

fn fill(file: &mut File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; CHUNK];
    let mut left = bytes;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        file.write_all(zeros.get(..length).unwrap_or(&zeros))?;
        left -= length as u64;
    }
    Ok(())
}
