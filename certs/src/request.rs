//! A certificate request (PKCS #10, RFC 2986): the proof that the requester holds a key, and nothing more. Of all that a
//! request says, the public key alone is taken; the rest is kept as words for the report.

use rustls_pki_types::pem::{PemObject, SectionKind};
use shared::mtls::peer::SpkiThumbprint;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::oid_registry::{
    OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA,
    OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384,
};
use x509_parser::prelude::FromDer;

use crate::error::{Error, Result};
use crate::public_key::{KeyKind, PublicKey};
use crate::wishes;

/// The most a request file may hold: one with an RSA-8192 key and a page of extensions stays under 8 kB.
const MAX_FILE_BYTES: usize = 64 * 1024;

/// A request whose signature was checked and whose key may be certified.
#[derive(Clone, Debug)]
pub struct Request {
    key: PublicKey,
    ignored: Vec<String>,
}

impl Request {
    /// Reads the PEM that `openssl req -new` writes, and checks it.
    ///
    /// # Errors
    /// When it is no single PKCS #10 request, its key is not of an accepted kind, or it is not signed by that key.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        Self::from_der(&only_section(pem)?)
    }

    /// Reads the DER within, and checks it.
    ///
    /// # Errors
    /// As [`Request::from_pem`].
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| Error::RequestMalformed)?;
        if !rest.is_empty() {
            return Err(Error::RequestMalformed);
        }
        // The key first: "RSA 1024 bits" says more than "the signature does not verify".
        let info = &request.certification_request_info;
        let key = PublicKey::judge(&info.subject_pki)?;
        refuse_weak_signature(&request)?;
        request.verify_signature().map_err(|_| Error::RequestUnproven)?;

        let mut ignored = Vec::new();
        ignored.extend(wishes::subject(&info.subject));
        for attribute in info.iter_attributes() {
            match attribute.parsed_attribute() {
                ParsedCriAttribute::ExtensionRequest(asked) => {
                    ignored.extend(asked.extensions.iter().map(wishes::extension));
                }
                ParsedCriAttribute::ChallengePassword(_) => ignored.push("a challenge password".to_owned()),
                ParsedCriAttribute::UnsupportedAttribute => ignored.push(wishes::attribute(&attribute.oid)),
            }
        }
        Ok(Self { key, ignored })
    }

    /// What kind of key asks.
    #[must_use]
    pub fn key_kind(&self) -> KeyKind {
        self.key.kind()
    }

    /// What the request asked for and did not get, one thing a line, safe to print.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// SHA-256 of the key's SubjectPublicKeyInfo: by it the certificate that is made of this request is known again.
    #[must_use]
    pub fn key_thumbprint(&self) -> SpkiThumbprint {
        self.key.thumbprint()
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// The one section of the file. A private key beside the request is refused by name: somebody is about to send it around.
fn only_section(pem: &[u8]) -> Result<Vec<u8>> {
    if pem.len() > MAX_FILE_BYTES {
        return Err(Error::RequestFile("it is larger than 64 KiB"));
    }
    let sections: Vec<(SectionKind, Vec<u8>)> = PemObject::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| Error::RequestFile("its PEM is broken"))?;
    if sections.iter().any(|(kind, _)| is_private(*kind)) {
        return Err(Error::RequestFile(
            "it holds a private key, which must not leave its owner",
        ));
    }
    match sections.as_slice() {
        [(SectionKind::Csr, der)] => Ok(der.clone()),
        [] => Err(Error::RequestFile("it holds none")),
        [_] => Err(Error::RequestFile("it holds something else")),
        _ => Err(Error::RequestFile("it holds several things")),
    }
}

fn is_private(kind: SectionKind) -> bool {
    matches!(
        kind,
        SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey
    )
}

/// SHA-1 and older are refused even for a signature that only proves possession: a collision there would let one requester
/// present another's proof.
fn refuse_weak_signature(request: &X509CertificationRequest<'_>) -> Result<()> {
    let accepted = [
        OID_PKCS1_SHA256WITHRSA,
        OID_PKCS1_SHA384WITHRSA,
        OID_PKCS1_SHA512WITHRSA,
        OID_PKCS1_RSASSAPSS,
        OID_SIG_ECDSA_WITH_SHA256,
        OID_SIG_ECDSA_WITH_SHA384,
    ];
    let used = &request.signature_algorithm.algorithm;
    if accepted.contains(used) {
        Ok(())
    } else {
        Err(Error::RequestSignature(wishes::harmless(&used.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, PublicKeyData};
    use ring::rand::SystemRandom;

    use super::Request;
    use crate::key::PrivateKey;

    fn request() -> (PrivateKey, Vec<u8>) {
        let key = PrivateKey::generate(&SystemRandom::new()).unwrap();
        let params = CertificateParams::new(vec!["asked.example".to_owned()]).unwrap();
        let der = params.serialize_request(&key).unwrap().der().to_vec();
        (key, der)
    }

    fn pem(der: &[u8]) -> String {
        let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n")
    }

    proptest! {
        #[test]
        fn no_file_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            prop_assert!(Request::from_pem(&bytes).is_err());
            prop_assert!(Request::from_pem(pem(&bytes).as_bytes()).is_err());
        }

        #[test]
        fn no_changed_request_brings_in_another_key(at in any::<proptest::sample::Index>(), flip in 1u8..) {
            let (key, mut der) = request();
            let at = at.index(der.len());
            der[at] ^= flip;
            if let Ok(read) = Request::from_pem(pem(&der).as_bytes()) {
                prop_assert_eq!(read.key().der_bytes(), key.der_bytes());
            }
        }

        #[test]
        fn no_cut_request_is_taken(at in any::<proptest::sample::Index>()) {
            let (_, der) = request();
            let cut = &der[..at.index(der.len())];
            prop_assert!(Request::from_pem(pem(cut).as_bytes()).is_err());
        }
    }
}
