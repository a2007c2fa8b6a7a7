//! Requests made by the real `openssl req`: what is signed, what is refused, what is ignored.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use certs::error::Error;
use certs::{Ca, Profile, Reason, Request};
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject;

use crate::support::{P256, Place, RSA_2048};

fn partner(name: &str) -> Profile {
    Profile::Partner(name.parse().unwrap())
}

fn to_pem(der: &[u8]) -> String {
    let label = "CERTIFICATE REQUEST";
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

#[test]
fn rsa_2048_and_p256_are_signed_and_openssl_verifies_them() {
    for (key, kind) in [(RSA_2048, "RSA 2048 bits"), (P256, "ECDSA P-256")] {
        let place = Place::new();
        let request = place.request(key, &[]).unwrap();
        assert_eq!(request.key_kind().to_string(), kind);
        let certificate = place.ca(Ca::Partner).sign(&partner("acme"), &request).unwrap();
        certificate.write(&place.path("acme.pem")).unwrap();
        place
            .openssl_verify(Ca::Partner, "sslclient", "acme.pem")
            .unwrap();
        assert!(
            place
                .openssl_verify(Ca::Partner, "sslserver", "acme.pem")
                .is_err()
        );

        let of_key = place.openssl(&["pkey", "-in", "partner.key", "-pubout"]);
        let of_certificate = place.openssl(&["x509", "-in", "acme.pem", "-noout", "-pubkey"]);
        assert_eq!(of_key, of_certificate);
    }
}

#[test]
fn weak_and_foreign_keys_are_refused_by_name() {
    let cases: [(&[&str], &str); 7] = [
        (
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
            "RSA 1024 bits",
        ),
        (
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2047"],
            "RSA 2047 bits",
        ),
        (
            &[
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
                "-pkeyopt",
                "rsa_keygen_pubexp:3",
            ],
            "exponent",
        ),
        (
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            "another curve",
        ),
        (
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
            "another curve",
        ),
        (
            &[
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-pkeyopt",
                "ec_param_enc:explicit",
            ],
            "unnamed curve",
        ),
        (&["-algorithm", "ED25519"], "not certified"),
    ];
    for (key, found) in cases {
        let error = Place::new().request(key, &[]).unwrap_err();
        assert!(matches!(error, Error::KeyRefused { .. }), "{key:?}: {error}");
        assert!(error.to_string().contains(found), "{key:?}: {error}");
    }
}

#[test]
fn a_request_signed_with_sha1_is_refused() {
    let error = Place::new().request(RSA_2048, &["-sha1"]).unwrap_err();
    assert!(matches!(error, Error::RequestSignature(_)), "{error}");
}

#[test]
fn a_request_whose_own_signature_does_not_verify_is_refused() {
    for key in [RSA_2048, P256] {
        let place = Place::new();
        place.request(key, &[]).unwrap();
        let request = CertificateSigningRequestDer::from_pem_slice(&place.read("partner.csr")).unwrap();
        let mut signature_flipped = request.to_vec();
        *signature_flipped.last_mut().unwrap() ^= 1;
        let mut subject_flipped = request.to_vec();
        let at = subject_flipped
            .windows(9)
            .position(|bytes| bytes == b"a partner")
            .unwrap();
        subject_flipped[at] ^= 2;
        for der in [signature_flipped, subject_flipped] {
            let error = Request::from_pem(to_pem(&der).as_bytes()).unwrap_err();
            assert!(matches!(error, Error::RequestUnproven), "{error}");
        }
    }
}

#[test]
fn what_a_request_wishes_for_is_named_and_not_granted() {
    let place = Place::new();
    let wishes = [
        "-subj",
        "/O=Tessera/CN=Tessera officer alice",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign",
        "-addext",
        "extendedKeyUsage=serverAuth,codeSigning",
        "-addext",
        "subjectAltName=URI:spiffe://tessera/officer/alice,DNS:vault.internal,IP:10.0.0.1",
        "-addext",
        "nsComment=hello",
    ];
    let request = place.request(P256, &wishes).unwrap();
    let said = request.ignored().join("\n");
    for word in [
        "subject O=Tessera, CN=Tessera officer alice",
        "basicConstraints CA:TRUE",
        "keyUsage",
        "extendedKeyUsage serverAuth, codeSigning",
        "subjectAltName URI:spiffe://tessera/officer/alice, DNS:vault.internal, IP:10.0.0.1",
        "the extension 2.16.840.1.113730.1.13",
    ] {
        assert!(said.contains(word), "{word} is missing in:\n{said}");
    }

    let certificate = place.ca(Ca::Partner).sign(&partner("acme"), &request).unwrap();
    assert_eq!(certificate.record.names, ["URI:spiffe://tessera/partner/acme"]);
    certificate.write(&place.path("acme.pem")).unwrap();
    let text = place.openssl(&["x509", "-in", "acme.pem", "-noout", "-text"]);
    for granted in [
        "Subject: O = Tessera, OU = partner, CN = acme",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
        "X509v3 Subject Alternative Name: \n                URI:spiffe://tessera/partner/acme\n",
        "X509v3 Authority Key Identifier",
        "X509v3 Subject Key Identifier",
    ] {
        assert!(text.contains(granted), "{granted} is missing in:\n{text}");
    }
    for refused in [
        "alice",
        "vault",
        "CA:TRUE",
        "Server Authentication",
        "10.0.0.1",
        "hello",
    ] {
        assert!(!text.contains(refused), "{refused} stands in:\n{text}");
    }
}

#[test]
fn the_vaults_key_must_be_p256_because_it_signs_es256() {
    let place = Place::new();
    let mut internal = place.ca(Ca::Internal);
    let rsa = place.request(RSA_2048, &[]).unwrap();
    assert!(matches!(
        internal.sign(&Profile::Vault(vec![]), &rsa),
        Err(Error::KeyRefused { .. })
    ));
    let ec = place.request(P256, &[]).unwrap();
    assert!(internal.sign(&Profile::Vault(vec![]), &ec).is_ok());
}

#[test]
fn one_key_serves_one_identity_and_a_compromised_one_serves_none() {
    let place = Place::new();
    let mut authority = place.ca(Ca::Partner);
    let request = place.request(P256, &[]).unwrap();
    authority.sign(&partner("acme"), &request).unwrap();
    let renewed = authority.sign(&partner("acme"), &request).unwrap();
    assert!(matches!(
        authority.sign(&partner("other"), &request),
        Err(Error::KeyOfAnother(_))
    ));
    authority
        .revoke_serial(&renewed.record.serial, Reason::KeyCompromise)
        .unwrap();
    assert!(matches!(
        authority.sign(&partner("acme"), &request),
        Err(Error::KeyCompromised)
    ));
}

#[test]
fn a_file_with_anything_but_one_request_is_refused() {
    let place = Place::new();
    place.request(P256, &[]).unwrap();
    let (request, key) = (place.read("partner.csr"), place.read("partner.key"));
    let long = vec![b'\n'; 70_000];
    let refused = |file: &[u8]| Request::from_pem(file).unwrap_err().to_string();
    assert!(refused(b"").contains("holds none"));
    assert!(refused(&key).contains("private key"));
    assert!(refused(&[&request[..], &key].concat()).contains("private key"));
    assert!(refused(&[&request[..], &request].concat()).contains("several"));
    assert!(refused(&[&long[..], &request].concat()).contains("larger"));
    assert!(refused(&request[..request.len() / 2]).contains("PEM"));
    let der = CertificateSigningRequestDer::from_pem_slice(&request).unwrap();
    let trailing = [&der[..], &[0]].concat();
    assert!(matches!(
        Request::from_pem(to_pem(&trailing).as_bytes()),
        Err(Error::RequestMalformed)
    ));
}
