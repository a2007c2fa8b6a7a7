//! For tests: an officer's key as the certificate authority makes it.

use std::path::{Path, PathBuf};

use certs::{Authority, Ca, Kind, PairPaths, Profile};
use shared::clock::Clock;
use shared::jwe::RecipientKey;

/// The file of a private key in `directory`, which must be empty, and the key.
pub fn recipient(directory: &Path) -> (PathBuf, RecipientKey) {
    let mut authority = Authority::create(directory, Ca::Internal, &Clock::System).unwrap();
    let profile = Profile::new(Kind::Officer, Some("a".parse().unwrap()), Vec::new()).unwrap();
    let pair = PairPaths {
        certificate: directory.join("a.pem"),
        key: directory.join("a.key"),
    };
    authority.issue(&profile).unwrap().write(&pair).unwrap();
    let key = RecipientKey::from_pkcs8_pem(&std::fs::read(&pair.key).unwrap()).unwrap();
    (pair.key, key)
}
