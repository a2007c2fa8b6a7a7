//! A CA in its directory: root, index, CRL. One handle at a time, across processes; what it signs is in the index, on disk,
//! before the caller gets it.

use std::fs::File;
use std::path::{Path, PathBuf};

use rcgen::PublicKeyData;
use ring::rand::SystemRandom;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use shared::clock::Clock;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::ca::Ca;
use crate::error::{Error, Result};
use crate::files::{self, Access};
use crate::index::{Index, Record};
use crate::issued::{Certificate, Issued};
use crate::key::PrivateKey;
use crate::profile::Profile;
use crate::public_key::{fingerprint, key_fingerprint};
use crate::request::Request;
use crate::revocation::{Reason, Revocation};
use crate::root::Root;
use crate::serial::Serial;
use crate::template::Template;

/// An opened CA.
pub struct Authority {
    root: Root,
    dir: PathBuf,
    index: Index,
    clock: Clock,
    rng: SystemRandom,
    /// Holds the advisory lock on the key file for as long as the handle lives.
    _lock: File,
}

impl Authority {
    /// Makes the root, an empty index and an empty CRL in `dir`, which is created if missing.
    ///
    /// # Errors
    /// [`Error::Exists`] if any of the CA's files stands there; nothing is written then.
    pub fn create(dir: &Path, ca: Ca, clock: &Clock) -> Result<Self> {
        let rng = SystemRandom::new();
        let paths = [
            ca.key_path(dir),
            ca.certificate_path(dir),
            ca.index_path(dir),
            ca.crl_path(dir),
        ];
        files::refuse_existing(paths.iter().map(PathBuf::as_path))?;
        files::make_dir(dir)?;
        let now = clock.now().truncate_to_second();
        let (root, certificate_pem) = Root::generate(ca, now, &rng)?;
        files::create(&ca.key_path(dir), root.key().to_pem().as_bytes(), Access::Private)?;
        let lock = lock(&ca.key_path(dir))?;
        files::create(
            &ca.certificate_path(dir),
            certificate_pem.as_bytes(),
            Access::Public,
        )?;
        let index = Index::new(ca);
        index.create(&ca.index_path(dir))?;
        let mut authority = Self {
            root,
            dir: dir.to_owned(),
            index,
            clock: clock.clone(),
            rng,
            _lock: lock,
        };
        authority.publish_crl()?;
        Ok(authority)
    }

    /// Opens the CA in `dir`.
    ///
    /// # Errors
    /// When a file is missing, its key can be read by others, certificate and key do not fit, or another handle is open.
    pub fn open(dir: &Path, ca: Ca, clock: &Clock) -> Result<Self> {
        let rng = SystemRandom::new();
        let key_path = ca.key_path(dir);
        let lock = lock(&key_path)?;
        let key = PrivateKey::from_pem(&files::read_private(&lock, &key_path)?, &rng)?;
        let certificate_pem = files::read(&ca.certificate_path(dir))?;
        let root = Root::load(ca, &certificate_pem, key, clock.now())?;
        let index = Index::load(&ca.index_path(dir), ca)?;
        Ok(Self {
            root,
            dir: dir.to_owned(),
            index,
            clock: clock.clone(),
            rng,
            _lock: lock,
        })
    }

    /// Makes a key and a certificate for it.
    ///
    /// # Errors
    /// [`Error::WrongCa`] if the profile belongs to the other CA; what writing the index can meet.
    pub fn issue(&mut self, profile: &Profile) -> Result<Issued> {
        self.own(profile)?;
        let template = Template::new(profile, self.now());
        self.issue_template(&template)
    }

    /// Signs the key of a request. Identity, usage and lifetime come from `profile`.
    ///
    /// # Errors
    /// As [`Self::issue`]; and when the profile does not take this kind of key, or the key serves another identity or was
    /// revoked as compromised.
    pub fn sign(&mut self, profile: &Profile, request: &Request) -> Result<Certificate> {
        self.own(profile)?;
        request.key().obey(profile.key_rule())?;
        self.index
            .admit_key(&key_fingerprint(request.key()), &profile.identity())?;
        let template = Template::new(profile, self.now());
        self.sign_template(&template, request.key())
    }

