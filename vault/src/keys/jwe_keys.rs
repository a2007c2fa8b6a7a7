//! The RSA key pairs that callers encrypt to. One is current; those it replaced go on opening until their grace time
//! ends, so that a caller with an older copy of the public key is not turned away.

use shared::jwe::{InvalidPrivateKey, Opener, RsaKeySize, RsaPrivateKey};
use shared::public_key::PublicKey;
use zeroize::Zeroizing;

use super::header::KeyState;

/// How it is described in the inventory of cryptography.
pub const FROM_CALLERS: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "jwe",
    algorithm: "RSA-OAEP-256 or RSA-OAEP, 2048 to 4096 bits, with A256GCM",
    source: "RFC 7516; RFC 7518",
    library: "openssl, ring",
    names: &["RsaPrivateKey"],
};

/// How it is described in the inventory of cryptography.
pub const TO_CALLERS: crate::crypto::inventory::Use = crate::crypto::inventory::Use {
    purpose: "answers to callers",
    algorithm: "RSA-OAEP-256 or ECDH-ES on P-256, with A256GCM",
    source: "RFC 7516; RFC 7518",
    library: "josekit, openssl, ring",
    names: &[],
};

/// A new private key as PKCS#8, before it is wrapped.
pub struct NewJweKey(Zeroizing<Vec<u8>>);

impl NewJweKey {
    /// Makes a key pair. Takes up to seconds for 4096 bits: never on an async thread, nor inside a transaction.
    ///
    /// # Errors
    /// [`InvalidPrivateKey`] when OpenSSL has no randomness or memory.
    pub fn generate(size: RsaKeySize) -> Result<Self, InvalidPrivateKey> {
        RsaPrivateKey::generate(size).map(Self)
    }

    pub(super) fn material(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for NewJweKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewJweKey")
    }
}

/// The vault's JWE keys, parsed once.
pub struct JweKeys {
    opener: Opener,
    grace_ends: Option<i64>,
}

impl JweKeys {
    /// The current key and those in their grace time; `now` in Unix seconds.
    pub(super) fn new(
        current: RsaPrivateKey,
        older: Vec<(KeyState, Zeroizing<Vec<u8>>)>,
        now: i64,
    ) -> Result<Self, InvalidPrivateKey> {
        let mut opening = Vec::new();
        let mut grace_ends: Option<i64> = None;
        for (state, pkcs8) in older {
            if let KeyState::Grace { not_after } = state
                && now < not_after
            {
                opening.push(RsaPrivateKey::from_pkcs8(&pkcs8)?);
                grace_ends = Some(grace_ends.map_or(not_after, |end| end.min(not_after)));
            }
        }
        Ok(Self {
            opener: Opener::new(current, opening),
            grace_ends,
        })
    }

    /// Opens what was sealed to any of the keys. RSA costs milliseconds: off the async threads, bounded.
    #[must_use]
    pub const fn opener(&self) -> &Opener {
        &self.opener
    }

    /// The public keys to hand out, the current one first.
    pub fn public_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.opener.public_keys()
    }

    /// When the first of the older keys must stop opening, in Unix seconds: the keyring is opened anew by then.
    #[must_use]
    pub const fn grace_ends(&self) -> Option<i64> {
        self.grace_ends
    }
}

impl std::fmt::Debug for JweKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<String> = self
            .public_keys()
            .map(|key| key.thumbprint().to_string())
            .collect();
        f.debug_tuple("JweKeys").field(&keys).finish()
    }
}
