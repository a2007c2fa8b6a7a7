use shared::public_key::HolderKey;
use time::Duration;

use super::people::user;
use super::*;
use crate::domain::installation::{DeviceId, InstallationId};
use crate::domain::user::UserId;
use crate::store::activation_codes::{self, NewCode};
use crate::store::installations::{self, NewInstallation};
use crate::store::sessions;

const LATER: OffsetDateTime = datetime!(2026-11-23 12:10 UTC);

fn key() -> HolderKey {
    // The example of RFC 7517 appendix A.1.
    HolderKey::from_jwk(&serde_json::json!({
        "kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }))
    .unwrap()
}

async fn install(tx: &mut Tx, user: UserId, device: &str) -> InstallationId {
    let device = DeviceId::parse(device).unwrap();
    let new = NewInstallation {
        user,
        device: &device,
        device_name: None,
        key: &key(),
        pin_hash: "$hash",
    };
    installations::replace(tx, &new, NOON).await.unwrap().0
}

fn code(user: UserId, selector: &str) -> NewCode<'_> {
    NewCode {
        user,
        selector,
        secret_hash: [1; 32],
        vault_key: [2; 32],
        enrolment_ticket: None,
        tries: 2,
        expires_at: LATER,
    }
}

#[tokio::test]
async fn a_new_activation_code_voids_the_earlier_one() {
    for test in databases().await {
        let ada = user(&test.db, "acme", 1).await;
        let mut tx = test.db.begin().await.unwrap();
        activation_codes::replace(&mut tx, &code(ada, "AAAA"), NOON)
            .await
            .unwrap();
        activation_codes::replace(&mut tx, &code(ada, "BBBB"), NOON)
            .await
            .unwrap();
        assert!(
            activation_codes::find(&mut tx, "AAAA").await.unwrap().is_none(),
            "{}",
            test.engine
        );
        let found = activation_codes::find(&mut tx, "BBBB").await.unwrap().unwrap();
        assert_eq!(
            (found.user.id, found.secret_hash, found.expires_at),
            (ada, [1; 32], LATER)
        );
    }
}

#[tokio::test]
async fn an_activation_code_has_so_many_tries_and_is_spent_once() {
    for test in databases().await {
        let ada = user(&test.db, "acme", 1).await;
        let mut tx = test.db.begin().await.unwrap();
        activation_codes::replace(&mut tx, &code(ada, "AAAA"), NOON)
            .await
            .unwrap();
        let id = activation_codes::find(&mut tx, "AAAA").await.unwrap().unwrap().id;
        for left in [true, true, false] {
            assert_eq!(
                activation_codes::take_try(&mut tx, id).await.unwrap(),
                left,
                "{}",
                test.engine
            );
        }
        activation_codes::return_try(&mut tx, id).await.unwrap();
        assert!(activation_codes::take_try(&mut tx, id).await.unwrap());
        assert!(activation_codes::spend(&mut tx, id).await.unwrap());
        assert!(!activation_codes::spend(&mut tx, id).await.unwrap());
    }
}

#[tokio::test]
async fn pairing_a_device_again_ends_the_former_installation_and_its_sessions_alone() {
    for test in databases().await {
        let (ada, bob) = (user(&test.db, "acme", 1).await, user(&test.db, "acme", 2).await);
        let mut tx = test.db.begin().await.unwrap();
        let former = install(&mut tx, ada, "phone").await;
        let tablet = install(&mut tx, ada, "tablet").await;
        let other = install(&mut tx, bob, "phone").await;
        for (token, installation) in [(1, former), (2, tablet), (3, other)] {
            sessions::insert(&mut tx, &[token; 32], installation, None, LATER)
                .await
                .unwrap();
        }
        let new = install(&mut tx, ada, "phone").await;
        assert_ne!(new, former);
        assert!(
            installations::find(&mut tx, former).await.unwrap().is_none(),
            "{}",
            test.engine
        );
        assert_eq!(
            installations::find(&mut tx, new).await.unwrap().unwrap().key,
            key()
        );
        for (token, lives) in [(1, false), (2, true), (3, true)] {
            let session = sessions::find(&mut tx, &[token; 32], NOON).await.unwrap();
            assert_eq!(session.is_some(), lives, "{} {token}", test.engine);
        }
    }
}

#[tokio::test]
async fn a_session_ends_on_time() {
    for test in databases().await {
        let ada = user(&test.db, "acme", 1).await;
        let mut tx = test.db.begin().await.unwrap();
        let phone = install(&mut tx, ada, "phone").await;
        sessions::insert(&mut tx, &[1; 32], phone, Some(9), LATER)
            .await
            .unwrap();
        let last = LATER - Duration::milliseconds(1);
        let session = sessions::find(&mut tx, &[1; 32], last).await.unwrap().unwrap();
        assert_eq!(
            (session.user.id, session.installation),
            (ada, phone),
            "{}",
            test.engine
        );
        assert!(sessions::find(&mut tx, &[1; 32], LATER).await.unwrap().is_none());
        let renewed = sessions::replace_token(&mut tx, 9, &[2; 32], last).await.unwrap();
        assert_eq!(renewed, Some((phone, LATER)), "{}", test.engine);
        assert!(
            sessions::find(&mut tx, &[1; 32], NOON).await.unwrap().is_none(),
            "the former token"
        );
        assert_eq!(
            sessions::replace_token(&mut tx, 9, &[3; 32], LATER)
                .await
                .unwrap(),
            None
        );
        assert_eq!(sessions::sweep(&mut tx, LATER).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_login_challenge_is_answered_once_in_time_by_its_installation() {
    for test in databases().await {
        let (mine, other) = (InstallationId(1), InstallationId(2));
        let mut tx = test.db.begin().await.unwrap();
        sessions::insert_challenge(&mut tx, &[1; 32], mine, LATER)
            .await
            .unwrap();
        assert!(
            !sessions::spend_challenge(&mut tx, &[1; 32], other, NOON)
                .await
                .unwrap()
        );
        assert!(
            !sessions::spend_challenge(&mut tx, &[1; 32], mine, LATER)
                .await
                .unwrap()
        );
        assert!(
            sessions::spend_challenge(&mut tx, &[1; 32], mine, NOON)
                .await
                .unwrap(),
            "{}",
            test.engine
        );
        assert!(
            !sessions::spend_challenge(&mut tx, &[1; 32], mine, NOON)
                .await
                .unwrap()
        );
    }
}

#[tokio::test]
async fn wrong_pins_lock_an_installation_each_time_for_longer() {
    const LOCK: i64 = 60_000;
    for test in databases().await {
        let ada = user(&test.db, "acme", 1).await;
        let mut tx = test.db.begin().await.unwrap();
        let phone = install(&mut tx, ada, "phone").await;
        let mut now = NOON;
        for _ in 0..3 {
            assert!(
                installations::take_pin_try(&mut tx, phone, 3, LOCK, now)
                    .await
                    .unwrap()
            );
        }
        for minutes in 1..4 {
            let locked_until = installations::find(&mut tx, phone)
                .await
                .unwrap()
                .unwrap()
                .locked_until;
            assert_eq!(locked_until - now, Duration::minutes(minutes), "{}", test.engine);
            assert!(
                !installations::take_pin_try(&mut tx, phone, 3, LOCK, now)
                    .await
                    .unwrap()
            );
            now = locked_until;
            assert!(
                installations::take_pin_try(&mut tx, phone, 3, LOCK, now)
                    .await
                    .unwrap()
            );
        }
        assert!(installations::clear_pin_tries(&mut tx, phone).await.unwrap());
        assert!(
            installations::take_pin_try(&mut tx, phone, 3, LOCK, now)
                .await
                .unwrap()
        );
    }
}

#[tokio::test]
async fn the_key_of_a_replaced_installation_is_due_until_the_vault_knows_unless_it_is_in_use() {
    let other = HolderKey::from_jwk(&serde_json::json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }))
    .unwrap();
    for test in databases().await {
        let ada = user(&test.db, "acme", 1).await;
        let mut tx = test.db.begin().await.unwrap();
        let former = install(&mut tx, ada, "phone").await;
        install(&mut tx, ada, "phone").await;
        assert!(
            installations::keys_due(&mut tx, 10).await.unwrap().is_empty(),
            "the same key again"
        );
        let device = DeviceId::parse("phone").unwrap();
        let new = NewInstallation {
            user: ada,
            device: &device,
            device_name: None,
            key: &other,
            pin_hash: "$hash",
        };
        let (latest, _) = installations::replace(&mut tx, &new, NOON).await.unwrap();
        let due = installations::keys_due(&mut tx, 10).await.unwrap();
        assert_eq!(due.len(), 1, "{}", test.engine);
        assert_eq!(due[0].key, key());
        assert!(due[0].installation > former && due[0].installation < latest);
        installations::key_revoked(&mut tx, due[0].installation)
            .await
            .unwrap();
        assert!(
            installations::keys_due(&mut tx, 10).await.unwrap().is_empty(),
            "{}",
            test.engine
        );
    }
}

#[tokio::test]
async fn a_key_that_is_paired_again_before_the_vault_knows_is_not_due_any_more() {
    for test in databases().await {
        let ada = user(&test.db, "acme", 1).await;
        let device = DeviceId::parse("phone").unwrap();
        let stray = NewInstallation {
            user: ada,
            device: &device,
            device_name: None,
            key: &key(),
            pin_hash: "$hash",
        };
        let mut tx = test.db.begin().await.unwrap();
        installations::note_stray_key(&mut tx, &stray, NOON)
            .await
            .unwrap();
        let due = installations::keys_due(&mut tx, 10).await.unwrap();
        assert_eq!(due.len(), 1, "{}", test.engine);
        let id = due[0].installation;
        assert!(
            installations::find(&mut tx, id).await.unwrap().is_none(),
            "nobody logs in with it"
        );
        assert!(installations::is_key_due(&mut tx, id).await.unwrap());
        install(&mut tx, ada, "tablet").await;
        assert!(
            !installations::is_key_due(&mut tx, id).await.unwrap(),
            "{}",
            test.engine
        );
    }
}
