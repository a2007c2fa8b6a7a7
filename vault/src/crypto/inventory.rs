//! The inventory of cryptography (PCI DSS 12.3.3): each use is described beside the code that does it, and collected
//! here. A test looks for algorithms in the sources that no description names.

use shared::vault_api::reports::CryptographyEntry;

/// One use of cryptography, described where it is implemented.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// For what.
    pub purpose: &'static str,
    /// The algorithm, with key size.
    pub algorithm: &'static str,
    /// The standard.
    pub source: &'static str,
    /// Which library does it.
    pub library: &'static str,
    /// What the library calls it: the names that stand in our sources.
    pub names: &'static [&'static str],
}

/// Every use.
pub const ALL: [&Use; 14] = [
    &super::aead::DERIVED,
    &super::aead::DIRECT,
    &super::kdf::HKDF,
    &super::fingerprint::FINGERPRINT,
    &crate::keys::epoch::EPOCH,
    &crate::keys::jwe_keys::FROM_CALLERS,
    &crate::keys::jwe_keys::TO_CALLERS,
    &crate::keys::audit_key::CHECKPOINTS,
    &crate::keys::slot::SLOTS,
    &crate::keys::slot::SLOT_MAC,
    &crate::signer::SIGNER,
    &crate::audit::merkle::TREE,
    &crate::idempotency::HASHES,
    &crate::app::TRANSPORT,
];

/// As it is shown.
#[must_use]
pub fn cryptography() -> Vec<CryptographyEntry> {
    let entry = |one: &&Use| CryptographyEntry {
        purpose: one.purpose.to_owned(),
        algorithm: one.algorithm.to_owned(),
        source: one.source.to_owned(),
        library: one.library.to_owned(),
    };
    ALL.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::keys::header::KeyPurpose;

    fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.file_name().unwrap() != "tests" {
                    sources(&path, found);
                }
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                found.push((path.display().to_string(), code));
            }
        }
    }

    #[test]
    fn every_key_of_the_keyring_has_a_use() {
        for purpose in KeyPurpose::ALL {
            let named = ALL
                .iter()
                .any(|one| one.purpose.split(", ").any(|word| word == purpose.as_str()));
            assert!(named, "{purpose:?}");
        }
    }

    /// Names of algorithms in the sources: words of capitals and digits that a library's path leads to.
    #[test]
    fn every_algorithm_in_the_sources_is_in_the_inventory() {
        let mut found = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let words = [
            "AES_256_GCM",
            "AES_128_GCM",
            "CHACHA20_POLY1305",
            "HMAC_SHA256",
            "HMAC_SHA384",
            "HMAC_SHA512",
            "HKDF_SHA256",
            "HKDF_SHA384",
            "SHA1_FOR_LEGACY_USE_ONLY",
            "SHA256",
            "SHA384",
            "SHA512",
            "ED25519",
            "Ed25519KeyPair",
            "ECDSA_P256_SHA256_FIXED_SIGNING",
            "ECDSA_P384_SHA384_FIXED_SIGNING",
            "RSA_PKCS1_SHA256",
            "RSA_PSS_SHA256",
            "RsaPrivateKey",
            "AesKeyGen",
            "AesGcm",
            "RsaPkcsOaep",
            "VaultSigner",
        ];
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        for (path, code) in found {
            if path.ends_with("inventory.rs") {
                continue;
            }
            for word in code
                .split(|letter| !is_letter(letter))
                .filter(|word| words.contains(word))
            {
                let named = ALL.iter().any(|one| one.names.contains(&word));
                assert!(named, "{path}: {word}");
            }
        }
    }
}
