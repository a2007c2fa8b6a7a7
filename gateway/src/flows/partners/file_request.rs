//! Files a partner's certificate request. Of all that a request says its key alone counts; the officer who signs it off-line
//! gives the rest.

use certs::Request as CertificateRequest;

use crate::domain::partner::{Certificate, CertificateState, Partner};
use crate::domain::rule::Rule;
use crate::error::{Code, Error};
use crate::flows::claimed::{Opened, open};
use crate::services::Services;
use crate::store::audit::{self, Outcome, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::{StoreError, partner_certificates};

const NOT_A_REQUEST: Rule = Rule {
    code: "NOT_A_REQUEST",
    message: "Must be one PEM certificate request (PKCS #10) that its own key signed with SHA-256 or better.",
};
const KEY_REFUSED: Rule = Rule {
    code: "KEY_REFUSED",
    message: "The key must be ECDSA P-256, or RSA of 2048 to 8192 bits with the exponent 65537.",
};

/// A request that was checked.
pub struct Filing {
    pem: String,
    checked: CertificateRequest,
}

impl Filing {
    /// Checks a request.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(pem: &str) -> Result<Self, Rule> {
        let checked = CertificateRequest::from_pem(pem.as_bytes()).map_err(|error| match error {
            certs::Error::KeyRefused { .. } => KEY_REFUSED,
            _ => NOT_A_REQUEST,
        })?;
        Ok(Self {
            pem: pem.to_owned(),
            checked,
        })
    }
}

/// Files it; `render` writes the answer.
///
/// # Errors
/// `CERTIFICATE_KNOWN` for a key that waits already, or whose certificate was revoked.
pub async fn file_request(
    services: &Services,
    request: &Request,
    (partner, stamp): (&Partner, &Stamp),
    filing: Filing,
    render: impl FnOnce(&Certificate) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let mut tx = services.db.begin().await?;
    let claim = match open(services, &mut tx, request).await? {
        Opened::Replay(answer) => return Ok(answer),
        Opened::Claim(claim) => claim,
    };
    let key = filing.checked.key_thumbprint();
    if partner_certificates::was_revoked(&mut tx, &key).await? {
        return Err(Code::CertificateKnown.into());
    }
    let (now, filed) = (services.now(), CertificateState::Filed);
    let filed = partner_certificates::insert(&mut tx, partner.id, Some(&filing.pem), &key, filed, now).await;
    let certificate = match filed {
        Err(StoreError::Duplicate) => return Err(Code::CertificateKnown.into()),
        other => other?,
    };
    let stamp = stamp
        .clone()
        .about_partner(&partner.name)
        .saying(format!("certificate {}, key {key}", certificate.id.0));
    audit::write(&mut tx, &stamp, Outcome::Done, now).await?;
    let answer = render(&certificate)?;
    claim.complete(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}
