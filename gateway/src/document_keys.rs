//! The keys under which documents of KYC applications are sealed: a copy of the database shows none of them. One key seals;
//! earlier ones open what was sealed under them, so that a key can be exchanged while everything stays readable.
//!
//! Each document has a key of its own, derived from the file's key and a random salt (HKDF, RFC 5869), so that the nonces of
//! its chunks can be counted; every chunk is bound to the document's whole name, to its place and to the number of chunks.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use crate::domain::kyc::{DocumentId, DocumentKind, DocumentType};
use crate::domain::user::UserId;
use crate::error::Error;
use crate::key_file::{self, KEY_BYTES, KeyFileError};

/// The subcommand that makes the files.
const MADE_BY: &str = "kyc";
/// Bytes of a document that make a chunk, a row of its own: small enough for any database.
const CHUNK_BYTES: usize = 256 * 1024;
/// The form of what is sealed, under every seal.
const FORM: u8 = 1;

/// By which a document is sealed and opened: no document opens as another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentName {
    /// Whose it is.
    pub user: UserId,
    /// Its number.
    pub id: DocumentId,
    /// What it shows.
    pub kind: DocumentKind,
    /// Its type.
    pub content_type: DocumentType,
    /// Its length in bytes.
    pub size: i64,
}

/// A document as rows hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedDocument {
    /// Names the key.
    pub key: String,
    /// From which the document's own key is derived.
    pub salt: [u8; 32],
    /// The chunks, in order, each with its tag.
    pub chunks: Vec<Vec<u8>>,
}

/// The key of a file.
struct FileKey {
    name: String,
    secret: Zeroizing<[u8; KEY_BYTES]>,
}

/// All keys there are.
pub struct DocumentKeys {
    current: FileKey,
    earlier: Vec<FileKey>,
}

