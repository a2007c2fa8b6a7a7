//! The proof with which a paired device opens a session: its key's signature under the gateway's challenge.

use serde::{Deserialize, Serialize};

use super::compact::{Alg, CompactJws, Expected};
use super::es256::{self, HolderSigner, InvalidSigningKey};
use super::{InvalidProof, text};
use crate::public_key::HolderKey;

const TYP: &str = "session-proof+jwt";
const EXPECTED: Expected = Expected {
    typ: TYP,
    kid_tolerated: true,
};

/// The claims, all of them and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionProofClaims {
    /// The gateway's challenge, 1 to 128 visible ASCII characters.
    #[serde(deserialize_with = "text::short")]
    pub challenge: String,
    /// The installation that the challenge was made for.
    pub installation_id: u64,
}

impl SessionProofClaims {
    /// Signs the claims with the device's key: what an app does.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] when the system has no randomness.
    pub fn sign(&self, key: &HolderSigner) -> Result<String, InvalidSigningKey> {
        key.sign(TYP, self)
    }
}

/// Reads a session proof and verifies it with the key of the installation that the caller looked up. The caller must
/// still compare both claims.
///
/// # Errors
/// [`InvalidProof`] when it is malformed, of another type, or by another key.
pub fn verify(text: &str, key: &HolderKey) -> Result<SessionProofClaims, InvalidProof> {
    let jws = CompactJws::parse(text, &EXPECTED)?;
    if jws.x5c.is_some() || jws.alg != Alg::Es256 {
        return Err(InvalidProof);
    }
    es256::verify(key.point(), jws.signing_input(), &jws.signature)?;
    Ok(jws.claims)
}
