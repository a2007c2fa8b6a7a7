//! Mutual TLS between the members: who a certificate says its holder is, how listeners and clients are set up, how
//! certificates and revocation lists are replaced while the process runs.
//!
//! What is promised: TLS 1.3 only, no session is ever resumed, an unknown revocation status is a refusal, and a
//! revocation bites on the next request, also on a connection that was opened before it.

pub mod actix;
pub mod certificate;
pub mod client;
pub mod identity;
pub mod peer;
pub mod reload;
pub mod server;
pub mod trust;

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

use crate::clock::Clock;

/// The only protocol offered, by ALPN (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// The one crypto provider; never taken from the process-wide default, which a dependency could set.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

/// Gives rustls our clock, so that tests can turn it.
#[derive(Debug)]
struct HandshakeTime(Clock);

impl TimeProvider for HandshakeTime {
    fn current_time(&self) -> Option<UnixTime> {
        unix_time(&self.0)
    }
}

/// The clock's time in the form that certificates are checked against; none before 1970.
fn unix_time(clock: &Clock) -> Option<UnixTime> {
    let seconds = u64::try_from(clock.unix_seconds()).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}
