//! Pins a certificate from the command line: the first one of a partner, before anybody can file a request for it.

use super::issue_certificate::Signed;
use crate::domain::partner::{Certificate, CertificateState};
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::{StoreError, partner_certificates, partners};

/// Pins it to the partner that it names.
///
/// # Errors
/// `NOT_A_PARTNER` when it names none that has a program; `CERTIFICATE_KNOWN` when it is pinned already.
pub async fn pin_certificate(services: &Services, signed: &Signed) -> Result<Certificate, Error> {
    super::sync(services).await?;
    let name = signed.partner().map_err(|_| Code::NotAPartner)?;
    let (mut tx, now) = (services.db.begin().await?, services.now());
    let partner = partners::find_named(&mut tx, name)
        .await?
        .ok_or(Code::NotAPartner)?;
    let (key, state) = (signed.peer().key, CertificateState::Issued(signed.pinned(now)));
    let pinned = partner_certificates::insert(&mut tx, partner.id, None, &key, state, now).await;
    let certificate = match pinned {
        Err(StoreError::Duplicate) => return Err(Code::CertificateKnown.into()),
        other => other?,
    };
    let stamp = Stamp::by_command_line("PIN_CERTIFICATE")
        .about_partner(name)
        .saying(format!(
            "certificate {}, serial {}",
            certificate.id.0,
            signed.peer().serial
        ));
    audit::write(&mut tx, &stamp, Outcome::Done, now).await?;
    tx.commit().await?;
    Ok(certificate)
}
