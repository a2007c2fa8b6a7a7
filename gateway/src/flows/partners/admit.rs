//! Whether a partner's server is let in: by a certificate that is pinned at this moment, from an address that is allowed.
//!
//! The handshake has settled that the partner CA signed the certificate; that alone opens nothing. The pin is looked up at
//! each request and in the database, so that a revocation works at once, in every process and on kept connections.

use std::net::IpAddr;

use shared::mtls::identity::Name;
use shared::mtls::peer::Peer;

use super::rules::settings_of;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::partner_certificates;

/// Lets the server in.
///
/// # Errors
/// `NOT_A_PARTNER` for a partner without a program; `CERTIFICATE_NOT_REGISTERED`; `ADDRESS_NOT_ALLOWED`.
pub async fn admit(services: &Services, partner: &Name, peer: &Peer, from: IpAddr) -> Result<(), Error> {
    if services.config.default_program(partner).is_none() {
        return Err(Code::NotAPartner.into());
    }
    let mut read = services.db.read().await?;
    let pinned = partner_certificates::lets_in(&mut read, partner, peer.fingerprint.as_bytes()).await?;
    drop(read);
    if !pinned {
        return Err(Code::CertificateNotRegistered.into());
    }
    if !settings_of(services, partner).await?.networks.permit(from) {
        return Err(Code::AddressNotAllowed.into());
    }
    Ok(())
}
