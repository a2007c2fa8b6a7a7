use serde_json::json;
use time::macros::datetime;

use super::*;

fn with<T>(data: Value, look: impl FnOnce(&Facts<'_>) -> T) -> T {
    let Value::Object(data) = data else {
        panic!("no object")
    };
    look(&Facts {
        partner: "bank",
        at: datetime!(2026-11-23 12:00 UTC),
        last_four: Some("0017"),
        data: &data,
    })
}

#[test]
fn every_kind_that_can_be_chosen_has_a_letter() {
    for kind in TO_USERS {
        let data = json!({ "kycStatus": "ACCEPTED", "by": "PROCESSOR" });
        let letter = with(data, |facts| to_user(kind, facts)).unwrap();
        assert!(letter.text.contains("bank"), "{kind:?}");
        assert!(letter.subject.len() < 70 && letter.text.is_ascii(), "{kind:?}");
    }
    for kind in EventKind::ALL {
        let letter = with(json!({ "by": "PROCESSOR", "kycStatus": "ACCEPTED" }), |facts| {
            to_user(kind, facts)
        });
        assert_eq!(letter.is_some(), TO_USERS.contains(&kind), "{kind:?}");
    }
    for kind in TO_USERS_BY_DEFAULT {
        assert!(TO_USERS.contains(&kind));
    }
}

#[test]
fn users_hear_of_a_pending_key_until_when_it_waits_and_what_to_do() {
    let data = json!({ "maturesAt": "2026-11-24T12:00:00Z" });
    let letter = with(data, |facts| to_user(EventKind::HolderKeyPending, facts)).unwrap();
    assert!(letter.text.contains("2026-11-24T12:00:00Z") && letter.text.contains("revoked"));
    assert!(is_never_left_out(EventKind::HolderKeyPending));
}

#[test]
fn nobody_is_told_of_the_own_doing_or_of_waiting() {
    for (kind, data) in [
        (EventKind::CardLocked, json!({ "by": "USER" })),
        (EventKind::CardLocked, json!({})),
        (EventKind::KycChanged, json!({ "kycStatus": "IN_PROGRESS" })),
        (EventKind::TransactionPosted, json!({})),
    ] {
        assert_eq!(with(data, |facts| to_user(kind, facts)), None);
    }
}

#[test]
fn a_card_is_named_by_its_last_four_digits() {
    let letter = with(json!({}), |facts| to_user(EventKind::CardExpired, facts)).unwrap();
    assert!(letter.text.contains("ending in 0017"));
}

#[test]
fn a_partner_is_told_the_particulars() {
    let data = json!({ "webhookId": 1001, "reason": "FAILING", "nested": { "x": 1 } });
    let letter = with(data, |facts| to_partner(EventKind::WebhookDisabled, facts)).unwrap();
    assert!(letter.text.contains("webhookId: 1001") && letter.text.contains("reason: FAILING"));
    assert!(!letter.text.contains("nested"));
    assert_eq!(
        with(json!({}), |facts| to_partner(EventKind::CardCreated, facts)),
        None
    );
}
