//! A CA over time: issuing, revoking, opening again.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use certs::error::Error;
use certs::{Authority, Ca, DevOptions, DevSet, Profile, Reason};
use shared::clock::{Clock, ManualClock};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::support::Place;

const START: OffsetDateTime = datetime!(2026-03-01 12:00:00 UTC);

fn officer() -> Profile {
    Profile::Officer("alice".parse().unwrap())
}

#[test]
fn a_new_ca_is_a_strict_root_with_an_empty_crl() {
    let place = Place::new();
    drop(place.ca(Ca::Internal));
    let text = place.openssl(&["x509", "-in", "internal-ca.pem", "-noout", "-text"]);
    for word in [
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
        "NIST CURVE: P-256",
    ] {
        assert!(text.contains(word), "{word} is missing in:\n{text}");
    }
    let crl = place.openssl(&["crl", "-in", "internal.crl.pem", "-noout", "-text"]);
    assert!(crl.contains("No Revoked Certificates."), "{crl}");
    assert!(crl.contains("Next Update"), "{crl}");
    place.openssl(&[
        "crl",
        "-in",
        "internal.crl.pem",
        "-noout",
        "-CAfile",
        "internal-ca.pem",
    ]);
    place.openssl(&["pkey", "-in", "internal-ca.key", "-noout", "-check"]);
}

#[test]
fn a_ca_is_not_made_twice() {
    let place = Place::new();
    drop(place.ca(Ca::Internal));
    let before = place.read("internal-ca.key");
    assert!(matches!(
        Authority::create(place.dir(), Ca::Internal, &Clock::System),
        Err(Error::Exists(_))
    ));
    assert_eq!(place.read("internal-ca.key"), before);
}

#[test]
fn the_index_survives_and_knows_what_was_issued() {
    let place = Place::new();
    let issued = place.ca(Ca::Internal).issue(&officer()).unwrap();
    let again = Authority::open(place.dir(), Ca::Internal, &Clock::System).unwrap();
    assert_eq!(again.records(), [issued.certificate.record]);
}

#[test]
fn a_revoked_certificate_is_on_the_next_crl_whose_number_grew() {
    let place = Place::new();
    let mut authority = place.ca(Ca::Internal);
    let (one, other) = (
        authority.issue(&officer()).unwrap(),
        authority.issue(&officer()).unwrap(),
    );
    one.certificate.write(&place.path("one.pem")).unwrap();
    other.certificate.write(&place.path("other.pem")).unwrap();
    let number = || place.openssl(&["crl", "-in", "internal.crl.pem", "-noout", "-crlnumber"]);
    assert_eq!(number(), "crlNumber=0x01\n");
    place
        .openssl_verify(Ca::Internal, "sslclient", "one.pem")
        .unwrap();

    authority
        .revoke_serial(&one.certificate.record.serial, Reason::Superseded)
        .unwrap();
    assert_eq!(number(), "crlNumber=0x02\n");
    let refusal = place
        .openssl_verify(Ca::Internal, "sslclient", "one.pem")
        .unwrap_err();
    assert!(refusal.contains("certificate revoked"), "{refusal}");
    place
        .openssl_verify(Ca::Internal, "sslclient", "other.pem")
        .unwrap();

    authority
        .revoke_certificate(other.certificate.pem.as_bytes(), Reason::KeyCompromise)
        .unwrap();
    assert!(
        place
            .openssl_verify(Ca::Internal, "sslclient", "other.pem")
            .is_err()
    );
    drop(authority);
    let mut again = Authority::open(place.dir(), Ca::Internal, &Clock::System).unwrap();
    again.publish_crl().unwrap();
    assert_eq!(number(), "crlNumber=0x04\n");
    assert!(
        place
            .openssl_verify(Ca::Internal, "sslclient", "one.pem")
            .is_err()
    );
}

#[test]
fn what_cannot_be_revoked_is_said() {
    let place = Place::new();
    let mut internal = place.ca(Ca::Internal);
    let mut partner = place.ca(Ca::Partner);
    let issued = internal.issue(&officer()).unwrap();
    let serial = &issued.certificate.record.serial;
    assert!(matches!(
        partner.revoke_serial(serial, Reason::Superseded),
        Err(Error::UnknownSerial(_))
    ));
    let pem = issued.certificate.pem.as_bytes();
    assert!(matches!(
        partner.revoke_certificate(pem, Reason::Superseded),
        Err(Error::NotIssuedHere(Ca::Partner))
    ));
    internal.revoke_serial(serial, Reason::Superseded).unwrap();
    assert!(matches!(
        internal.revoke_certificate(pem, Reason::Superseded),
        Err(Error::AlreadyRevoked(_))
    ));
}

