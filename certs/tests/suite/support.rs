//! A directory that goes away, with OpenSSL and a CA in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use certs::{Authority, Ca, Request};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use shared::clock::Clock;
use tempfile::TempDir;

pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn ca(&self, ca: Ca) -> Authority {
        Authority::create(self.dir(), ca, &Clock::System).unwrap()
    }

    /// Runs `openssl` here; whatever comes of it.
    pub(crate) fn try_openssl(&self, arguments: &[&str]) -> Output {
        Command::new("openssl")
            .args(arguments)
            .current_dir(self.dir())
            .output()
            .unwrap()
    }

    /// Runs `openssl` here; it must succeed. What it wrote to standard output.
    pub(crate) fn openssl(&self, arguments: &[&str]) -> String {
        let output = self.try_openssl(arguments);
        assert!(
            output.status.success(),
            "openssl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// A key of this kind (arguments of `openssl genpkey`) in `partner.key` and its request in `partner.csr`.
    pub(crate) fn request(&self, key: &[&str], more: &[&str]) -> certs::error::Result<Request> {
        self.openssl(&[&["genpkey", "-quiet", "-out", "partner.key"], key].concat());
        let base = ["req", "-new", "-key", "partner.key", "-out", "partner.csr"];
        let subject: &[&str] = if more.contains(&"-subj") {
            &[]
        } else {
            &["-subj", "/CN=a partner"]
        };
        self.openssl(&[&base, subject, more].concat());
        Request::from_pem(&self.read("partner.csr"))
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// `openssl verify` with the CA's root and CRL, for this purpose.
    pub(crate) fn openssl_verify(&self, ca: Ca, purpose: &str, certificate: &str) -> Result<(), String> {
        let (root, crl) = (format!("{ca}-ca.pem"), format!("{ca}.crl.pem"));
        let arguments = [
            "verify",
            "-x509_strict",
            "-CAfile",
            &root,
            "-crl_check",
            "-CRLfile",
            &crl,
            "-purpose",
            purpose,
        ];
        let output = self.try_openssl(&[&arguments[..], &[certificate]].concat());
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

pub(crate) const RSA_2048: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
pub(crate) const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

pub(crate) fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}
