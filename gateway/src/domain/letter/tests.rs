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
        let data = json!({ "kycStatus": "ACCEPTED", "placedBy": "PROCESSOR" });
        let letter = with(data, |facts| to_user(kind, facts)).unwrap();
        assert!(letter.text.contains("bank"), "{kind:?}");
        assert!(letter.subject.len() < 70 && letter.text.is_ascii(), "{kind:?}");
    }
    for kind in EventKind::ALL {
        let letter = with(
            json!({ "placedBy": "PROCESSOR", "kycStatus": "ACCEPTED" }),
            |facts| to_user(kind, facts),
        );
        assert_eq!(letter.is_some(), TO_USERS.contains(&kind), "{kind:?}");
    }
    for kind in EventKind::ALL {
        let letter = with(json!({}), |facts| to_partner(kind, facts));
        assert_eq!(letter.is_some(), TO_PARTNERS.contains(&kind), "{kind:?}");
    }
    for kind in TO_USERS_BY_DEFAULT {
        assert!(TO_USERS.contains(&kind));
    }
}

#[test]
fn users_hear_of_a_pending_key_until_when_it_waits_and_what_to_do() {
    let data = json!({ "maturesAt": "2026-11-24T13:00:00+01:00" });
    let letter = with(data, |facts| to_user(EventKind::HolderKeyPending, facts)).unwrap();
    assert!(letter.text.contains("before 24 November 2026, 12:00 (UTC).") && letter.text.contains("revoked"));
    assert!(is_never_left_out(EventKind::HolderKeyPending));
}

#[test]
fn nobody_is_told_of_the_own_doing_or_of_waiting() {
    for (kind, data) in [
        (EventKind::CardLocked, json!({ "placedBy": "USER" })),
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
fn plastic_of_a_card_that_is_there_is_not_to_be_activated() {
    for (kind, said) in [("PHYSICAL", "Activate it"), ("PRINT", "nothing to activate")] {
        let letter = with(json!({ "kind": kind }), |facts| {
            to_user(EventKind::CardShipped, facts)
        })
        .unwrap();
        assert!(letter.text.contains(said), "{kind}: {}", letter.text);
    }
}

#[test]
fn a_new_card_is_in_the_app_or_in_the_post() {
    for (kind, said) in [
        ("PHYSICAL", "by post"),
        ("VIRTUAL", "in the app"),
        ("DIGITAL_FIRST", "in the app"),
    ] {
        let letter = with(json!({ "type": kind }), |facts| {
            to_user(EventKind::CardReplaced, facts)
        })
        .unwrap();
        assert!(letter.text.contains(said), "{kind}: {}", letter.text);
    }
}

#[test]
fn a_partner_is_told_what_the_letter_is_to_tell_and_nothing_else() {
    let data = json!({ "webhookId": 1001, "reason": "FAILING", "further": 7 });
    let letter = with(data, |facts| to_partner(EventKind::WebhookDisabled, facts)).unwrap();
    assert!(letter.text.contains("webhook endpoint: 1001\n") && letter.text.contains("for days"));
    assert!(!letter.text.contains('7'));
}

#[test]
fn amounts_are_written_as_money() {
    for (currency, available, level) in [("EUR", "9.00 EUR", "10.00 EUR"), ("JPY", "900 JPY", "1000 JPY")] {
        let data = json!({ "currency": currency, "available": 900, "level": 1000 });
        let letter = with(data, |facts| to_partner(EventKind::PartnerBalanceLow, facts)).unwrap();
        let lines = format!("    available: {available}\n    level: {level}\n");
        assert!(letter.text.ends_with(&lines), "{}", letter.text);
    }
}

#[test]
fn a_dry_run_and_an_import_that_broke_off_are_not_called_done() {
    for (status, dry_run, said) in [
        ("DONE", false, "What became of each row"),
        ("DONE", true, "nothing was brought in"),
        ("FAILED", false, "could not go on"),
        ("FAILED", true, "could not go on"),
    ] {
        let data = json!({ "status": status, "dryRun": dry_run });
        let letter = with(data, |facts| to_partner(EventKind::ImportFinished, facts)).unwrap();
        assert!(letter.text.contains(said), "{status} {dry_run}: {}", letter.text);
    }
}
