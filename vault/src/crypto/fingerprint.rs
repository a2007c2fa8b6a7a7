//! How a PAN is found again without being readable: HMAC-SHA-256 of the whole PAN under a key of its own
//! (PCI DSS 3.5.1.1). A plain hash would fall to trying all PANs of a BIN range.

use std::fmt;

use ring::hmac;

use crate::secret::LockedBytes;

/// The key of the fingerprints. For this one purpose, never given out.
#[derive(Debug, PartialEq, Eq)]
pub struct FingerprintKey(LockedBytes<32>);

impl FingerprintKey {
    /// Takes over key material.
    #[must_use]
    pub const fn new(key: LockedBytes<32>) -> Self {
        Self(key)
    }

    /// The fingerprint of a PAN, given as ASCII digits.
    #[must_use]
    pub fn fingerprint(&self, digits: &[u8]) -> PanFingerprint {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hmac::sign(&key, digits).as_ref());
        PanFingerprint(bytes)
    }
}

/// The fingerprint of a PAN: an index key in the vault's store, and nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PanFingerprint([u8; 32]);

impl PanFingerprint {
    /// The bytes, as the key of a store record.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PanFingerprint {
    /// Not the bytes: whoever holds both a log and the key could try PANs against it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PanFingerprint")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::secret::MemoryNotLocked;

    fn key(first: u8) -> FingerprintKey {
        let fill = |key: &mut [u8; 32]| {
            for (byte, value) in key.iter_mut().zip(first..) {
                *byte = value;
            }
            Ok::<(), MemoryNotLocked>(())
        };
        FingerprintKey::new(LockedBytes::filled_by(Environment::Development, fill).unwrap())
    }

    #[test]
    fn is_hmac_sha_256_of_the_whole_number() {
        // Python: hmac.new(bytes(range(32)), b"9999000000000017", "sha256")
        let expected = "72517647e1a6c2571b9cfec1780d6494d0c68b66e5119f9501cf593ad59c1f7e";
        let fingerprint = key(0).fingerprint(b"9999000000000017");
        let hex: String = fingerprint
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn depends_on_every_digit_and_on_the_key() {
        let pan = *b"9999000000000017";
        let own = key(0).fingerprint(&pan);
        assert_ne!(own, key(1).fingerprint(&pan));
        for index in 0..pan.len() {
            let mut other = pan;
            other[index] ^= 1;
            assert_ne!(own, key(0).fingerprint(&other), "digit {index}");
        }
        assert_ne!(own, key(0).fingerprint(&pan[..15]));
    }

    #[test]
    fn prints_nothing() {
        assert_eq!(format!("{:?}", key(0)), "FingerprintKey(LockedBytes)");
        assert_eq!(format!("{:?}", key(0).fingerprint(b"1")), "PanFingerprint");
    }
}
