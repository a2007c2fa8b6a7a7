//! Each letter, word for word, about the very event that its flow writes: a member that a flow calls otherwise is missing here.

use std::collections::HashMap;
use std::sync::Arc;

use shared::money::Currency;
use shared::thumbprint::Thumbprint;
use shared::vault_api::holders::{EnrolledKey, KeyState};
use shared::vault_api::notices::NoticeKind;
use time::Duration;

use super::*;
use crate::domain::card::Card;
use crate::domain::installation::InstallationId;
use crate::domain::kyc::KycStatus;
use crate::domain::ledger::{AccountKind, LowLevel, Watch};
use crate::domain::letter::{TO_PARTNERS, TO_USERS};
use crate::domain::lock::Party;
use crate::domain::order::OrderKind;
use crate::domain::partner::CertificateId;
use crate::domain::user::User;
use crate::flows::cards::tell;
use crate::flows::imports::turn::take_a_turn;
use crate::flows::money::watch;
use crate::flows::notices::apply;
use crate::flows::notices::tests::{failed, notice, ordered, shipped, token};
use crate::flows::pair_device;
use crate::flows::partners::of_certificate;
use crate::flows::set_kyc::{Decision, set_kyc};
use crate::flows::tests::imports::received;
use crate::flows::tests::{answer, request};
use crate::flows::users::AboutUser;
use crate::flows::users::lock::{lock_user, unlock_user};
use crate::flows::webhooks::tests::{DEAD, endpoint, happen, try_due};
use crate::store::ledger::accounts::{self, Owner};
use crate::store::{partner_balances, users};
use crate::testing::Stage;

/// What stands between "Hello" and the end that all letters to users have.
const LETTERS: [(EventKind, &str); 12] = [
    (
        EventKind::HolderKeyPending,
        "On 23 November 2026, 12:00 (UTC) somebody announced a further key for your cards, as the app does when it is set up on \
         another device. With this key full card data could be shown. It is not good for anything before 24 November 2026, \
         12:00 (UTC).\n\nIf it was you, there is nothing to do.\n\nIf it was NOT you, have the key revoked: tell partner now, \
         or end the device in your app.",
    ),
    (
        EventKind::InstallationPaired,
        "On 23 November 2026, 12:00 (UTC) a device was paired with your account. If it was you, there is nothing to do.\n\nIf it \
         was not you, tell partner at once: the device can be put out.",
    ),
    (
        EventKind::UserLocked,
        "Your access was locked on 23 November 2026, 12:00 (UTC). Sessions have ended. If you do not know why, ask partner.",
    ),
    (
        EventKind::UserUnlocked,
        "Your access was unlocked on 23 November 2026, 12:00 (UTC). You can log in again.",
    ),
    (
        EventKind::KycChanged,
        "Your identity could not be confirmed. The app says what is missing; you can apply again.",
    ),
    (
        EventKind::CardLocked,
        "Your card ending in 0017 was locked on 23 November 2026, 12:00 (UTC) by the card scheme or the processor, and takes no \
         payments. If you do not know why, ask partner.",
    ),
    (
        EventKind::CardShipped,
        "Your card ending in 0017 was handed to the carrier on 23 November 2026, 12:00 (UTC). It is the card that you have in \
         the app: there is nothing to activate.",
    ),
    (
        EventKind::CardDeliveryFailed,
        "Your card ending in 0017 could not be made or delivered. It was removed. partner will be in touch with you.",
    ),
    (
        EventKind::CardReplaced,
        "Your card ending in 0017 was replaced on 23 November 2026, 12:00 (UTC). The new card comes by post.",
    ),
    (
        EventKind::CardRenewed,
        "Your card ending in 0017 was near its end and was renewed on 23 November 2026, 12:00 (UTC). Its number is the same; the \
         date of expiry and the security code are new. You find them in the app.",
    ),
    (
        EventKind::CardExpired,
        "Your card ending in 0017 has expired and takes no payments any more.",
    ),
    (
        EventKind::PinSet,
        "Your card ending in 0017: a PIN was set on 23 November 2026, 12:00 (UTC). If it was not you, lock the card in the app and \
         tell partner at once.",
    ),
];

/// What stands below "partner" and "at".
const PARTICULARS: [(EventKind, &str); 5] = [
    (
        EventKind::PartnerBalanceLow,
        "partner balance: 1002\n    kind: CREDIT\n    available: 0.00 EUR\n    level: 1234.50 EUR",
    ),
    (EventKind::WebhookDisabled, "webhook endpoint: 1001"),
    (
        EventKind::ImportFinished,
        "import: 1001\n    rows done: 2\n    rows failed: 1",
    ),
    (EventKind::CertificateIssued, "certificate: 1007"),
    (EventKind::CertificateRevoked, "certificate: 1007"),
];

