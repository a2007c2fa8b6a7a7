//! Holder proofs as a client makes them (`Holder-Proof`): a phone with its enrolled device key, a partner with the key of its
//! client certificate. Claims can be bent before signing, because tests play the attacker too.

use anyhow::{Result, bail};
use josekit::jws::{self, ES256, JwsHeader, JwsSigner, PS256};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Map, Value, json};
use shared::clock::Clock;

use super::compact::{base64url, sha256_base64url};
use super::receiving_key::ReceivingKey;
use super::thumbprint::{public_jwk, thumbprint};
use crate::actors::credentials::Credentials;

/// Who signs.
pub struct ProofSigner {
    key: PKey<Private>,
    /// The certificate chain that travels along; empty for a device.
    chain: Vec<Vec<u8>>,
}

impl ProofSigner {
    /// A new device key on P-256.
    ///
    /// # Errors
    /// When OpenSSL cannot make one.
    pub fn device() -> Result<Self> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Ok(Self {
            key: PKey::from_ec_key(EcKey::generate(&group)?)?,
            chain: Vec::new(),
        })
    }

    /// The key of a client certificate; the header carries `x5c`.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn certificate(credentials: &Credentials) -> Result<Self> {
        Ok(Self {
            key: credentials.private_key()?,
            chain: credentials.chain()?,
        })
    }

    /// A signer with this key that shows that chain, whether or not they belong together.
    #[must_use]
    pub fn mixed(key: PKey<Private>, chain: Vec<Vec<u8>>) -> Self {
        Self { key, chain }
    }

    /// The public key as a JWK, as it is enrolled.
    ///
    /// # Errors
    /// When the key is neither RSA nor P-256.
    pub fn public_jwk(&self) -> Result<Value> {
        public_jwk(&self.key)
    }

    /// The key's RFC 7638 thumbprint.
    ///
    /// # Errors
    /// When the key is neither RSA nor P-256.
    pub fn thumbprint(&self) -> Result<String> {
        thumbprint(&self.key)
    }

    /// Signs claims under a type: `ES256` with a P-256 key, `PS256` with RSA.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(&self, typ: &str, claims: &Value) -> Result<String> {
        let der = self.key.private_key_to_pkcs8()?;
        let signer: Box<dyn JwsSigner> = match self.key.id() {
            Id::EC => Box::new(ES256.signer_from_der(der)?),
            Id::RSA => Box::new(PS256.signer_from_der(der)?),
            other => bail!("no signature with a key of kind {other:?}"),
        };
        let mut header = JwsHeader::new();
        header.set_token_type(typ);
        if !self.chain.is_empty() {
            header.set_x509_certificate_chain(&self.chain);
        }
        Ok(jws::serialize_compact(
            claims.to_string().as_bytes(),
            &header,
            signer.as_ref(),
        )?)
    }
}

impl std::fmt::Debug for ProofSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofSigner")
    }
}

/// A holder proof before its signature.
#[derive(Debug, Clone)]
pub struct HolderProof {
    /// The `typ` of the header.
    pub typ: String,
    /// The claims; a test may add, change or take away.
    pub claims: Map<String, Value>,
}

impl HolderProof {
    /// A proof for one operation on one card with one challenge, its answer meant for `receiving`.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new(op: &str, card: &str, nonce: &str, receiving: &ReceivingKey) -> Result<Self> {
        let claims = json!({
            "op": op,
            "card": card,
            "nonce": nonce,
            "iat": Clock::System.unix_seconds(),
            "jti": random_id()?,
            "rpk": receiving.thumbprint(),
        });
        let Value::Object(claims) = claims else {
            bail!("claims are an object")
        };
        Ok(Self {
            typ: "holder-proof+jwt".to_owned(),
            claims,
        })
    }

    /// Binds the proof to the request's payload (`bdh`).
    #[must_use]
    pub fn over(mut self, payload: &str) -> Self {
        self.claims
            .insert("bdh".to_owned(), sha256_base64url(payload).into());
        self
    }

    /// Replaces a claim.
    #[must_use]
    pub fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(claim.to_owned(), value.into());
        self
    }

    /// Takes a claim away.
    #[must_use]
    pub fn without(mut self, claim: &str) -> Self {
        self.claims.remove(claim);
        self
    }

    /// The value of the header `Holder-Proof`.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(&self, signer: &ProofSigner) -> Result<String> {
        signer.sign(&self.typ, &Value::Object(self.claims.clone()))
    }
}

/// 128 random bits as text.
pub(crate) fn random_id() -> Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(base64url(&bytes))
}
