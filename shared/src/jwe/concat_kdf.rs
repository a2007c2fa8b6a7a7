//! The key derivation of `ECDH-ES` in direct mode: Concat KDF (NIST SP 800-56A §5.8.1) as RFC 7518 §4.6.2 fills it in.

use ring::digest::{Context, SHA256};
use zeroize::Zeroizing;

/// Derives 256 bits for `algorithm` (the value of `enc`) from the shared secret. One round of SHA-256 is all of it.
pub(super) fn derive_256(
    secret: &[u8],
    algorithm: &str,
    party_u: &[u8],
    party_v: &[u8],
) -> Zeroizing<[u8; 32]> {
    derive(secret, algorithm, party_u, party_v, 256)
}

fn derive(secret: &[u8], algorithm: &str, party_u: &[u8], party_v: &[u8], bits: u32) -> Zeroizing<[u8; 32]> {
    let mut hash = Context::new(&SHA256);
    hash.update(&1u32.to_be_bytes());
    hash.update(secret);
    for field in [algorithm.as_bytes(), party_u, party_v] {
        hash.update(&(field.len() as u32).to_be_bytes());
        hash.update(field);
    }
    hash.update(&bits.to_be_bytes());
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(hash.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::base64url;

    /// RFC 7518 appendix C: the secret that Alice and Bob share, and the first 128 bits of the round.
    #[test]
    fn the_example_of_the_standard_comes_out() {
        let secret = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163,
            218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let key = derive(&secret, "A128GCM", b"Alice", b"Bob", 128);
        assert_eq!(base64url::encode(&key[..16]), "VqqN6vgjbSBcIijNcacQGg");
    }
}
