//! What a client believes: words signed by a certificate of the pinned CA whose URI SAN is the vault's. Any other certificate
//! of the same CA, the gateway's above all, proves nothing.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use josekit::jws::{self, ES256};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::{X509, X509StoreContext};
use serde::Deserialize;
use serde_json::Value;
use shared::clock::Clock;

use super::compact::{sha256_base64url, unverified_claims};
use super::vault_key::VaultKey;
use crate::actors::credentials::certificates;

/// The identity that speaks for the vault.
const VAULT_IDENTITY: &str = "spiffe://tessera/vault";
/// The longest life of an attestation, seconds.
const ATTESTATION_MAX_SECONDS: i64 = 24 * 3600;
/// How far clocks may differ, seconds.
const CLOCK_LEEWAY_SECONDS: i64 = 300;

/// The pinned CA of the pair.
pub struct Trust {
    roots: X509Store,
}

#[derive(Deserialize)]
struct Attestation {
    thumbprints: Vec<String>,
    iat: i64,
    exp: i64,
}

/// The vault's word on an operation that it did.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VaultProof {
    /// The operation of the proof that it answers.
    pub op: String,
    /// The card, as the proof named it.
    pub card: String,
    /// The challenge of the proof.
    pub nonce: String,
    /// Base64url SHA-256 of the answer's JWE; absent when there is none.
    pub bdh: Option<String>,
    /// How many keys of the holder may prove, and how many wait.
    pub keys: KeyCount,
}

/// The holder's keys, counted by the vault: a key that the gateway smuggled in would show here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct KeyCount {
    /// Accepted for proofs.
    pub active: u32,
    /// Waiting for maturity or for two officers.
    pub pending: u32,
}

impl Trust {
    /// Pins the CA.
    ///
    /// # Errors
    /// When the file holds no certificate.
    pub fn pin(ca: &Path) -> Result<Self> {
        let mut roots = X509StoreBuilder::new()?;
        for root in certificates(ca)? {
            roots.add_cert(root)?;
        }
        Ok(Self { roots: roots.build() })
    }

    /// The vault's key of a `public-key` answer, once its attestation holds.
    ///
    /// # Errors
    /// When the attestation is not the vault's, is out of date, or speaks of other keys.
    pub fn vault_key(&self, answer: &Value) -> Result<VaultKey> {
        let text = |name: &str| {
            answer
                .get(name)
                .and_then(Value::as_str)
                .with_context(|| format!("no {name}"))
        };
        let claims = self.verify(text("attestation")?, "key-attestation+jwt")?;
        let attested: Attestation =
            serde_json::from_value(claims).context("an attestation with other claims")?;
        let now = Clock::System.unix_seconds();
        ensure!(
            attested.iat <= now + CLOCK_LEEWAY_SECONDS && now < attested.exp,
            "the attestation is out of date"
        );
        ensure!(
            attested.exp - attested.iat <= ATTESTATION_MAX_SECONDS,
            "the attestation lives too long"
        );
        let key = VaultKey::unchecked(text("pem")?)?;
        ensure!(
            attested.thumbprints.iter().any(|known| known == key.thumbprint()),
            "the key is not attested"
        );
        Ok(key)
    }

    /// The vault's word on an operation, bound to the answer's JWE where there is one.
    ///
    /// # Errors
    /// When it is not the vault's word, or speaks of another answer.
    pub fn vault_proof(&self, jws: &str, answer_jwe: Option<&str>) -> Result<VaultProof> {
        let claims = self.verify(jws, "vault-proof+jwt")?;
        let proof: VaultProof = serde_json::from_value(claims).context("a Vault-Proof with other claims")?;
        ensure!(
            proof.bdh == answer_jwe.map(sha256_base64url),
            "the Vault-Proof speaks of another answer"
        );
        Ok(proof)
    }

    /// Claims of a JWS of that type, signed ES256 by the vault.
    ///
    /// # Errors
    /// When chain, identity, type, algorithm or signature is wrong.
    pub fn verify(&self, jws: &str, typ: &str) -> Result<Value> {
        let (header, _) = unverified_claims(jws).context("not a compact JWS")?;
        ensure!(
            header.get("typ").and_then(Value::as_str) == Some(typ),
            "not of type {typ}: {header}"
        );
        ensure!(
            header.get("alg").and_then(Value::as_str) == Some("ES256"),
            "not signed with ES256: {header}"
        );
        let chain = header.get("x5c").and_then(Value::as_array).context("no x5c")?;
        let chain = chain
            .iter()
            .map(|entry| {
                Ok(X509::from_der(
                    &STANDARD.decode(entry.as_str().context("x5c holds no text")?)?,
                )?)
            })
            .collect::<Result<Vec<X509>>>()?;
        let signer = self.trusted_vault(&chain)?;
        let verifier = ES256.verifier_from_der(signer.public_key()?.public_key_to_der()?)?;
        let (claims, _) = jws::deserialize_compact(jws, &verifier).context("the signature does not hold")?;
        Ok(serde_json::from_slice(&claims)?)
    }

    fn trusted_vault<'a>(&self, chain: &'a [X509]) -> Result<&'a X509> {
        let (leaf, others) = chain.split_first().context("x5c is empty")?;
        let mut intermediates = Stack::new()?;
        for other in others {
            intermediates.push(other.clone())?;
        }
        let trusted = X509StoreContext::new()?
            .init(&self.roots, leaf, &intermediates, |context| context.verify_cert())?;
        ensure!(trusted, "x5c does not lead to the pinned CA");
        let names = leaf
            .subject_alt_names()
            .context("the signer has no alternative name")?;
        let mut uris = names.iter().filter_map(|name| name.uri());
        ensure!(
            uris.next() == Some(VAULT_IDENTITY) && uris.next().is_none(),
            "the signer is a certificate of the CA, but not the vault"
        );
        Ok(leaf)
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust")
    }
}
