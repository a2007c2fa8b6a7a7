//! A root: an ECDSA P-256 key and its self-signed certificate, which sign leafs and CRLs. It knows nothing of files.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
    KeyIdMethod, KeyUsagePurpose, PublicKeyData, RevokedCertParams, SerialNumber,
};
use ring::rand::SystemRandom;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::ca::Ca;
use crate::error::{Error, Result};
use crate::index::Record;
use crate::key::PrivateKey;
use crate::serial::Serial;
use crate::template::{BACKDATE, Template, root_subject};

/// A root outlives every leaf and is replaced by overlap, because clients pin it: ten years, within what NIST SP 800-57
/// part 1 table 4 grants P-256.
const ROOT_LIFETIME: Duration = Duration::days(3650);

/// A CRL is good for thirty days: the CA is kept off-line, and its custodian comes by at least monthly; a revocation in
/// between is published at once and does not wait for it.
const CRL_LIFETIME: Duration = Duration::days(30);

/// One root, ready to sign.
pub(crate) struct Root {
    ca: Ca,
    der: CertificateDer<'static>,
    not_after: OffsetDateTime,
    issuer: Issuer<'static, PrivateKey>,
}

impl Root {
    /// Makes a new root that is valid from `now`, and its certificate in PEM.
    pub(crate) fn generate(ca: Ca, now: OffsetDateTime, rng: &SystemRandom) -> Result<(Self, String)> {
        let key = PrivateKey::generate(rng)?;
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(Serial::random(rng)?.as_bytes()));
        params.not_before = now - BACKDATE;
        params.not_after = now + ROOT_LIFETIME;
        params.distinguished_name = root_subject(ca.common_name());
        // Signs leafs directly: a path length of zero keeps a leaf that slipped through from becoming a CA below it.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        let root = Self {
            ca,
            der: certificate.der().clone(),
            not_after: params.not_after,
            issuer: Issuer::new(params, key),
        };
        Ok((root, certificate.pem()))
    }

    /// Reads a root; refuses a certificate that is not this CA's, not of this key, or not valid at `now`.
    pub(crate) fn load(ca: Ca, pem: &[u8], key: PrivateKey, now: OffsetDateTime) -> Result<Self> {
        let der = CertificateDer::from_pem_slice(pem).map_err(|_| Error::CertificateFile)?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| Error::CertificateFile)?;
        if certificate.public_key().raw != key.subject_public_key_info() {
            return Err(Error::CaUnfit(
                "the CA's certificate and its private key do not belong together",
            ));
        }
        let common_name = certificate
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok());
        if !certificate.is_ca() || common_name != Some(ca.common_name()) {
            return Err(Error::CaUnfit("the CA's certificate is not the root of this CA"));
        }
        let validity = certificate.validity();
        let not_after = validity.not_after.to_datetime();
        if now < validity.not_before.to_datetime() || now > not_after {
            return Err(Error::CaUnfit("the CA's certificate is not valid at this time"));
        }
        let issuer = Issuer::from_ca_cert_der(&der, key)?;
        Ok(Self {
            ca,
            der,
            not_after,
            issuer,
        })
    }

    /// Which root this is.
    pub(crate) fn ca(&self) -> Ca {
        self.ca
    }

    /// The private key, to be written once.
    pub(crate) fn key(&self) -> &PrivateKey {
        self.issuer.key()
    }

    /// Signs a leaf for `key`.
    pub(crate) fn sign(
        &self,
        template: &Template,
        serial: &Serial,
        key: &impl PublicKeyData,
    ) -> Result<Certificate> {
        if template.not_after > self.not_after {
            return Err(Error::OutlivesCa(self.ca));
        }
        Ok(template.to_params(serial)?.signed_by(key, &self.issuer)?)
    }

    /// Signs a CRL of the given number with every revoked record, in PEM.
    pub(crate) fn sign_crl(&self, number: u64, now: OffsetDateTime, records: &[Record]) -> Result<String> {
        let revoked = records.iter().filter_map(|record| {
            let revocation = record.revoked?;
            Some(RevokedCertParams {
                serial_number: SerialNumber::from_slice(record.serial.as_bytes()),
                revocation_time: revocation.at,
                reason_code: Some(revocation.reason.into()),
                invalidity_date: None,
            })
        });
        let params = CertificateRevocationListParams {
            this_update: now - BACKDATE,
            next_update: now + CRL_LIFETIME,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.pem()?)
    }

    /// Whether this root's key signed `certificate`.
    pub(crate) fn has_signed(&self, certificate: &X509Certificate<'_>) -> bool {
        X509Certificate::from_der(&self.der)
            .is_ok_and(|(_, root)| certificate.verify_signature(Some(root.public_key())).is_ok())
    }
}
