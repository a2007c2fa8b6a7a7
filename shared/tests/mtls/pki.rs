//! A certificate authority for one test, and the files that come from it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use shared::clock::Clock;
use shared::mtls::certificate::ReloadingCertificate;
use shared::mtls::trust::ReloadingTrust;
use time::{Duration, OffsetDateTime};

/// When every test begins.
pub(crate) const START: OffsetDateTime = time::macros::datetime!(2027-03-01 12:00 UTC);

/// An authority whose revocation lists hold for a week.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate says. The defaults are those of a good gateway.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) serial: u64,
    pub(crate) uri: Option<&'static str>,
    pub(crate) purpose: ExtendedKeyUsagePurpose,
    pub(crate) valid_until: OffsetDateTime,
}

pub(crate) fn gateway(serial: u64) -> Wanted {
    Wanted {
        serial,
        uri: Some("spiffe://tessera/gateway"),
        purpose: ExtendedKeyUsagePurpose::ClientAuth,
        valid_until: START + Duration::days(30),
    }
}

pub(crate) fn vault(serial: u64) -> Wanted {
    Wanted {
        uri: Some("spiffe://tessera/vault"),
        purpose: ExtendedKeyUsagePurpose::ServerAuth,
        ..gateway(serial)
    }
}

pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let params = ca_params(name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// An authority below this one; its certificate comes first in nobody's chain but its own.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let params = ca_params(name);
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn issue(&self, wanted: Wanted) -> Pair {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(wanted.serial));
        params.not_before = START - Duration::days(1);
        params.not_after = wanted.valid_until;
        params.extended_key_usages = vec![wanted.purpose];
        if let Some(uri) = wanted.uri {
            params
                .subject_alt_names
                .push(SanType::URI(Ia5String::try_from(uri).unwrap()));
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A list made at `this_update` that revokes the serials.
    pub(crate) fn list(&self, this_update: OffsetDateTime, revoked: &[u64]) -> String {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        });
        CertificateRevocationListParams {
            this_update,
            next_update: this_update + Duration::days(7),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .unwrap()
        .pem()
        .unwrap()
    }
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A directory with the files of one member.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes by rename, as whoever renews certificates should.
    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let fresh = self.path("fresh");
        write_private(&fresh, text);
        fs::rename(fresh, &path).unwrap();
        path
    }

    pub(crate) fn put_pair(&self, pair: &Pair) {
        self.put("chain.pem", &pair.chain);
        self.put("key.pem", &pair.key);
    }

    pub(crate) fn certificate(&self, pair: &Pair, clock: &Clock) -> Arc<ReloadingCertificate> {
        self.put_pair(pair);
        let (chain, key) = (self.path("chain.pem"), self.path("key.pem"));
        Arc::new(ReloadingCertificate::load(chain, key, clock.clone()).unwrap())
    }

    pub(crate) fn trust(&self, roots: &str, lists: &str, clock: &Clock) -> Arc<ReloadingTrust> {
        let (roots, lists) = (self.put("roots.pem", roots), self.put("lists.pem", lists));
        Arc::new(ReloadingTrust::load(roots, lists, clock.clone()).unwrap())
    }
}

fn write_private(path: &Path, text: &str) {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
