//! The keys that clients encrypt to, with the vault's word for them.

use serde_json::Value;
use shared::jws::attestation::AttestationClaims;
use shared::public_key::PublicKey;
use shared::thumbprint::Thumbprint;
use shared::vault_api::keys::VaultKeys;

use crate::error::Error;
use crate::open_vault::OpenVault;

/// Current key first; attested afresh each time, for at most a day.
///
/// # Errors
/// No randomness.
pub fn public_keys(vault: &OpenVault) -> Result<VaultKeys, Error> {
    let keyring = vault.keyring();
    let keys: Vec<_> = keyring.jwe().public_keys().collect();
    let thumbprints: Vec<Thumbprint> = keys.iter().map(|key| key.thumbprint()).collect();
    let claims = AttestationClaims::new(thumbprints, vault.surroundings.clock.now());
    let attestation = claims.sign(&vault.surroundings.signer.load());
    let attestation = attestation.map_err(|error| Error::Internal(error.to_string()))?;
    let current = keys
        .first()
        .ok_or_else(|| Error::Internal("no public key".to_owned()))?;
    let pem = current.to_spki_pem();
    Ok(VaultKeys {
        keys: keys.iter().map(|key| published(key)).collect(),
        pem,
        attestation,
    })
}

/// The JWK with its thumbprint as `kid` and its use (RFC 7517 §4.2, §4.5); no `alg`, since two are allowed.
fn published(key: &PublicKey) -> Value {
    let mut jwk = key.to_jwk();
    jwk["kid"] = Value::String(key.thumbprint().to_string());
    jwk["use"] = Value::String("enc".to_owned());
    jwk
}
