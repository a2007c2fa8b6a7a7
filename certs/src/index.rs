//! What one CA has issued and revoked, in a JSON file that people can read. The file, not the CRL, is the truth from which
//! every CRL is made; it is written before anything that rests on it leaves.

use std::path::Path;

use serde::{Deserialize, Serialize};
use shared::mtls::identity::Identity;
use time::OffsetDateTime;

use crate::ca::Ca;
use crate::error::{Error, Result};
use crate::files::{self, Access};
use crate::revocation::{Reason, Revocation};
use crate::serial::Serial;

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Its serial number.
    pub serial: Serial,
    /// Its subject alternative names, `URI:…` first.
    pub names: Vec<String>,
    /// The last moment of its validity.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
    /// SHA-256 of the certificate's DER, hexadecimal.
    pub fingerprint: String,
    /// SHA-256 of its SubjectPublicKeyInfo, hexadecimal.
    pub key_fingerprint: String,
    /// Whether it was revoked.
    pub revoked: Option<Revocation>,
}

/// The file's content.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Index {
    ca: Ca,
    crl_number: u64,
    certificates: Vec<Record>,
}

impl Index {
    /// The index of a new CA.
    pub(crate) fn new(ca: Ca) -> Self {
        Self {
            ca,
            crl_number: 0,
            certificates: Vec::new(),
        }
    }

    /// Reads the index of `ca`.
    pub(crate) fn load(path: &Path, ca: Ca) -> Result<Self> {
        let unreadable = |reason: String| Error::Index {
            path: path.to_owned(),
            reason,
        };
        let index: Self =
            serde_json::from_slice(&files::read(path)?).map_err(|error| unreadable(error.to_string()))?;
        if index.ca != ca {
            return Err(unreadable(format!("it belongs to the {} CA", index.ca)));
        }
        Ok(index)
    }

    /// Writes it in the place of the former one, durably.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        files::replace(path, &self.encode(path)?, Access::Private)
    }

    /// Writes the first one; refuses if there is one.
    pub(crate) fn create(&self, path: &Path) -> Result<()> {
        files::create(path, &self.encode(path)?, Access::Private)
    }

    fn encode(&self, path: &Path) -> Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self).map_err(|error| Error::Index {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        json.push(b'\n');
        Ok(json)
    }

    /// Everything issued, oldest first.
    pub(crate) fn records(&self) -> &[Record] {
        &self.certificates
    }

    /// Takes the next CRL number. Saved before the CRL is signed, so that a number is skipped rather than used twice.
    pub(crate) fn next_crl_number(&mut self) -> u64 {
        self.crl_number += 1;
        self.crl_number
    }

    /// Adds what was just signed.
    pub(crate) fn add(&mut self, record: Record) {
        self.certificates.push(record);
    }

    /// Refuses a key that serves another identity or was revoked as compromised.
    pub(crate) fn admit_key(&self, key_fingerprint: &str, identity: &Identity) -> Result<()> {
        let identity = format!("URI:{identity}");
        for record in self
            .certificates
            .iter()
            .filter(|record| record.key_fingerprint == key_fingerprint)
        {
            if record
                .revoked
                .is_some_and(|revocation| revocation.reason == Reason::KeyCompromise)
            {
                return Err(Error::KeyCompromised);
            }
            if !record.names.contains(&identity) {
                return Err(Error::KeyOfAnother(record.names.join(", ")));
            }
        }
        Ok(())
    }

    /// Marks the certificate as revoked.
    pub(crate) fn revoke(&mut self, serial: &Serial, revocation: Revocation) -> Result<&Record> {
        let found = self
            .certificates
            .iter_mut()
            .find(|record| record.serial == *serial);
        let record = found.ok_or_else(|| Error::UnknownSerial(serial.to_string()))?;
        if record.revoked.is_some() {
            return Err(Error::AlreadyRevoked(serial.to_string()));
        }
        record.revoked = Some(revocation);
        Ok(record)
    }

    /// Whether a certificate with this serial was issued.
    pub(crate) fn knows(&self, serial: &Serial) -> bool {
        self.certificates.iter().any(|record| record.serial == *serial)
    }
}
