//! Revocation and expiry reach those who are in already: by resumption and by a kept-alive connection.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{AlertDescription, HandshakeKind};
use shared::mtls::reload::{Reload, Reloaded};
use time::Duration;

use crate::pki::gateway;
use crate::stand::{Connection, GATEWAY_SERIAL, Stand};

#[test]
fn a_session_cannot_be_resumed_and_so_not_after_a_revocation() {
    let stand = Stand::start();
    let mut config = stand.gateway();
    config.resumption = Resumption::in_memory_sessions(8);
    config.enable_early_data = true;
    let config = Arc::new(config);

    for _ in 0..2 {
        let mut connection = Connection::open(stand.address, &config);
        assert_eq!(connection.who().unwrap().0, 200);
        assert_eq!(connection.session().handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(connection.session().tls13_tickets_received(), 0);
    }

    stand.revoke(&[GATEWAY_SERIAL]);
    assert!(matches!(stand.trust.reload(), Reloaded::Replaced));
    assert_eq!(
        Connection::open(stand.address, &config).alert(),
        AlertDescription::CertificateRevoked
    );
}

#[test]
fn a_kept_alive_connection_ends_with_the_revocation_of_its_certificate() {
    let stand = Stand::start();
    let mut revoked = stand.connect(stand.gateway());
    let mut other = stand.connect(stand.client(gateway(77)));
    assert_eq!(revoked.who().unwrap().0, 200);
    assert_eq!(other.who().unwrap().0, 200);

    stand.revoke(&[GATEWAY_SERIAL]);
    assert_eq!(
        revoked.who().unwrap().0,
        200,
        "the list is in force once it is loaded"
    );
    assert!(matches!(stand.trust.reload(), Reloaded::Replaced));

    assert_eq!(
        revoked.who().unwrap(),
        (401, "the client certificate is no longer accepted".to_owned())
    );
    assert!(revoked.is_closed());
    for _ in 0..2 {
        assert_eq!(other.who().unwrap().0, 200, "nobody else is disturbed");
    }
}

#[test]
fn a_kept_alive_connection_ends_when_its_root_is_no_longer_trusted() {
    let stand = Stand::start();
    let mut connection = stand.connect(stand.gateway());
    assert_eq!(connection.who().unwrap().0, 200);

    let next = crate::pki::Authority::new("Next");
    stand.files.put("roots.pem", &next.pem);
    stand.files.put("lists.pem", &next.list(crate::pki::START, &[]));
    assert!(matches!(stand.trust.reload(), Reloaded::Replaced));

    assert_eq!(connection.who().unwrap().0, 401);
    assert!(connection.is_closed());
}

#[test]
fn a_kept_alive_connection_ends_when_its_certificate_expires() {
    let stand = Stand::start();
    let mut wanted = gateway(GATEWAY_SERIAL);
    wanted.valid_until = crate::pki::START + Duration::hours(1);
    let mut connection = stand.connect(stand.client(wanted));
    stand.time.advance(Duration::hours(1));
    assert_eq!(connection.who().unwrap().0, 200, "its last second counts");

    stand.time.advance(Duration::seconds(1));

    assert_eq!(
        connection.who().unwrap(),
        (401, "the client certificate has expired".to_owned())
    );
    assert!(connection.is_closed());
}

#[test]
fn nobody_gets_or_stays_in_once_the_revocation_list_is_out_of_date() {
    let stand = Stand::start();
    let newcomer = stand.gateway();
    let mut open = stand.connect(stand.gateway());
    assert_eq!(open.who().unwrap().0, 200);

    stand.time.advance(Duration::days(7));

    assert_eq!(open.who().unwrap().0, 401);
    assert!(open.is_closed());
    assert!(stand.connect(newcomer).who().is_err());
}
