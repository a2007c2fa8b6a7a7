//! The personalisation bureau of a stand: its own key, made with the stand, to which the vault seals batches.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use shared::public_key::PublicKey;
use zeroize::Zeroizing;

use super::Stand;
use crate::actors::{Bureau, ReceivingKey};

/// Bits of the bureau's key.
const BUREAU_BITS: u32 = 2048;

/// Makes the key at `path`; its public half goes into the program.
pub(super) fn make_key(path: &Path) -> Result<PublicKey> {
    let key = PKey::from_rsa(Rsa::generate(BUREAU_BITS)?)?;
    fs::write(path, Zeroizing::new(key.private_key_to_pem_pkcs8()?))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let jwk = ReceivingKey::of(key)?.public_jwk()?;
    serde_json::from_value(jwk).context("the bureau's key is none")
}

impl Stand {
    /// The bureau of the stand's program.
    ///
    /// # Errors
    /// When its certificate or key cannot be read.
    pub fn bureau(&self) -> Result<Bureau> {
        self.bureau_at(&self.ports.vault_url())
    }

    /// The same at another process of the vault.
    ///
    /// # Errors
    /// As [`Stand::bureau`].
    pub fn bureau_at(&self, url: &str) -> Result<Bureau> {
        let pem = Zeroizing::new(fs::read(&self.layout.bureau_key)?);
        let key = ReceivingKey::of(PKey::private_key_from_pem(&pem)?)?;
        let door = self.door(url, Some(&self.certificates.bureau))?;
        Ok(Bureau::new(door, key))
    }
}
