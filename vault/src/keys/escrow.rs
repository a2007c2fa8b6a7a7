//! Escrow: the secret of a former epoch, kept for the stated life of the backups that were made in it. A file beside each
//! epoch file, sealed under a key of the root key's, so that it takes the quorum to open; destroyed when the last of
//! those backups ends.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::epoch::{EpochError, EpochFiles, EpochSecret, overwrite, sync_parent, write_over};
use super::root::RootKey;
use crate::crypto::CryptoError;
use crate::environment::Environment;

/// Length of one sealed secret is told in front of it: 2 bytes, big-endian.
const LENGTH_BYTES: usize = 2;

/// Where a copy of an epoch's secret is kept.
fn place(path: &Path, epoch: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".escrow-{epoch}"));
    PathBuf::from(name)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> EpochError {
    let path = path.to_owned();
    move |error| EpochError::Io(path.clone(), error)
}

fn sealed(error: CryptoError) -> EpochError {
    EpochError::Escrow(error)
}

/// Keeps a secret beside every epoch file.
pub(super) fn keep(
    files: &EpochFiles,
    secret: &EpochSecret,
    root: &RootKey,
    environment: Environment,
    rng: &dyn SecureRandom,
) -> Result<(), EpochError> {
    let block = root
        .seal_escrow(environment, secret.number(), secret.expose(), rng)
        .map_err(sealed)?;
    for path in files.paths() {
        let place = place(path, secret.number());
        write_over(&place, &framed(&block)).map_err(failed(&place))?;
    }
    Ok(())
}

fn framed(block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], block].concat()
}

fn blocks(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() {
        let Some((block, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
            break;
        };
        blocks.push(block.to_vec());
        bytes = rest;
    }
    blocks
}

/// Every escrow file beside these epoch files, with the epoch it is of.
fn all(files: &EpochFiles) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for path in files.paths() {
        let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else {
            continue;
        };
        let prefix = format!("{}.escrow-", name.to_string_lossy());
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(epoch) = name.strip_prefix(&prefix).and_then(|number| number.parse().ok()) {
                found.push((entry.path(), epoch));
            }
        }
    }
    found
}

/// Whether any escrow is beside these epoch files.
pub(super) fn any(files: &EpochFiles) -> bool {
    !all(files).is_empty()
}

/// Whether the escrow of an epoch is there. Whether it opens is the root key's to say.
#[must_use]
pub fn is_there(files: &EpochFiles, epoch: u32) -> bool {
    all(files).iter().any(|(_, other)| *other == epoch)
}

/// Puts an escrow that was kept elsewhere beside every epoch file, for the unlock of a restored vault.
///
/// # Errors
/// The file cannot be read or written.
pub fn bring(files: &EpochFiles, epoch: u32, from: &Path) -> Result<(), EpochError> {
    let bytes = fs::read(from).map_err(failed(from))?;
    for path in files.paths() {
        let place = place(path, epoch);
        write_over(&place, &bytes).map_err(failed(&place))?;
    }
    Ok(())
}

/// The kept secret of an epoch, if its escrow is there and opens.
///
/// # Errors
/// No copy is there, or none opens under this root key.
pub(super) fn open(
    files: &EpochFiles,
    epoch: u32,
    root: &RootKey,
    environment: Environment,
) -> Result<EpochSecret, EpochError> {
    for path in files.paths() {
        let bytes = fs::read(place(path, epoch)).unwrap_or_default();
        for block in blocks(&bytes) {
            let opened = root.open_escrow(environment, epoch, &block);
            let secret = opened
                .ok()
                .and_then(|secret| EpochSecret::from_parts(epoch, &secret));
            if let Some(secret) = secret {
                return Ok(secret);
            }
        }
    }
    Err(EpochError::OtherEpoch(epoch))
}

/// Seals every escrow under the next root key too.
pub(super) fn add_root(
    files: &EpochFiles,
    root: &RootKey,
    next: &RootKey,
    environment: Environment,
    rng: &dyn SecureRandom,
) -> Result<(), EpochError> {
    for (place, epoch) in all(files) {
        let secret = open(files, epoch, root, environment)?;
        let secret = Zeroizing::new(*secret.expose());
        let block = next
            .seal_escrow(environment, epoch, &*secret, rng)
            .map_err(sealed)?;
        let bytes = fs::read(&place).map_err(failed(&place))?;
        let kept = blocks(&bytes)
            .into_iter()
            .filter(|block| root.open_escrow(environment, epoch, block).is_ok());
        let both: Vec<u8> = kept.chain([block]).flat_map(|block| framed(&block)).collect();
        write_over(&place, &both).map_err(failed(&place))?;
    }
    Ok(())
}

/// Drops what other root keys open.
pub(super) fn settle(files: &EpochFiles, root: &RootKey, environment: Environment) -> Result<(), EpochError> {
    for (place, epoch) in all(files) {
        let bytes = fs::read(&place).map_err(failed(&place))?;
        let all = blocks(&bytes);
        let own: Vec<&Vec<u8>> = all
            .iter()
            .filter(|block| root.open_escrow(environment, epoch, block).is_ok())
            .collect();
        if own.is_empty() || own.len() == all.len() {
            continue;
        }
        let former = OpenOptions::new()
            .write(true)
            .open(&place)
            .map_err(failed(&place))?;
        let kept: Vec<u8> = own.into_iter().flat_map(|block| framed(block)).collect();
        write_over(&place, &kept).map_err(failed(&place))?;
        overwrite(former).map_err(failed(&place))?;
    }
    Ok(())
}

/// Destroys the kept secret of an epoch: overwritten, then unlinked.
///
/// # Errors
/// A file cannot be removed.
pub fn destroy(files: &EpochFiles, epoch: u32) -> Result<(), EpochError> {
    for path in files.paths() {
        let place = place(path, epoch);
        match OpenOptions::new().write(true).open(&place) {
            Ok(file) => {
                overwrite(file).map_err(failed(&place))?;
                fs::remove_file(&place).map_err(failed(&place))?;
                sync_parent(&place).map_err(failed(&place))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&place)(error)),
        }
    }
    Ok(())
}