#[tokio::test]
async fn each_letter_reads_as_it_should_about_the_event_that_a_flow_writes() {
    for mut stage in stages().await {
        let programs = &mut Arc::get_mut(&mut stage.services).unwrap().config.programs;
        programs.first_mut().unwrap().mails.to_users = TO_USERS.to_vec();
        let card = of_users(&stage).await;
        of_cards(&stage, &card).await;
        of_partners(&stage).await;
        let letters = letters(&stage.services).await;
        for (kind, text) in LETTERS {
            let letter = letters.get(&(kind, "user")).unwrap();
            let whole = format!("Hello,\n\n{text}\n\nThis mail was sent by Tessera for partner. Nobody");
            assert!(
                letter.starts_with(&whole),
                "{} {kind:?}:\n{letter}\n{whole}",
                stage.engine
            );
        }
        for (kind, lines) in PARTICULARS {
            let letter = letters.get(&(kind, "partner")).unwrap();
            let (_, told) = letter.split_once(" (UTC)\n    ").unwrap();
            assert_eq!(told.trim_end(), lines, "{} {kind:?}", stage.engine);
        }
        assert!(
            TO_USERS
                .iter()
                .all(|kind| LETTERS.iter().any(|(read, _)| read == kind))
        );
        assert!(
            TO_PARTNERS
                .iter()
                .all(|kind| PARTICULARS.iter().any(|(read, _)| read == kind))
        );
        let import = letters.get(&(EventKind::ImportFinished, "partner")).unwrap();
        assert!(import.contains("A dry run of a mass import"), "{}", stage.engine);
        let disabled = letters.get(&(EventKind::WebhookDisabled, "partner")).unwrap();
        assert!(
            disabled.contains("nothing has arrived there for days"),
            "{}",
            stage.engine
        );
    }
}

/// The text of the last mail about each kind of event, to a user or to a partner.
async fn letters(services: &Services) -> HashMap<(EventKind, &'static str), String> {
    hand_out(services).await.unwrap();
    let kinds: HashMap<i64, EventKind> = told(services, 0).await.into_iter().collect();
    let mut letters = HashMap::new();
    for (id, _, _, text) in waiting(services).await {
        let (number, rest) = id.trim_start_matches("<event-").split_once('.').unwrap();
        let kind = kinds.get(&number.parse().unwrap()).unwrap();
        let to = if rest.starts_with("user@") {
            "user"
        } else {
            "partner"
        };
        letters.insert((*kind, to), text);
    }
    letters
}

/// What befalls a person. Gives a card of that person, on which plastic was ordered.
async fn of_users(stage: &Stage) -> Card {
    let services = &stage.services;
    let card = ordered(stage, OrderKind::Print, &token(1)).await;
    let user = user_of(services, &card).await;
    let key = EnrolledKey {
        thumbprint: thumbprint(),
        state: KeyState::Pending,
        matures_at: Some(services.now() + Duration::days(1)),
        vault_proof: None,
    };
    let mut tx = services.db.begin().await.unwrap();
    pair_device::tell(services, &mut tx, &user, (InstallationId(1001), None), &key)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let about = AboutUser {
        user: user.id,
        by: Party::Partner,
        stamp: None,
    };
    lock_user(services, &request(None), &about, None, |_| Ok(answer()))
        .await
        .unwrap();
    unlock_user(services, &request(None), &about, |_| Ok(answer()))
        .await
        .unwrap();
    let decision = Decision {
        status: KycStatus::Rejected,
        provider: "desk".to_owned(),
        reference: "case".to_owned(),
        rejection: None,
    };
    set_kyc(services, user.id, &decision).await.unwrap();
    card
}

fn thumbprint() -> Thumbprint {
    serde_json::from_value(json!("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")).unwrap()
}

async fn user_of(services: &Services, card: &Card) -> User {
    let mut read = services.db.read().await.unwrap();
    users::find(&mut read, card.user).await.unwrap().unwrap()
}

async fn of_cards(stage: &Stage, card: &Card) {
    let services = &stage.services;
    let unmade = ordered(stage, OrderKind::Physical, &token(2)).await;
    let locked = NoticeKind::LockedOutside { code: 3 };
    for (index, kind, card, order) in [
        (1, shipped(), card, token(1)),
        (2, failed(true, true), &unmade, token(2)),
        (3, locked, card, token(1)),
    ] {
        assert!(
            apply(services, &notice(stage, index, kind, card, &order))
                .await
                .unwrap()
        );
    }
    let partner = user_of(services, card).await.partner;
    let mut tx = services.db.begin().await.unwrap();
    let physical = crate::store::cards::take(&mut tx, unmade.id)
        .await
        .unwrap()
        .unwrap();
    for event in [
        tell::replaced(&partner, &physical, card.id),
        tell::about(EventKind::CardRenewed, &partner, card),
        tell::about(EventKind::CardExpired, &partner, card),
        tell::about(EventKind::PinSet, &partner, card),
    ] {
        tell::write(services, &mut tx, &event).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn of_partners(stage: &Stage) {
    let services = &stage.services;
    let (partner, program) = ("partner".parse().unwrap(), "demo-eur".parse().unwrap());
    let now = services.now();
    let mut tx = services.db.begin().await.unwrap();
    let owner = Owner {
        partner: &partner,
        program: &program,
        currency: Currency::EUR,
    };
    let account = accounts::insert(&mut tx, owner, AccountKind::Credit, None, now).await;
    let id = partner_balances::insert(&mut tx, account.unwrap(), now)
        .await
        .unwrap();
    let level = LowLevel::new(123_450, 200_000);
    partner_balances::set_low_level(&mut tx, id, level, Watch::Armed)
        .await
        .unwrap();
    let balance = partner_balances::find(&mut tx, id).await.unwrap().unwrap();
    watch(&mut tx, &balance, now).await.unwrap();
    for kind in [EventKind::CertificateIssued, EventKind::CertificateRevoked] {
        let event = of_certificate(kind, &partner, CertificateId(1007));
        events::write(&mut tx, &event, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    received(services, true, &[Some("a"), None], None).await.unwrap();
    while take_a_turn(services).await.unwrap() {}
    // What was told so far is told before this endpoint is there.
    hand_out(services).await.unwrap();
    let endpoint = endpoint(services, DEAD, Kinds::All).await;
    happen(services, EventKind::UserCreated).await;
    for hours in [121, 0] {
        assert_eq!(try_due(services, endpoint).await, 1);
        stage.clock.advance(Duration::hours(hours));
    }
}
