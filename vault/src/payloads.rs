//! Payloads that clients sealed to the vault.

use shared::jwe::{AlgPolicy, CompactJwe, OpenError};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::open_vault::OpenVault;

impl OpenVault {
    /// Opens a payload that a client sealed to the vault, off the async threads.
    ///
    /// # Errors
    /// [`Error::InvalidPayload`] for its shape, [`Error::CantDecrypt`] from the key unwrap on.
    pub async fn open_payload(&self, compact: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let jwe = CompactJwe::parse(compact, AlgPolicy::Sha1Too);
        let jwe = jwe.map_err(|_| Error::InvalidPayload("not a JWE that is accepted".into()))?;
        let permit = self.private_operation().await?;
        let keyring = self.keyring();
        let opened = tokio::task::spawn_blocking(move || {
            let opened = keyring.jwe().opener().open(&jwe);
            drop(permit);
            opened
        });
        match opened.await {
            // serde would read a struct from an array too.
            Ok(Ok(plain)) if plain.trim_ascii_start().first() != Some(&b'{') => {
                Err(Error::InvalidPayload("not a JSON object".into()))
            }
            Ok(Ok(plain)) => Ok(plain),
            Ok(Err(OpenError::InvalidPayload)) => Err(Error::InvalidPayload(
                "the encrypted key fits no key of ours".into(),
            )),
            // A panic of the library below counts as a failure to open, and tells as little.
            Ok(Err(OpenError::CantDecrypt)) | Err(_) => Err(Error::CantDecrypt),
        }
    }
}
