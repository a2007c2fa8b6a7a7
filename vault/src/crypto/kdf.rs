//! HKDF-SHA-256 (RFC 5869): one key becomes another, for one purpose.

use ring::hkdf;

use super::CryptoError;

/// How it is described in the inventory of cryptography.
pub const HKDF: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "derived keys",
    algorithm: "HKDF-SHA-256",
    source: "RFC 5869",
    library: "ring",
    names: &["HKDF_SHA256"],
};

/// Fills `output` with HKDF-SHA-256 of `secret` under `salt`, for the purpose that `label` names.
///
/// Labels are constants of this crate, one for each purpose.
///
/// # Errors
/// None that can be reached: `ring` refuses more than 255 blocks, and that is checked at compile time. An error is
/// still handed on rather than a key of zeros.
pub(crate) fn derive<const N: usize>(
    secret: &[u8; 32],
    salt: &[u8],
    label: &'static str,
    output: &mut [u8; N],
) -> Result<(), CryptoError> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    const { assert!(N > 0 && N <= 255 * 32, "RFC 5869 §2.3: at most 255 blocks") };
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let info = [label.as_bytes()];
    let filled = extracted
        .expand(&info, Length(N))
        .and_then(|expanded| expanded.fill(output));
    filled.map_err(|_| CryptoError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_what_an_independent_implementation_does() {
        let mut output = [0; 44];
        derive(&[0x0b; 32], b"salt", "tessera test", &mut output).unwrap();
        assert_eq!(hex(&output), EXPECTED);
    }

    #[test]
    fn secret_salt_and_label_each_change_the_result() {
        let of = |secret, salt: &[u8], label| {
            let mut output = [0; 32];
            derive(&[secret; 32], salt, label, &mut output).unwrap();
            output
        };
        let first = of(1, b"s", "a");
        for other in [of(2, b"s", "a"), of(1, b"t", "a"), of(1, b"s", "b")] {
            assert_ne!(first, other);
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Python: HMAC-SHA-256 by hand after RFC 5869 §2.
    const EXPECTED: &str =
        "0c17a3fa6c031a3d0e9650db3a0f2b3f829570b6508e27cea4b3e5452f59a63ad906c2bb5709acef489e4cae";
}
