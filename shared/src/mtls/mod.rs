//! Mutual TLS between the members: who a certificate says its holder is, how listeners and clients are set up, how
//! certificates and revocation lists are replaced while the process runs.
//!
//! What is promised: TLS 1.3 only, no session is ever resumed, an unknown revocation status is a refusal, and a
//! revocation bites on the next request, also on a connection that was opened before it.

pub mod identity;
pub mod peer;
