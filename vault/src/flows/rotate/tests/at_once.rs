//! JWE key, audit key and epoch change with the approval itself.

use serde_json::json;

use super::*;
use crate::flows::rotate::end_grace;

#[tokio::test]
async fn a_new_jwe_key_is_handed_out_and_the_former_opens_until_its_grace_ends() {
    let stage = Stage::new().await;
    let sealed = stage.seal(&json!({ "a": 1 }));
    let refused = stage
        .agree(Proposal::Rotate(Rotation::Jwe { grace_hours: 0 }))
        .await;
    assert!(matches!(
        refused,
        Err(Error::Conflict {
            code: "GRACE_INVALID",
            ..
        })
    ));
    let before = stage
        .vault
        .keyring()
        .jwe()
        .public_keys()
        .next()
        .unwrap()
        .thumbprint();
    stage
        .agree(Proposal::Rotate(Rotation::Jwe { grace_hours: 2 }))
        .await
        .unwrap();
    let keys: Vec<_> = stage
        .vault
        .keyring()
        .jwe()
        .public_keys()
        .map(|key| key.thumbprint())
        .collect();
    assert_eq!((keys.len(), keys[1]), (2, before));
    stage.vault.open_payload(&sealed).await.unwrap();
    assert_eq!(end_grace(&stage.vault).await.unwrap(), 0);
    stage.clock.advance(time::Duration::hours(2));
    assert_eq!(end_grace(&stage.vault).await.unwrap(), 1);
    assert_eq!(stage.vault.keyring().jwe().public_keys().count(), 1);
    assert!(stage.vault.open_payload(&sealed).await.is_err());
    let keyring = stage.vault.keyring();
    let states: Vec<KeyState> = keyring
        .versions(KeyPurpose::Jwe)
        .map(|header| header.state)
        .collect();
    assert!(matches!(
        states[..],
        [KeyState::Destroyed { .. }, KeyState::Active]
    ));
}

#[tokio::test]
async fn a_new_audit_key_is_named_in_the_log_and_the_former_can_sign_that() {
    let stage = Stage::new().await;
    stage.agree(Proposal::Rotate(Rotation::Audit)).await.unwrap();
    let keyring = stage.vault.keyring();
    let verifier =
        crate::audit::checkpoint::verifier_key(keyring.audit_key(), &stage.vault.surroundings.origin);
    let verifier = verifier.unwrap().to_string();
    let note = stage
        .vault
        .log(|log| {
            let last = log.size()? - 1;
            Ok(log.event(last)?.note.unwrap())
        })
        .unwrap();
    assert!(note.split_whitespace().any(|word| word == verifier), "{note}");
    assert_eq!(keyring.audit_keys().skip(1).count(), 1);
    stage.clock.advance(time::Duration::hours(24));
    end_grace(&stage.vault).await.unwrap();
    assert_eq!(stage.vault.keyring().audit_keys().skip(1).count(), 0);
}

#[tokio::test]
async fn a_new_epoch_is_in_force_at_once_and_after_a_start() {
    let mut stage = Stage::new().await;
    let cards = cards(&stage, 1).await;
    for expected in [2, 3] {
        stage.agree(Proposal::Rotate(Rotation::Epoch)).await.unwrap();
        assert_eq!(stage.vault.keyring().epoch(), expected);
        let keys = stage
            .vault
            .surroundings
            .store
            .scan(Tree::Keks, b"handover", Bound::Unbounded, 9);
        assert!(
            keys.unwrap().is_empty(),
            "no way leads from the former secret to this one"
        );
        (stage, ()) = stage.closed_for(|_| ()).await;
        assert_eq!(stage.vault.keyring().epoch(), expected);
        every_card_opens(&stage.vault, &cards);
    }
}

#[tokio::test]
async fn the_inventory_tells_state_age_uses_and_what_to_do() {
    let stage = Stage::new().await;
    let fresh = crate::flows::inventory::inventory(&stage.vault).unwrap();
    assert_eq!((fresh.epoch, fresh.keys.len()), (1, 5));
    assert!(
        fresh
            .keys
            .iter()
            .all(|key| key.state == "active" && key.warnings.is_empty()),
        "{fresh:?}"
    );
    let records = |inventory: &shared::vault_api::reports::KeyInventory| {
        inventory
            .keys
            .iter()
            .find(|key| key.purpose == "records")
            .unwrap()
            .clone()
    };
    assert!(records(&fresh).uses.unwrap() > 0);
    assert_eq!(records(&fresh).most_uses, Some(1 << 32));
    stage.clock.advance(time::Duration::days(366));
    let keyring = stage.vault.keyring();
    let id = keyring.versions(KeyPurpose::Records).next().unwrap().id;
    keyring.uses().begin_at(id, (1 << 32) / 5 * 4);
    let old = crate::flows::inventory::inventory(&stage.vault).unwrap();
    assert!(
        old.keys
            .iter()
            .all(|key| key.warnings[0].contains("366 days old")),
        "{old:?}"
    );
    assert!(records(&old).warnings[1].contains("80 %"));
    rotate(&stage, Rotation::Records).await;
    let after = crate::flows::inventory::inventory(&stage.vault).unwrap();
    let states: Vec<&str> = after
        .keys
        .iter()
        .filter(|key| key.purpose == "records")
        .map(|key| key.state.as_str())
        .collect();
    assert_eq!((states, after.epoch), (vec!["destroyed", "active"], 2));
}
