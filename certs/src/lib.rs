//! The certificates of Tessera: an internal CA and a partner CA, separate ECDSA P-256 roots; what each role's certificate
//! says ([`profile`]); requests made by others, of which the public key alone is taken ([`request`]); revocation lists; a
//! complete development set ([`dev_set`]) and certificates that must be refused ([`fixtures`]).
//!
//! A CA is a directory: `{internal,partner}-ca.pem`, `.key` (mode 600), `-ca.index.json` (what was issued and revoked), and
//! `{internal,partner}.crl.pem`, which is there from the first moment. The two may lie in different directories, and in
//! production do, on machines that are not on the network.

pub mod authority;
pub mod ca;
pub mod dev_set;
pub mod error;
mod files;
pub mod fixtures;
pub mod host;
pub mod index;
pub mod issued;
pub mod key;
pub mod kind;
pub mod profile;
pub mod public_key;
pub mod request;
pub mod revocation;
mod root;
pub mod serial;
mod template;
mod wishes;

pub use authority::Authority;
pub use ca::Ca;
pub use dev_set::{DevOptions, DevSet};
pub use error::Error;
pub use fixtures::Fault;
pub use host::Host;
pub use issued::{Certificate, Issued, PairPaths};
pub use kind::Kind;
pub use profile::{Profile, Usage};
pub use request::Request;
pub use revocation::Reason;
pub use serial::Serial;
pub use shared::mtls::identity::{Identity, Name};
