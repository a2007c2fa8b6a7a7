//! How a PAN is found again without being readable: HMAC-SHA-256 of the whole PAN under a key of its own
//! (PCI DSS 3.5.1.1). A plain hash would fall to trying all PANs of a BIN range.

use std::fmt;

use ring::hmac;
use zeroize::Zeroizing;

use crate::secret::LockedBytes;

/// How it is described in the inventory of cryptography.
pub const FINGERPRINT: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "fingerprint",
    algorithm: "HMAC-SHA-256 of the whole PAN, 256-bit key",
    source: "FIPS 198-1; PCI DSS 3.5.1.1",
    library: "ring",
    names: &["HMAC_SHA256"],
};

/// Bytes of the longest text of which a fingerprint is made: a name of 64 bytes with its mark and length, and 19 digits.
const LONGEST_SUBJECT: usize = 9 + 64 + 19;

/// For whom a number leads to its card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach<'a> {
    /// For the whole vault: a number of a program's range is there once.
    Everybody,
    /// For one partner: a number of another issuer, which others may have brought in too. What one of them has tells
    /// nothing to another.
    Partner(&'a str),
}

/// What a fingerprint is made of: the whole PAN as ASCII digits, behind the partner's name where it is that partner's
/// alone. No two pairs make the same text: a PAN begins with a digit, and a name has its length before it.
#[must_use]
pub fn subject(digits: &[u8], reach: Reach<'_>) -> Zeroizing<Vec<u8>> {
    let partner = match reach {
        Reach::Everybody => return Zeroizing::new(digits.to_vec()),
        Reach::Partner(name) => name.as_bytes(),
    };
    // Room for all of it, so that nothing is moved and left behind.
    let mut text = Zeroizing::new(Vec::with_capacity(9 + partner.len() + digits.len()));
    text.push(0);
    text.extend_from_slice(&(partner.len() as u64).to_be_bytes());
    text.extend_from_slice(partner);
    text.extend_from_slice(digits);
    text
}

/// One version of the key of the fingerprints. For this one purpose, never given out.
#[derive(Debug, PartialEq, Eq)]
pub struct FingerprintKey {
    version: u32,
    key: LockedBytes<32>,
}

impl FingerprintKey {
    /// Takes over key material.
    #[must_use]
    pub const fn new(version: u32, key: LockedBytes<32>) -> Self {
        Self { version, key }
    }

    /// The fingerprint of a PAN, given as ASCII digits, or of what [`subject`] makes of one.
    #[must_use]
    pub fn fingerprint(&self, digits: &[u8]) -> PanFingerprint {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.expose());
        let mut hash = [0; 32];
        hash.copy_from_slice(mac(&key, digits).as_ref());
        // ring gathers blocks on the stack and leaves them there: the same way again writes over the number.
        let zeros = [0; LONGEST_SUBJECT];
        std::hint::black_box(mac(&key, zeros.get(..digits.len()).unwrap_or(&zeros)));
        PanFingerprint {
            version: self.version,
            hash,
        }
    }
}

/// A call of its own, so that two calls in a row use the same part of the stack.
#[inline(never)]
fn mac(key: &hmac::Key, text: &[u8]) -> hmac::Tag {
    hmac::sign(key, text)
}

/// The fingerprint of a PAN: an index key in the vault's store, and nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PanFingerprint {
    version: u32,
    hash: [u8; 32],
}

impl PanFingerprint {
    /// The version of the key that made it.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The key of its record: `key version(4, big-endian) ‖ hash(32)`, so that what an old key made stands together.
    #[must_use]
    pub fn to_key(&self) -> Vec<u8> {
        [&self.version.to_be_bytes()[..], &self.hash].concat()
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
        FingerprintKey::new(1, LockedBytes::filled_by(Environment::Development, fill).unwrap())
    }

    #[test]
    fn is_hmac_sha_256_of_the_whole_number() {
        // Python: hmac.new(bytes(range(32)), b"9999000000000017", "sha256")
        let expected = "72517647e1a6c2571b9cfec1780d6494d0c68b66e5119f9501cf593ad59c1f7e";
        let fingerprint = key(0).fingerprint(b"9999000000000017");
        let hex: String = fingerprint
            .hash
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
    fn a_number_is_another_one_for_each_partner() {
        let pan = b"9999000000000017";
        let of = |reach| subject(pan, reach).to_vec();
        assert_eq!(of(Reach::Everybody), pan);
        let all = [
            of(Reach::Everybody),
            of(Reach::Partner("one")),
            of(Reach::Partner("two")),
        ];
        for (index, text) in all.iter().enumerate() {
            assert!(all.iter().skip(index + 1).all(|other| other != text));
        }
        // A longer name with a shorter number is another text.
        assert_ne!(
            subject(b"12", Reach::Partner("a")),
            subject(b"2", Reach::Partner("a1"))
        );
    }

    #[test]
    fn prints_nothing() {
        assert_eq!(
            format!("{:?}", key(0)),
            "FingerprintKey { version: 1, key: LockedBytes }"
        );
        assert_eq!(format!("{:?}", key(0).fingerprint(b"1")), "PanFingerprint");
    }
}