    /// Revokes what the index knows by its serial number, and publishes a CRL that says so.
    ///
    /// # Errors
    /// [`Error::UnknownSerial`], [`Error::AlreadyRevoked`].
    pub fn revoke_serial(&mut self, serial: &Serial, reason: Reason) -> Result<Record> {
        let record = self
            .index
            .revoke(
                serial,
                Revocation {
                    at: self.now(),
                    reason,
                },
            )?
            .clone();
        self.publish_crl()?;
        Ok(record)
    }

    /// Revokes the certificate in `pem`, also if the index has lost it, and publishes a CRL that says so.
    ///
    /// # Errors
    /// [`Error::NotIssuedHere`] unless this root's key signed it: a serial number alone may be another CA's.
    pub fn revoke_certificate(&mut self, pem: &[u8], reason: Reason) -> Result<Record> {
        let der = CertificateDer::from_pem_slice(pem).map_err(|_| Error::CertificateFile)?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| Error::CertificateFile)?;
        if !self.root.has_signed(&certificate) {
            return Err(Error::NotIssuedHere(self.root.ca()));
        }
        let serial = Serial::from_der_integer(certificate.raw_serial()).ok_or(Error::CertificateFile)?;
        if !self.index.knows(&serial) {
            self.index.add(record_of(&certificate, serial.clone(), &der));
        }
        self.revoke_serial(&serial, reason)
    }

    /// Publishes a CRL with the next number and a new `nextUpdate`.
    ///
    /// # Errors
    /// What writing index and CRL can meet. After a crash between the two the old CRL stands, and the next call mends it.
    pub fn publish_crl(&mut self) -> Result<()> {
        let number = self.index.next_crl_number();
        self.index.save(&self.index_path())?;
        let crl = self.root.sign_crl(number, self.now(), self.index.records())?;
        files::replace(&self.crl_path(), crl.as_bytes(), Access::Public)
    }

    /// Everything issued, oldest first.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        self.index.records()
    }

    /// Where the current CRL stands.
    #[must_use]
    pub fn crl_path(&self) -> PathBuf {
        self.root.ca().crl_path(&self.dir)
    }

    /// Makes a key and signs what the template says.
    pub(crate) fn issue_template(&mut self, template: &Template) -> Result<Issued> {
        let key = PrivateKey::generate(&self.rng)?;
        let certificate = self.sign_template(template, &key)?;
        Ok(Issued { certificate, key })
    }

    fn sign_template(&mut self, template: &Template, key: &impl PublicKeyData) -> Result<Certificate> {
        let serial = Serial::random(&self.rng)?;
        let signed = self.root.sign(template, &serial, key)?;
        let certificate = Certificate::new(&signed, template, serial, key);
        self.index.add(certificate.record.clone());
        self.index.save(&self.index_path())?;
        Ok(certificate)
    }

    fn own(&self, profile: &Profile) -> Result<()> {
        let (wanted, given) = (profile.ca(), self.root.ca());
        if wanted == given {
            Ok(())
        } else {
            Err(Error::WrongCa {
                identity: profile.identity(),
                wanted,
                given,
            })
        }
    }

    fn index_path(&self) -> PathBuf {
        self.root.ca().index_path(&self.dir)
    }

    /// X.509 times have whole seconds.
    fn now(&self) -> OffsetDateTime {
        self.clock.now().truncate_to_second()
    }
}

/// Opens the key file and takes its advisory lock, without waiting: two writers would each save an index that lacks the
/// other's certificate.
fn lock(key_path: &Path) -> Result<File> {
    let file = File::open(key_path).map_err(files::failed("read", key_path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse(files::parent_of(key_path))),
        Err(std::fs::TryLockError::Error(error)) => Err(files::failed("lock", key_path)(error)),
    }
}

/// The record of a certificate that is read back. Only the identities are kept of its names: the record serves revocation.
fn record_of(certificate: &X509Certificate<'_>, serial: Serial, der: &[u8]) -> Record {
    let names = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|names| {
            let uris = names.value.general_names.iter().filter_map(|name| match name {
                GeneralName::URI(uri) => Some(format!("URI:{uri}")),
                _ => None,
            });
            uris.collect()
        });
    Record {
        serial,
        names: names.unwrap_or_default(),
        not_after: certificate.validity().not_after.to_datetime(),
        fingerprint: fingerprint(der),
        key_fingerprint: fingerprint(certificate.public_key().raw),
        revoked: None,
    }
}
