//! Takes in the certificate that an officer signed off-line, and pins it: from now on it lets the partner in, beside those
//! that were pinned before, until they are revoked.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use shared::mtls::identity::{Identity, Name};
use shared::mtls::peer::Peer;
use shared::mtls::trust::ReloadingTrust;
use time::OffsetDateTime;

use super::of_certificate;
use crate::domain::event::EventKind;
use crate::domain::partner::{Certificate, CertificateId, Partner, Pinned};
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::{StoreError, events, partner_certificates};

const NOT_A_CERTIFICATE: Rule = Rule {
    code: "NOT_A_CERTIFICATE",
    message: "Must be one PEM certificate that the partner authority signed for a client, valid now and not revoked.",
};
const NOT_THE_PARTNERS: Rule = Rule {
    code: "NOT_THE_PARTNERS",
    message: "The certificate must name this partner in its URI.",
};
const ANOTHER_KEY: Rule = Rule {
    code: "ANOTHER_KEY",
    message: "The certificate must be for the key of the request.",
};

/// A certificate that the partner authority signed.
pub struct Signed {
    pem: String,
    peer: Peer,
}

impl Signed {
    /// Checks a certificate as a handshake would.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(pem: &str, trust: &ReloadingTrust) -> Result<Self, Rule> {
        let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| NOT_A_CERTIFICATE)?;
        if chain.len() != 1 {
            return Err(NOT_A_CERTIFICATE);
        }
        let peer = trust.check_client(&chain).map_err(|_| NOT_A_CERTIFICATE)?;
        Ok(Self {
            pem: pem.to_owned(),
            peer,
        })
    }

    /// The partner that it names.
    ///
    /// # Errors
    /// When it names none.
    pub fn partner(&self) -> Result<&Name, Rule> {
        match &self.peer.identity {
            Identity::Partner(name) => Ok(name),
            _ => Err(NOT_THE_PARTNERS),
        }
    }

    /// The certificate itself.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// As it is pinned.
    #[must_use]
    pub fn pinned(&self, now: OffsetDateTime) -> Pinned {
        Pinned {
            pem: self.pem.clone(),
            fingerprint: *self.peer.fingerprint.as_bytes(),
            serial: self.peer.serial.to_string(),
            not_after: self.peer.not_after,
            issued_at: now,
        }
    }
}

/// What a returned certificate was found to be: whole, or breaking a rule.
pub type Judged = Result<Certificate, Rule>;

/// Pins it; `render` writes the answer. The inner error is what is wrong with the certificate for this request.
///
/// # Errors
/// `NOT_FOUND`; `CERTIFICATE_NOT_FILED` when no request waits; `CERTIFICATE_KNOWN` for one that is pinned already.
pub async fn issue_certificate(
    services: &Services,
    request: &Request,
    (partner, stamp): (&Partner, &Stamp),
    (id, signed): (CertificateId, Signed),
    render: impl FnOnce(&Certificate) -> Result<Answer, Error>,
) -> Result<Result<Answer, Rule>, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(Ok(answer)),
        Opened::Claim(claim) => claim,
    };
    let filed = partner_certificates::take(&mut tx, partner.id, id)
        .await?
        .ok_or(Code::NotFound)?;
    let now = services.now();
    let certificate = match judged(partner, filed, &signed, now)? {
        Ok(certificate) => certificate,
        Err(rule) => return Ok(Err(rule)),
    };
    match partner_certificates::set_state(&mut tx, id, &certificate.state).await {
        Err(StoreError::Duplicate) => return Err(Code::CertificateKnown.into()),
        other => other?,
    }
    let stamp = stamp
        .clone()
        .about_partner(&partner.name)
        .saying(format!("certificate {}, serial {}", id.0, signed.peer.serial));
    audit::write(&mut tx, &stamp, Outcome::Done, now).await?;
    let event = of_certificate(EventKind::CertificateIssued, &partner.name, id);
    events::write(&mut tx, &event, now).await?;
    let answer = render(&certificate)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(Ok(answer))
}

/// State first, then whether it is the partner's, for the key that asked.
fn judged(
    partner: &Partner,
    filed: Certificate,
    signed: &Signed,
    now: OffsetDateTime,
) -> Result<Judged, Error> {
    let state = filed.state.clone().issue(signed.pinned(now))?;
    match signed.partner() {
        Ok(name) if *name == partner.name => {}
        _ => return Ok(Err(NOT_THE_PARTNERS)),
    }
    if signed.peer.key != filed.key {
        return Ok(Err(ANOTHER_KEY));
    }
    Ok(Ok(Certificate { state, ..filed }))
}
