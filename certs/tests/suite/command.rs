//! The command itself, as its user types it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use certs::Ca;

use crate::support::{Place, RSA_2048};

fn certs(place: &Place, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_certs"))
        .args(arguments)
        .current_dir(place.dir())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

#[test]
fn a_partner_is_signed_listed_and_revoked() {
    let place = Place::new();
    certs(&place, &["ca", "init", "--ca", "partner", "--dir", "."]).unwrap();
    place
        .request(RSA_2048, &["-addext", "basicConstraints=CA:TRUE"])
        .unwrap();
    let sign = "sign --dir . --role partner --name acme --csr partner.csr --out acme.pem";
    let sign: Vec<&str> = sign.split(' ').collect();
    let report = certs(&place, &sign).unwrap();
    for word in [
        "RSA 2048 bits",
        "URI:spiffe://tessera/partner/acme",
        "not granted",
        "basicConstraints CA:TRUE",
    ] {
        assert!(report.contains(word), "{word} is missing in:\n{report}");
    }
    place
        .openssl_verify(Ca::Partner, "sslclient", "acme.pem")
        .unwrap();
    assert!(
        certs(&place, &sign)
            .unwrap_err()
            .contains("acme.pem exists already")
    );

    let serial = place.openssl(&["x509", "-in", "acme.pem", "-noout", "-serial"]);
    let serial = serial.trim().trim_start_matches("serial=");
    let list = || certs(&place, &["list", "--ca", "partner", "--dir", "."]).unwrap();
    assert!(list().contains(&serial.to_lowercase()));
    assert_eq!(list().lines().count(), 1, "a refused signing stands in the index");
    certs(
        &place,
        &["revoke", "--ca", "partner", "--dir", ".", "--serial", serial],
    )
    .unwrap();
    assert!(list().contains("revoked"));
    assert!(
        place
            .openssl_verify(Ca::Partner, "sslclient", "acme.pem")
            .is_err()
    );
    let again = certs(
        &place,
        &[
            "revoke",
            "--ca",
            "partner",
            "--dir",
            ".",
            "--certificate",
            "acme.pem",
        ],
    );
    assert!(again.unwrap_err().contains("revoked already"));
    certs(&place, &["crl", "--ca", "partner", "--dir", "."]).unwrap();
}

#[test]
fn an_issued_key_is_private_and_nothing_is_overwritten() {
    let place = Place::new();
    certs(&place, &["ca", "init", "--ca", "internal", "--dir", "."]).unwrap();
    let twice = certs(&place, &["ca", "init", "--ca", "internal", "--dir", "."]);
    assert!(twice.unwrap_err().contains("nothing is ever overwritten"));
    let issue = "issue --dir . --role officer --name alice --out alice.pem --key-out alice.key";
    let issue: Vec<&str> = issue.split(' ').collect();
    certs(&place, &issue).unwrap();
    let mode = fs::metadata(place.path("alice.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    place.openssl(&["pkey", "-in", "alice.key", "-noout", "-check"]);
    fs::remove_file(place.path("alice.pem")).unwrap();
    assert!(
        certs(&place, &issue)
            .unwrap_err()
            .contains("alice.key exists already")
    );
}

#[test]
fn refusals_are_sentences() {
    let place = Place::new();
    certs(&place, &["ca", "init", "--ca", "partner", "--dir", "."]).unwrap();
    drop(place.request(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], &[]));
    let sign = |more: &str| {
        let line = format!("sign --dir . --csr partner.csr --out x.pem {more}");
        certs(&place, &line.split(' ').collect::<Vec<_>>()).unwrap_err()
    };
    assert!(sign("--role partner --name acme").contains("the request's key is RSA 1024 bits"));
    assert!(sign("--role partner --name Acme/vault").contains("--name"));
    place.request(RSA_2048, &[]).unwrap();
    assert!(sign("--role partner").contains("needs a name"));
    assert!(sign("--role partner --name acme --host evil").contains("takes no host names"));
    assert!(sign("--role officer --name alice").contains("internal-ca.key"));
    assert!(!place.path("x.pem").exists());
}

#[test]
fn a_development_set_and_its_fixtures_are_one_command_each() {
    let place = Place::new();
    certs(
        &place,
        &[
            "dev",
            "--out",
            "set",
            "--partner",
            "acme",
            "--host",
            "vault.internal",
        ],
    )
    .unwrap();
    assert!(
        certs(&place, &["dev", "--out", "set"])
            .unwrap_err()
            .contains("exists already")
    );
    let text = place.openssl(&["x509", "-in", "set/vault.pem", "-noout", "-ext", "subjectAltName"]);
    for name in [
        "URI:spiffe://tessera/vault",
        "DNS:localhost",
        "IP Address:127.0.0.1",
        "DNS:vault.internal",
    ] {
        assert!(text.contains(name), "{name} is missing in {text}");
    }
    let fixtures = "fixtures --dir set --out bad --role officer --name mallory";
    let fixtures: Vec<&str> = fixtures.split(' ').collect();
    let made = certs(&place, &fixtures).unwrap();
    assert_eq!(made.lines().count(), 10);
    assert!(place.path("bad/mallory.expired.key").is_file());
    assert!(certs(&place, &fixtures).unwrap_err().contains("exists already"));
}

#[test]
fn help_names_every_subcommand() {
    let help = certs(&Place::new(), &["--help"]).unwrap();
    for word in ["ca", "sign", "issue", "revoke", "crl", "list", "dev", "fixtures"] {
        assert!(
            help.contains(&format!("\n  {word} ")),
            "{word} is missing in:\n{help}"
        );
    }
}
