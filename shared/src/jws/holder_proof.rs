//! `Holder-Proof`: the holder's own signature under one operation on one card, without which no clear card data leaves the
//! vault. Signed by an enrolled key, or, on the partner channel, by the key of the partner's certificate.
//!
//! Here it is settled that a proof is one and who signed it. Whether it is a proof of *this* request (operation, card,
//! recipient key, payload, nonce, time) is the vault's domain.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::compact::{Alg, CompactJws, Expected};
use super::es256::{self, Es256Key, HolderSigner, InvalidSigningKey};
use super::{InvalidProof, X5c, text};
use crate::ids::Nonce;
use crate::jose::{base64url, json as strict};
use crate::jwe::BodyHash;
use crate::public_key::HolderKey;
use crate::thumbprint::Thumbprint;

const TYP: &str = "holder-proof+jwt";
const EXPECTED: Expected = Expected {
    typ: TYP,
    kid_tolerated: true,
};

/// What the holder asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// Create a virtual card and see its number at once.
    Issue,
    /// See number, expiry and CVC2.
    Reveal,
    /// Get a new CVC2.
    ResetCvv,
    /// Set the PIN.
    SetPin,
    /// Order plastic to an address.
    Order,
    /// Enrol a further key.
    EnrolKey,
    /// Bring in an existing card.
    Tokenise,
}

/// The claims, all of them and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolderProofClaims {
    /// The operation.
    pub op: Op,
    /// The card's token; the request's `Idempotency-Key` for `issue`, `tokenise` and the `order` of a new card; the new
    /// key's thumbprint for `enrol-key`. 1 to 255 visible ASCII characters.
    #[serde(deserialize_with = "text::long")]
    pub card: String,
    /// The vault's challenge.
    pub nonce: Nonce,
    /// When the proof was made, seconds since the Unix epoch.
    pub iat: i64,
    /// Unique name of the proof, 1 to 128 visible ASCII characters.
    #[serde(deserialize_with = "text::short")]
    pub jti: String,
    /// The key in `Public-Key`, to which the answer is to be sealed.
    pub rpk: Thumbprint,
    /// The JWE in `payload`; there if and only if the request has one.
    #[serde(
        default,
        deserialize_with = "strict::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub bdh: Option<BodyHash>,
}

impl HolderProofClaims {
    /// Signs the claims with a holder's key: what an app does.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] when the system has no randomness.
    pub fn sign(&self, key: &HolderSigner) -> Result<String, InvalidSigningKey> {
        key.sign(TYP, self)
    }

    /// Signs the claims with the P-256 key of a partner's certificate (PKCS#8 DER): what a partner's server does.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] for another kind of key.
    pub fn sign_certified(&self, pkcs8: &[u8], x5c: &X5c) -> Result<String, InvalidSigningKey> {
        let header = json!({ "alg": "ES256", "typ": TYP, "x5c": x5c }).to_string();
        Es256Key::from_pkcs8(pkcs8)?.sign(&base64url::encode(header), self)
    }
}

/// A well-formed proof, by whom it claims to be signed; nothing is verified yet.
pub enum HolderProof {
    /// No certificate: by a key that the vault has enrolled for the holder.
    ByHolder(UnverifiedHolderProof),
    /// With `x5c`: by the key of a partner's certificate.
    ByPartner(UnverifiedPartnerProof),
}

impl HolderProof {
    /// Reads the value of the header `Holder-Proof`.
    ///
    /// # Errors
    /// [`InvalidProof`] unless it is a JWS of this type with the exact claim set, at most 2 KiB long, 14 KiB with
    /// certificates.
    pub fn parse(text: &str) -> Result<Self, InvalidProof> {
        let jws = CompactJws::parse(text, &EXPECTED)?;
        match (&jws.x5c, jws.alg) {
            (Some(x5c), _) => Ok(Self::ByPartner(UnverifiedPartnerProof {
                x5c: x5c.clone(),
                jws,
            })),
            (None, Alg::Es256) => Ok(Self::ByHolder(UnverifiedHolderProof(jws))),
            (None, Alg::Ps256) => Err(InvalidProof),
        }
    }
}

/// A proof that waits for the holder's keys.
pub struct UnverifiedHolderProof(CompactJws<HolderProofClaims>);

impl UnverifiedHolderProof {
    /// Tries every key of the holder, pending ones too if the caller wants to tell them apart, and says which it was.
    /// There is no `kid` to go by: a proof names nothing that the vault does not look up by itself. 56 µs a key.
    ///
    /// # Errors
    /// [`InvalidProof`] when it was signed by none of `keys`.
    pub fn verify_with(self, keys: &[HolderKey]) -> Result<VerifiedHolderProof, InvalidProof> {
        let signed_by =
            |key: &&HolderKey| es256::verify(key.point(), self.0.signing_input(), &self.0.signature).is_ok();
        let key = keys.iter().find(signed_by).ok_or(InvalidProof)?;
        Ok(VerifiedHolderProof {
            key: key.thumbprint(),
            claims: self.0.claims,
        })
    }
}

/// A proof by a holder's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedHolderProof {
    /// Which of the keys signed.
    pub key: Thumbprint,
    /// What it signed.
    pub claims: HolderProofClaims,
}

/// A proof that waits to be checked against the certificate it brings.
pub struct UnverifiedPartnerProof {
    jws: CompactJws<HolderProofClaims>,
    x5c: X5c,
}

impl UnverifiedPartnerProof {
    /// Verifies the signature by the key in the first certificate: ES256 for P-256, PS256 for RSA. Whose certificate it
    /// is, and whether it is in force, the caller must still find out.
    ///
    /// # Errors
    /// [`InvalidProof`] when another key signed, or the certificate holds none that is allowed.
    pub fn verify(self) -> Result<CertifiedProof, InvalidProof> {
        self.x5c
            .verify_signature(self.jws.alg, self.jws.signing_input(), &self.jws.signature)?;
        Ok(CertifiedProof {
            x5c: self.x5c,
            claims: self.jws.claims,
        })
    }
}

/// A proof by the key in a certificate that nobody has checked yet: hand the chain to
/// [`ReloadingTrust::check_client`](crate::mtls::trust::ReloadingTrust::check_client), then compare with the registered
/// partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedProof {
    x5c: X5c,
    claims: HolderProofClaims,
}

impl CertifiedProof {
    /// The chain to be checked.
    #[must_use]
    pub const fn x5c(&self) -> &X5c {
        &self.x5c
    }

    /// Gives up the claims, once the chain was found good.
    #[must_use]
    pub fn into_claims(self) -> HolderProofClaims {
        self.claims
    }
}