impl DocumentKeys {
    /// Reads the key that seals, and those that only open.
    ///
    /// # Errors
    /// [`KeyFileError`], among others when others than the owner can read a file.
    pub fn load(current: &Path, earlier: &[PathBuf]) -> Result<Self, KeyFileError> {
        Ok(Self {
            current: FileKey::load(current)?,
            earlier: earlier
                .iter()
                .map(|path| FileKey::load(path))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The name of the key that seals.
    #[must_use]
    pub fn current(&self) -> &str {
        &self.current.name
    }

    /// Makes a file with a fresh key; never over an old one, under which there may be something sealed.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn create(path: &Path, random: &dyn SecureRandom) -> Result<(), KeyFileError> {
        key_file::create(path, MADE_BY, random)
    }

    /// Seals a document under the present key.
    ///
    /// # Errors
    /// When the system gives no random numbers, or `plain` has not the length of its name.
    pub fn seal(
        &self,
        name: &DocumentName,
        plain: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<SealedDocument, Error> {
        if i64::try_from(plain.len()) != Ok(name.size) {
            return Err(Error::internal("a document has not the length of its name"));
        }
        let mut salt = [0; 32];
        random
            .fill(&mut salt)
            .map_err(|_| Error::internal("the system gives no random numbers"))?;
        let key = self.current.derive(&salt)?;
        let count = chunks_of(name.size);
        let mut chunks = Vec::with_capacity(plain.len().div_ceil(CHUNK_BYTES));
        for (place, chunk) in (0_u32..).zip(plain.chunks(CHUNK_BYTES)) {
            let mut text = Zeroizing::new(chunk.to_vec());
            let tag = key
                .seal_in_place_separate_tag(nonce(place), aad(name, place, count), &mut text)
                .map_err(|_| Error::internal("sealing failed"))?;
            chunks.push([text.as_slice(), tag.as_ref()].concat());
        }
        Ok(SealedDocument {
            key: self.current.name.clone(),
            salt,
            chunks,
        })
    }

    /// Opens a document.
    ///
    /// # Errors
    /// When it was not sealed under this name, is not whole, or its key is not here: somebody has to look.
    pub fn open(&self, name: &DocumentName, sealed: &SealedDocument) -> Result<Zeroizing<Vec<u8>>, Error> {
        let broken = || Error::internal("a document does not open");
        let mut keys = std::iter::once(&self.current).chain(&self.earlier);
        let key = keys
            .find(|key| key.name == sealed.key)
            .ok_or_else(|| Error::internal("the key of a document is not configured"))?
            .derive(&sealed.salt)?;
        let count = chunks_of(name.size);
        if sealed.chunks.len() != usize::try_from(count).map_err(|_| broken())? {
            return Err(broken());
        }
        let size = usize::try_from(name.size).map_err(|_| broken())?;
        let mut plain = Zeroizing::new(Vec::with_capacity(size));
        for (place, chunk) in (0_u32..).zip(&sealed.chunks) {
            let mut text = Zeroizing::new(chunk.clone());
            let opened = key
                .open_in_place(nonce(place), aad(name, place, count), &mut text)
                .map_err(|_| broken())?;
            plain.extend_from_slice(opened);
        }
        if plain.len() == size {
            Ok(plain)
        } else {
            Err(broken())
        }
    }
}

impl FileKey {
    fn load(path: &Path) -> Result<Self, KeyFileError> {
        key_file::load(path, MADE_BY).map(Self::of)
    }

    /// The name is a hash of the key: of 256 random bits it gives nothing away, and nobody has to think of one.
    fn of(secret: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(b"tessera kyc document key name\0");
        context.update(secret.as_slice());
        let hash = context.finish();
        let name = URL_SAFE_NO_PAD.encode(hash.as_ref().get(..12).unwrap_or_default());
        Self { name, secret }
    }

    fn derive(&self, salt: &[u8; 32]) -> Result<LessSafeKey, Error> {
        let failed = |_| Error::internal("a document's key cannot be derived");
        let key = Salt::new(HKDF_SHA256, salt).extract(self.secret.as_slice());
        let unbound: UnboundKey = key
            .expand(&[b"tessera kyc document\0"], &AES_256_GCM)
            .map_err(failed)?
            .into();
        Ok(LessSafeKey::new(unbound))
    }
}

/// How many chunks a document of this length has.
fn chunks_of(size: i64) -> u32 {
    let size = usize::try_from(size).unwrap_or_default();
    u32::try_from(size.div_ceil(CHUNK_BYTES)).unwrap_or(u32::MAX)
}

/// Under a key that seals one document, the place of a chunk comes once.
fn nonce(place: u32) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let places = place.to_be_bytes();
    for (byte, place) in bytes.iter_mut().rev().zip(places.iter().rev()) {
        *byte = *place;
    }
    Nonce::assume_unique_for_key(bytes)
}

fn aad(name: &DocumentName, place: u32, count: u32) -> Aad<Vec<u8>> {
    let mut bytes = b"tessera kyc document\0".to_vec();
    bytes.push(FORM);
    for number in [name.user.0, name.id.0, name.size] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&place.to_be_bytes());
    bytes.extend_from_slice(&count.to_be_bytes());
    bytes.extend_from_slice(name.kind.as_str().as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(name.content_type.as_str().as_bytes());
    Aad::from(bytes)
}

#[cfg(test)]
mod tests {

    use ring::rand::SystemRandom;

    use super::*;

    fn keys(secrets: &[u8]) -> DocumentKeys {
        let mut all = secrets
            .iter()
            .map(|byte| FileKey::of(Zeroizing::new([*byte; 32])));
        DocumentKeys {
            current: all.next().unwrap(),
            earlier: all.collect(),
        }
    }

    fn name(size: usize) -> DocumentName {
        DocumentName {
            user: UserId(1001),
            id: DocumentId(1007),
            kind: DocumentKind::Selfie,
            content_type: DocumentType::Png,
            size: i64::try_from(size).unwrap(),
        }
    }

    #[test]
    fn what_is_sealed_opens_whole_and_shows_nothing_before() {
        let random = SystemRandom::new();
        for size in [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
            let plain = vec![b'x'; size];
            let sealed = keys(&[7]).seal(&name(size), &plain, &random).unwrap();
            assert_eq!(sealed.chunks.len(), size.div_ceil(CHUNK_BYTES));
            assert!(!sealed.chunks.concat().windows(8).any(|part| part == b"xxxxxxxx"));
            assert_eq!(keys(&[7]).open(&name(size), &sealed).unwrap().as_slice(), plain);
        }
    }

    #[test]
    fn a_document_opens_under_its_whole_name_alone() {
        let random = SystemRandom::new();
        let own = name(9);
        let sealed = keys(&[7]).seal(&own, b"a picture", &random).unwrap();
        let others = [
            DocumentName {
                user: UserId(1002),
                ..own
            },
            DocumentName {
                id: DocumentId(1008),
                ..own
            },
            DocumentName {
                kind: DocumentKind::Passport,
                ..own
            },
            DocumentName {
                content_type: DocumentType::Jpeg,
                ..own
            },
            DocumentName { size: 8, ..own },
        ];
        for other in others {
            assert!(keys(&[7]).open(&other, &sealed).is_err(), "{other:?}");
        }
        let mut salted = sealed.clone();
        salted.salt[0] ^= 1;
        assert!(keys(&[7]).open(&own, &salted).is_err());
        assert!(keys(&[7]).seal(&own, b"another length", &random).is_err());
    }

    #[test]
    fn chunks_are_neither_left_out_nor_exchanged_nor_bent() {
        let random = SystemRandom::new();
        let (own, keys) = (name(3 * CHUNK_BYTES), keys(&[7]));
        let sealed = keys.seal(&own, &vec![1; 3 * CHUNK_BYTES], &random).unwrap();
        let bend = |bend: fn(&mut Vec<Vec<u8>>)| {
            let mut bent = sealed.clone();
            bend(&mut bent.chunks);
            keys.open(&own, &bent).is_err()
        };
        assert!(bend(|chunks| chunks.swap(0, 1)));
        assert!(bend(|chunks| drop(chunks.pop())));
        assert!(bend(|chunks| chunks.push(chunks[0].clone())));
        assert!(bend(|chunks| chunks[1][9] ^= 1));
        assert!(bend(|chunks| chunks[2].clear()));
    }

    #[test]
    fn an_earlier_key_opens_and_seals_no_more() {
        let random = SystemRandom::new();
        let sealed = keys(&[7]).seal(&name(1), b"x", &random).unwrap();
        assert_eq!(keys(&[8, 7]).open(&name(1), &sealed).unwrap().as_slice(), b"x");
        assert!(keys(&[8]).open(&name(1), &sealed).is_err());
        let again = keys(&[8, 7]).seal(&name(1), b"x", &random).unwrap();
        assert_ne!(again.key, sealed.key);
        assert!(keys(&[7]).open(&name(1), &again).is_err());
    }
}