#[test]
fn a_certificate_that_the_index_lost_is_revoked_by_its_file() {
    let place = Place::new();
    let mut authority = place.ca(Ca::Internal);
    let index = place.read("internal-ca.index.json");
    let lost = authority.issue(&officer()).unwrap().certificate;
    lost.write(&place.path("lost.pem")).unwrap();
    drop(authority);
    fs::write(place.path("internal-ca.index.json"), index).unwrap();
    let mut authority = Authority::open(place.dir(), Ca::Internal, &Clock::System).unwrap();
    let revoked = authority
        .revoke_certificate(lost.pem.as_bytes(), Reason::Unspecified)
        .unwrap();
    assert_eq!(
        (&revoked.serial, &revoked.names),
        (&lost.record.serial, &lost.record.names)
    );
    assert_eq!(revoked.key_fingerprint, lost.record.key_fingerprint);
    assert!(
        place
            .openssl_verify(Ca::Internal, "sslclient", "lost.pem")
            .is_err()
    );
}

#[test]
fn each_ca_signs_its_own_roles_only() {
    let place = Place::new();
    let partner = Profile::Partner("acme".parse().unwrap());
    assert!(matches!(
        place.ca(Ca::Internal).issue(&partner),
        Err(Error::WrongCa { .. })
    ));
    assert!(matches!(
        place.ca(Ca::Partner).issue(&officer()),
        Err(Error::WrongCa { .. })
    ));
}

#[test]
fn one_handle_at_a_time() {
    let place = Place::new();
    let first = place.ca(Ca::Internal);
    let open = || Authority::open(place.dir(), Ca::Internal, &Clock::System);
    assert!(matches!(open(), Err(Error::InUse(_))));
    drop(first);
    assert!(open().is_ok());
}

#[test]
fn a_ca_whose_files_do_not_fit_is_not_opened() {
    let place = Place::new();
    drop((place.ca(Ca::Internal), place.ca(Ca::Partner)));
    let open = || {
        Authority::open(place.dir(), Ca::Internal, &Clock::System)
            .err()
            .unwrap()
    };
    let own = place.read("internal-ca.pem");
    fs::copy(place.path("partner-ca.pem"), place.path("internal-ca.pem")).unwrap();
    assert!(matches!(open(), Error::CaUnfit(_)));
    fs::write(place.path("internal-ca.pem"), own).unwrap();
    fs::copy(
        place.path("partner-ca.index.json"),
        place.path("internal-ca.index.json"),
    )
    .unwrap();
    assert!(matches!(open(), Error::Index { .. }));
    fs::set_permissions(place.path("internal-ca.key"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(open(), Error::KeyFileTooOpen { mode: 0o640, .. }));
}

#[test]
fn lifetimes_follow_the_clock_and_end_with_the_ca() {
    let place = Place::new();
    let manual = ManualClock::starting_at(START);
    let clock = Clock::Manual(manual.clone());
    let mut authority = Authority::create(place.dir(), Ca::Internal, &clock).unwrap();
    let days = |record: &certs::index::Record| (record.not_after - START).whole_days();
    assert_eq!(
        days(&authority.issue(&officer()).unwrap().certificate.record),
        183
    );
    assert_eq!(
        days(
            &authority
                .issue(&Profile::GatewayClient)
                .unwrap()
                .certificate
                .record
        ),
        90
    );
    manual.advance(Duration::days(3500));
    assert!(matches!(
        authority.issue(&officer()),
        Err(Error::OutlivesCa(Ca::Internal))
    ));
    assert!(authority.issue(&Profile::GatewayClient).is_ok());
    drop(authority);
    manual.advance(Duration::days(200));
    assert!(matches!(
        Authority::open(place.dir(), Ca::Internal, &clock),
        Err(Error::CaUnfit(_))
    ));
}

#[test]
fn a_development_set_is_whole_private_and_never_overwritten() {
    let place = Place::new();
    let options = DevOptions {
        hosts: vec!["vault.internal".parse().unwrap()],
        partners: vec!["acme".parse().unwrap()],
    };
    let dir = place.path("a/b/set");
    let set = DevSet::create(&dir, &options, &Clock::System).unwrap();
    assert!(set.partner_named(&"acme".parse().unwrap()).key.is_file());
    assert!(matches!(
        DevSet::create(&dir, &options, &Clock::System),
        Err(Error::Exists(_))
    ));
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let private = path
            .extension()
            .is_some_and(|extension| extension == "key" || extension == "json");
        assert_eq!(
            mode & 0o177 == 0o000,
            private,
            "{} has mode {mode:o}",
            path.display()
        );
    }
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(place.path("a/b")).unwrap().count(), 1);
    fs::remove_file(&set.bureau.key).unwrap();
    assert!(matches!(DevSet::open(&dir), Err(Error::NotADevSet { .. })));
}

#[test]
fn a_partner_named_like_another_file_leaves_nothing_behind() {
    let place = Place::new();
    for name in ["vault", "officer-2", "partner-ca", "internal.crl", "partner"] {
        let options = DevOptions {
            partners: vec![name.parse().unwrap()],
            ..DevOptions::default()
        };
        let made = DevSet::create(&place.path("set"), &options, &Clock::System);
        assert!(matches!(made, Err(Error::NameTaken(_))), "{name}");
    }
    assert_eq!(fs::read_dir(place.dir()).unwrap().count(), 0);
}
