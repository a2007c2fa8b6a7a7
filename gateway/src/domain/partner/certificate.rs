//! A partner's client certificate: asked for by a CSR, signed off-line, returned and pinned; replaced by another while both
//! are good; revoked at once and for good.

use shared::mtls::peer::SpkiThumbprint;
use time::OffsetDateTime;

use super::PartnerId;

/// Why a certificate does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefusal {
    /// 409 `CERTIFICATE_NOT_FILED`.
    #[error("no request waits")]
    NotFiled,
    /// 409 `CERTIFICATE_ENDED`.
    #[error("it came to its end before")]
    Ended,
}

/// The gateway's number of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateId(pub i64);

/// Where a certificate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateState {
    /// Its request was filed and waits for the officer who signs off-line.
    Filed,
    /// Signed and pinned: whoever shows it is the partner.
    Issued(Pinned),
    /// Its request was withdrawn before it was signed.
    Withdrawn(Ending),
    /// It was pinned, and lets nobody in any more.
    Revoked(Pinned, Ending),
}

/// What is pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// PEM, the certificate alone.
    pub pem: String,
    /// SHA-256 of the certificate's DER.
    pub fingerprint: [u8; 32],
    /// As `openssl x509 -serial` shows it, with colons.
    pub serial: String,
    /// The last instant at which it is valid.
    pub not_after: OffsetDateTime,
    /// When it was pinned.
    pub issued_at: OffsetDateTime,
}

/// That a certificate came to its end, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: OffsetDateTime,
    /// What was said about it.
    pub reason: Option<String>,
}

/// A certificate, from its request on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The number.
    pub id: CertificateId,
    /// Whose it is.
    pub partner: PartnerId,
    /// The request, PEM; none for a certificate that was pinned on the command line.
    pub request: Option<String>,
    /// The key for which it is.
    pub key: SpkiThumbprint,
    /// Where it stands.
    pub state: CertificateState,
    /// When the request was filed.
    pub filed_at: OffsetDateTime,
}

impl CertificateState {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Filed => "FILED",
            Self::Issued(_) => "ISSUED",
            Self::Withdrawn(_) => "WITHDRAWN",
            Self::Revoked(..) => "REVOKED",
        }
    }

    /// What is, or was, pinned.
    #[must_use]
    pub const fn pinned(&self) -> Option<&Pinned> {
        match self {
            Self::Issued(pinned) | Self::Revoked(pinned, _) => Some(pinned),
            Self::Filed | Self::Withdrawn(_) => None,
        }
    }

    /// How it ended.
    #[must_use]
    pub const fn ending(&self) -> Option<&Ending> {
        match self {
            Self::Withdrawn(ending) | Self::Revoked(_, ending) => Some(ending),
            Self::Filed | Self::Issued(_) => None,
        }
    }

    /// The state after the signed certificate was returned.
    ///
    /// # Errors
    /// [`CertificateRefusal::NotFiled`] unless a request waits.
    pub fn issue(self, pinned: Pinned) -> Result<Self, CertificateRefusal> {
        match self {
            Self::Filed => Ok(Self::Issued(pinned)),
            Self::Issued(_) | Self::Withdrawn(_) | Self::Revoked(..) => Err(CertificateRefusal::NotFiled),
        }
    }

    /// The state after it was revoked, or its request withdrawn.
    ///
    /// # Errors
    /// [`CertificateRefusal::Ended`] when it came to its end before.
    pub fn end(self, ending: Ending) -> Result<Self, CertificateRefusal> {
        match self {
            Self::Filed => Ok(Self::Withdrawn(ending)),
            Self::Issued(pinned) => Ok(Self::Revoked(pinned, ending)),
            Self::Withdrawn(_) | Self::Revoked(..) => Err(CertificateRefusal::Ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const AT: OffsetDateTime = datetime!(2026-11-01 12:00 UTC);

    fn pinned() -> Pinned {
        Pinned {
            pem: String::new(),
            fingerprint: [1; 32],
            serial: "01".to_owned(),
            not_after: AT,
            issued_at: AT,
        }
    }

    fn ending() -> Ending {
        Ending { at: AT, reason: None }
    }

    #[test]
    fn a_certificate_goes_one_way() {
        use CertificateState::{Filed, Issued, Revoked, Withdrawn};
        assert_eq!(Filed.issue(pinned()), Ok(Issued(pinned())));
        assert_eq!(Filed.end(ending()), Ok(Withdrawn(ending())));
        assert_eq!(Issued(pinned()).end(ending()), Ok(Revoked(pinned(), ending())));
        for state in [Issued(pinned()), Withdrawn(ending()), Revoked(pinned(), ending())] {
            assert_eq!(state.issue(pinned()), Err(CertificateRefusal::NotFiled));
        }
        for state in [Withdrawn(ending()), Revoked(pinned(), ending())] {
            assert_eq!(state.end(ending()), Err(CertificateRefusal::Ended));
        }
    }
}
