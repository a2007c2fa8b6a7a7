//! The content key of one message and what is done with it: AES-256-GCM by ring, in place. ring takes 12 bytes of IV and
//! 16 of tag and nothing else.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use ring::error::Unspecified;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

/// Length of the content key in bytes (RFC 7518 §5.3).
pub(super) const CEK_BYTES: usize = 32;
/// Length of the IV in bytes (RFC 7518 §5.3).
pub(super) const IV_BYTES: usize = 12;
/// Length of the tag in bytes (RFC 7518 §5.3). A shorter one is a forger's tool, never a variant.
pub(super) const TAG_BYTES: usize = 16;

/// A content key; wiped on drop, not printable.
pub(super) struct Cek(Zeroizing<[u8; CEK_BYTES]>);

impl Cek {
    /// A fresh key: to seal with, or to go on with when an unwrap failed (RFC 7516 §11.5).
    pub(super) fn random(random: &dyn SecureRandom) -> Result<Self, Unspecified> {
        let mut cek = Self(Zeroizing::new([0; CEK_BYTES]));
        random.fill(cek.0.as_mut_slice())?;
        Ok(cek)
    }

    /// Takes over an unwrapped key; `None` for another length.
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut cek = Self(Zeroizing::new([0; CEK_BYTES]));
        if bytes.len() != CEK_BYTES {
            return None;
        }
        cek.0.copy_from_slice(bytes);
        Some(cek)
    }

    /// For the key wrap alone.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Seals `content` in place under `iv`, which must be fresh for this key; answers with the tag.
    pub(super) fn seal(
        &self,
        iv: [u8; IV_BYTES],
        aad: &[u8],
        content: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], Unspecified> {
        let tag = self.gcm()?.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(iv),
            Aad::from(aad),
            content,
        )?;
        tag.as_ref().try_into().map_err(|_| Unspecified)
    }

    /// Opens `content` in place. When the tag is wrong, ring has wiped what it decrypted.
    pub(super) fn open(
        &self,
        iv: [u8; IV_BYTES],
        aad: &[u8],
        content: &mut [u8],
        tag: [u8; TAG_BYTES],
    ) -> Result<(), Unspecified> {
        let nonce = Nonce::assume_unique_for_key(iv);
        self.gcm()?
            .open_in_place_separate_tag(nonce, Aad::from(aad), Tag::from(tag), content, 0..)
            .map(|_| ())
    }

    fn gcm(&self) -> Result<LessSafeKey, Unspecified> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice()).map(LessSafeKey::new)
    }
}
