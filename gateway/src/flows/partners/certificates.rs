//! Revokes a partner's certificate, or withdraws its request.

use super::of_certificate;
use crate::domain::event::EventKind;
use crate::domain::partner::{Certificate, CertificateId, Ending, Partner};
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::{events, partner_certificates};

/// Ends it: from the next request on, nobody is let in by it. `render` writes the answer.
///
/// # Errors
/// `NOT_FOUND`; `CERTIFICATE_ENDED`.
pub async fn revoke(
    services: &Services,
    request: &Request,
    (partner, stamp): (&Partner, &Stamp),
    (id, reason): (CertificateId, Option<String>),
    render: impl FnOnce(&Certificate) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let now = services.now();
    let certificate = partner_certificates::take(&mut tx, partner.id, id)
        .await?
        .ok_or(Code::NotFound)?;
    let was_pinned = certificate.state.pinned().is_some();
    let certificate = Certificate {
        state: certificate.state.clone().end(Ending { at: now, reason })?,
        ..certificate
    };
    partner_certificates::set_state(&mut tx, id, &certificate.state).await?;
    let stamp = stamp
        .clone()
        .about_partner(&partner.name)
        .saying(format!("certificate {}", id.0));
    audit::write(&mut tx, &stamp, Outcome::Done, now).await?;
    if was_pinned {
        let event = of_certificate(EventKind::CertificateRevoked, &partner.name, id);
        events::write(&mut tx, &event, now).await?;
    }
    let answer = render(&certificate)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
