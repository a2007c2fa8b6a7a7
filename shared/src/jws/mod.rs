//! JWS in compact form (RFC 7515), one verifier per purpose: each fixes the algorithm, the exact `typ` and the exact claim
//! set, so that no signature made for one purpose is ever taken for another.
//!
//! No header member beyond `alg`, `typ`, `kid` and `x5c` is let through (no `crit`, `b64`, `jwk`, `jku`), members may not
//! repeat, and ring verifies: ES256 as 64 raw bytes, PS256 for partners whose certificate has an RSA key.

pub mod attestation;
pub mod audit_key;
mod compact;
pub mod enrolment_ticket;
mod es256;
pub mod holder_proof;
pub mod session_proof;
#[cfg(test)]
mod tests;
mod text;
pub mod vault_proof;
mod vault_signer;
mod vault_trust;
mod x5c;

pub use crate::public_key::HolderKey;
pub use es256::{HolderSigner, InvalidSigningKey};
pub use vault_signer::VaultSigner;
pub use vault_trust::{VaultTrust, VaultTrustError, VaultWordError};
pub use x5c::X5c;

/// Not a proof: malformed, of another type, or the signature is by none of the keys. Carries no detail for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid proof")]
pub struct InvalidProof;
