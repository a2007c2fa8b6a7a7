//! New files are in force for the next handshake, bad ones never, and no connection is dropped for them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError};
use shared::mtls::certificate::ReloadingCertificate;
use shared::mtls::reload::{LoadError, Reload, Reloaded, watch};
use shared::mtls::trust::ReloadingTrust;
use time::Duration;

use crate::pki::{Authority, START, gateway, vault};
use crate::stand::{GATEWAY_SERIAL, Stand, VAULT_SERIAL};

fn kept(reloaded: Reloaded) -> LoadError {
    match reloaded {
        Reloaded::Kept(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_revocation_list_keeps_out_whom_it_names() {
    let stand = Stand::start();
    assert_eq!(stand.connect(stand.gateway()).who().unwrap().0, 200);
    assert!(matches!(stand.trust.reload(), Reloaded::Unchanged));

    stand.revoke(&[GATEWAY_SERIAL]);
    assert!(matches!(stand.trust.reload(), Reloaded::Replaced));

    assert_eq!(
        stand.connect(stand.gateway()).alert(),
        AlertDescription::CertificateRevoked
    );
    assert_eq!(stand.connect(stand.client(gateway(77))).who().unwrap().0, 200);
}

#[test]
fn a_client_refuses_a_vault_whose_certificate_is_revoked() {
    let stand = Stand::start();
    stand.revoke(&[VAULT_SERIAL]);
    assert!(matches!(stand.trust.reload(), Reloaded::Replaced));
    assert_eq!(
        stand.connect(stand.gateway()).refusal(),
        CertificateError::Revoked
    );
}

#[test]
fn a_bad_revocation_list_leaves_the_old_one_in_force() {
    let stand = Stand::start();
    stand.files.put(
        "lists.pem",
        &stand
            .authority
            .list(START + Duration::hours(1), &[GATEWAY_SERIAL]),
    );
    assert!(matches!(stand.trust.reload(), Reloaded::Replaced));

    let forged = Authority::new("Internal").list(START + Duration::hours(2), &[]);
    let older = stand.authority.list(START, &[]);
    let expired = stand.authority.list(START - Duration::days(7), &[]);
    let foreign = Authority::new("Stranger").list(START, &[]);
    stand.files.put("lists.pem", &forged);
    assert!(matches!(
        kept(stand.trust.reload()),
        LoadError::ListNotGenuine { .. }
    ));
    assert!(
        matches!(stand.trust.reload(), Reloaded::Unchanged),
        "tried and warned of once"
    );
    stand.files.put("lists.pem", &older);
    assert!(matches!(kept(stand.trust.reload()), LoadError::ListOlder { .. }));
    stand.files.put("lists.pem", &expired);
    assert!(matches!(
        kept(stand.trust.reload()),
        LoadError::ListExpired { .. }
    ));
    stand.files.put("lists.pem", &foreign);
    assert!(matches!(
        kept(stand.trust.reload()),
        LoadError::ListNotGenuine { .. }
    ));
    stand.files.put("lists.pem", "no list at all");
    assert!(matches!(
        kept(stand.trust.reload()),
        LoadError::ListMissing { .. }
    ));
    fs::remove_file(stand.files.path("lists.pem")).unwrap();
    assert!(matches!(kept(stand.trust.reload()), LoadError::Unreadable { .. }));

    assert_eq!(
        stand.connect(stand.gateway()).alert(),
        AlertDescription::CertificateRevoked
    );
}

#[test]
fn trust_does_not_begin_without_a_list_for_each_root() {
    let stand = Stand::start();
    let other = Authority::new("Other");
    let roots = stand
        .files
        .put("two.pem", &format!("{}{}", stand.authority.pem, other.pem));
    let error = ReloadingTrust::load(roots, stand.files.path("lists.pem"), stand.clock.clone()).unwrap_err();
    assert!(matches!(error, LoadError::ListMissing { .. }), "{error}");
}

#[test]
fn a_new_certificate_is_shown_at_the_next_handshake_and_open_connections_stay() {
    let stand = Stand::start();
    let mut open = stand.connect(stand.gateway());
    assert_eq!(open.who().unwrap().0, 200);
    let shown =
        |connection: &crate::stand::Connection| connection.session().peer_certificates().unwrap()[0].clone();
    let first = shown(&open);

    let fresh = stand.authority.issue(vault(90));
    stand.files.put("chain.pem", &fresh.chain);
    assert!(
        matches!(kept(stand.certificate.reload()), LoadError::NotAPair { .. }),
        "half of it is replaced"
    );
    let mut meanwhile = stand.connect(stand.gateway());
    assert_eq!(meanwhile.who().unwrap().0, 200);
    assert_eq!(shown(&meanwhile), first);

    stand.files.put("key.pem", &fresh.key);
    assert!(matches!(stand.certificate.reload(), Reloaded::Replaced));
    let mut next = stand.connect(stand.gateway());
    assert_eq!(next.who().unwrap().0, 200);
    assert_ne!(shown(&next), first);
    assert_eq!(stand.certificate.chain()[0], shown(&next));
    assert_eq!(open.who().unwrap().0, 200);
}

#[test]
fn an_expired_certificate_does_not_replace_a_good_one() {
    let stand = Stand::start();
    let mut wanted = vault(90);
    wanted.valid_until = START - Duration::seconds(1);
    stand.files.put_pair(&stand.authority.issue(wanted));
    assert!(matches!(
        kept(stand.certificate.reload()),
        LoadError::NotValidNow { .. }
    ));
    assert_eq!(stand.connect(stand.gateway()).who().unwrap().0, 200);
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let stand = Stand::start();
    let (chain, key) = (stand.files.path("chain.pem"), stand.files.path("key.pem"));
    for mode in [0o640, 0o604, 0o620, 0o644] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        let error = ReloadingCertificate::load(&chain, &key, stand.clock.clone()).unwrap_err();
        assert!(
            matches!(error, LoadError::KeyOpenToOthers { mode: found, .. } if found == mode),
            "{error}"
        );
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        assert!(ReloadingCertificate::load(&chain, &key, stand.clock.clone()).is_ok());
    }
}

#[test]
fn a_certificate_and_a_key_that_are_none_are_told_apart() {
    let stand = Stand::start();
    let (chain, key) = (stand.files.path("chain.pem"), stand.files.path("key.pem"));
    let load = |chain, key| ReloadingCertificate::load(chain, key, stand.clock.clone()).unwrap_err();
    assert!(matches!(
        load(&key, &key),
        LoadError::NoPem {
            expected: "certificate",
            ..
        }
    ));
    let public = stand
        .files
        .put("public.pem", &fs::read_to_string(&chain).unwrap());
    assert!(matches!(
        load(&chain, &public),
        LoadError::NoPem {
            expected: "private key",
            ..
        }
    ));
    let large = stand.files.put("large.pem", &"x".repeat(64 << 10));
    assert!(matches!(load(&chain, &large), LoadError::TooLarge { .. }));
}

#[actix_web::test]
async fn the_watch_takes_over_what_changes() {
    let stand = Stand::start();
    let before = stand.trust.lists_expire_at();
    let watched: Vec<Arc<dyn Reload>> = vec![
        Arc::clone(&stand.trust) as Arc<dyn Reload>,
        Arc::clone(&stand.certificate) as Arc<dyn Reload>,
    ];
    let watching = actix_web::rt::spawn(watch(std::time::Duration::from_millis(5), watched));
    stand.files.put(
        "lists.pem",
        &stand.authority.list(START + Duration::hours(1), &[]),
    );

    let taken_over = async {
        while stand.trust.lists_expire_at() == before {
            actix_web::rt::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    actix_web::rt::time::timeout(std::time::Duration::from_secs(10), taken_over)
        .await
        .unwrap();
    assert_eq!(stand.trust.lists_expire_at(), before + Duration::hours(1));
    watching.abort();
}
