//! What the members of Tessera share: the wire contract between gateway and vault, JOSE behind a strict parser, mutual
//! TLS, and problem+json. A thing enters here only if two members need it or it crosses the wire.

pub mod clock;
pub mod expiry;
pub mod http;
pub mod ids;
mod jose;
pub mod jwe;
pub mod jws;
pub mod masked;
pub mod money;
pub mod mtls;
pub mod problem;
pub mod public_key;
pub mod thumbprint;
pub mod vault_api;
