//! Enrolment tickets: the partner's word, with the key of its certificate, that the app which knows a secret may enrol the
//! key of one of its users. Only the vault compares; the gateway carries it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::compact::{CompactJws, Expected};
use super::es256::{Es256Key, InvalidSigningKey};
use super::{InvalidProof, X5c, text};
use crate::jose::base64url;
use crate::jose::digest::Digest;

const EXPECTED: Expected = Expected {
    typ: "enrolment-ticket+jwt",
    kid_tolerated: true,
};

/// SHA-256 of the ticket's secret. Compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(Digest);

impl SecretHash {
    /// Hashes a secret as the app sent it.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(Digest::of(secret))
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// The claims, all of them and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrolmentTicketClaims {
    /// For whom the ticket is: the vault compares.
    #[serde(deserialize_with = "text::short")]
    pub aud: String,
    /// Unique name of the ticket: it is spent once.
    #[serde(deserialize_with = "text::short")]
    pub jti: String,
    /// The partner's own name for the user, fixed per holder at first use.
    #[serde(deserialize_with = "text::short")]
    pub external_id: String,
    /// The hash of the secret that the app will show.
    pub secret_hash: SecretHash,
    /// From when the ticket holds no longer, seconds since the Unix epoch.
    pub exp: i64,
}

impl EnrolmentTicketClaims {
    /// Signs the claims with the P-256 key of the partner's certificate (PKCS#8 DER): what a partner's server does.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] for another kind of key.
    pub fn sign(&self, pkcs8: &[u8], x5c: &X5c) -> Result<String, InvalidSigningKey> {
        let header = json!({ "alg": "ES256", "typ": EXPECTED.typ, "x5c": x5c }).to_string();
        Es256Key::from_pkcs8(pkcs8)?.sign(&base64url::encode(header), self)
    }
}

/// A ticket signed by the key in a certificate that nobody has checked yet: hand the chain to
/// [`ReloadingTrust::check_client`](crate::mtls::trust::ReloadingTrust::check_client), then compare with the registered
/// partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedTicket {
    x5c: X5c,
    claims: EnrolmentTicketClaims,
}

impl CertifiedTicket {
    /// Reads a ticket and verifies the signature by the key in its first certificate.
    ///
    /// # Errors
    /// [`InvalidProof`] when it is malformed, of another type, without certificate, or signed by another key.
    pub fn verify(text: &str) -> Result<Self, InvalidProof> {
        let jws: CompactJws<EnrolmentTicketClaims> = CompactJws::parse(text, &EXPECTED)?;
        let x5c = jws.x5c.clone().ok_or(InvalidProof)?;
        x5c.verify_signature(jws.alg, jws.signing_input(), &jws.signature)?;
        Ok(Self {
            x5c,
            claims: jws.claims,
        })
    }

    /// The chain to be checked.
    #[must_use]
    pub const fn x5c(&self) -> &X5c {
        &self.x5c
    }

    /// Gives up the claims, once the chain was found good.
    #[must_use]
    pub fn into_claims(self) -> EnrolmentTicketClaims {
        self.claims
    }
}
