use shared::ids::HolderToken;
use time::Duration;

use super::*;
use crate::domain::balance::BalanceId;
use crate::domain::kyc::KycStatus;
use crate::domain::person::{BirthDate, Country, Email, ExternalId, Person, PersonName, PhoneNumber};
use crate::domain::user::UserId;
use crate::store::users::{NewUser, PendingUser, Registered};
use crate::store::{balances, kyc, users};

/// A person with an address.
pub(crate) fn person() -> Person {
    Person {
        email: Email::parse("ada@mail.example").unwrap(),
        phone_number: PhoneNumber::parse("+48600100200").unwrap(),
        first_name: PersonName::parse("Ada").unwrap(),
        last_name: PersonName::parse("Example").unwrap(),
        date_of_birth: BirthDate::parse("1990-12-10", NOON).unwrap(),
        nationality: Country::parse("PL").unwrap(),
        address: Some(shared::vault_api::cards::PostalAddress {
            line1: "Test Street 1".to_owned(),
            line2: None,
            city: "Warsaw".to_owned(),
            postal_code: "00-001".to_owned(),
            country: "PL".to_owned(),
        }),
    }
}

async fn pending(
    db: &Db,
    partner: &str,
    external_id: Option<&str>,
    request: Option<i64>,
) -> Result<PendingUser, StoreError> {
    pending_in(db, (partner, "demo-eur"), external_id, request).await
}

async fn pending_in(
    db: &Db,
    (partner, program): (&str, &str),
    external_id: Option<&str>,
    request: Option<i64>,
) -> Result<PendingUser, StoreError> {
    let external_id = external_id.map(|id| ExternalId::parse(id).unwrap());
    let new = NewUser {
        partner: &partner.parse().unwrap(),
        program: &program.parse().unwrap(),
        external_id: external_id.as_ref(),
        person: &person(),
        vault_key: "vault-key".parse().unwrap(),
        request,
        import: None,
    };
    let mut tx = db.begin().await.unwrap();
    let pending = users::insert_pending(&mut tx, &new, NOON).await?;
    tx.commit().await.unwrap();
    Ok(pending)
}

/// An active user of `partner`.
pub(crate) async fn user(db: &Db, partner: &str, holder: u8) -> UserId {
    user_in(db, (partner, "demo-eur"), holder).await
}

/// An active user in a program of `partner`.
pub(crate) async fn user_in(db: &Db, of: (&str, &str), holder: u8) -> UserId {
    let pending = pending_in(db, of, None, None).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let holder = HolderToken::from_random(&[holder; 16]).unwrap();
    assert!(users::activate(&mut tx, pending.id, &holder).await.unwrap());
    tx.commit().await.unwrap();
    pending.id
}

#[tokio::test]
async fn a_user_is_shown_to_nobody_before_the_vault_knows_them() {
    for test in databases().await {
        let pending = pending(&test.db, "acme", None, Some(7)).await.unwrap();
        let partner = "acme".parse().unwrap();
        let mut tx = test.db.begin().await.unwrap();
        assert!(
            users::find_of_partner(&mut tx, &partner, pending.id)
                .await
                .unwrap()
                .is_none()
        );
        assert!(users::profile(&mut tx, pending.id).await.unwrap().is_none());
        assert_eq!(
            users::of_request(&mut tx, 7).await.unwrap(),
            Some(Registered::Pending(pending.clone()))
        );
        let holder = HolderToken::from_random(&[1; 16]).unwrap();
        assert!(users::activate(&mut tx, pending.id, &holder).await.unwrap());
        assert!(
            !users::activate(&mut tx, pending.id, &holder).await.unwrap(),
            "once"
        );
        assert_eq!(
            users::of_request(&mut tx, 7).await.unwrap(),
            Some(Registered::Active(pending.id))
        );
        let user = users::find_of_partner(&mut tx, &partner, pending.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (user.holder, user.kyc),
            (holder, KycStatus::None),
            "{}",
            test.engine
        );
        let stranger = "other".parse().unwrap();
        assert!(
            users::find_of_partner(&mut tx, &stranger, pending.id)
                .await
                .unwrap()
                .is_none()
        );
        let profile = users::profile(&mut tx, pending.id).await.unwrap().unwrap();
        assert_eq!(profile.address, person().address);
        assert_eq!(profile.date_of_birth, "1990-12-10");
    }
}

#[tokio::test]
async fn an_external_id_is_taken_once_by_each_partner() {
    for test in databases().await {
        pending(&test.db, "acme", Some("ext-1"), None).await.unwrap();
        let again = pending(&test.db, "acme", Some("ext-1"), None).await;
        assert!(matches!(again, Err(StoreError::Duplicate)), "{}", test.engine);
        pending(&test.db, "other", Some("ext-1"), None).await.unwrap();
        pending(&test.db, "acme", None, None).await.unwrap();
        pending(&test.db, "acme", None, None).await.unwrap();
    }
}

#[tokio::test]
async fn only_pending_rows_are_found_by_age_and_deleted() {
    for test in databases().await {
        let active = user(&test.db, "acme", 1).await;
        let waiting = pending(&test.db, "acme", None, None).await.unwrap();
        let mut tx = test.db.begin().await.unwrap();
        assert!(
            users::pending_since(&mut tx, NOON, UserId(0), 10)
                .await
                .unwrap()
                .is_empty()
        );
        let later = NOON + Duration::seconds(1);
        assert_eq!(
            users::pending_since(&mut tx, later, UserId(0), 10).await.unwrap(),
            vec![waiting.clone()],
            "{}",
            test.engine
        );
        users::delete_pending(&mut tx, waiting.id).await.unwrap();
        users::delete_pending(&mut tx, active).await.unwrap();
        assert!(users::find(&mut tx, active).await.unwrap().is_some());
        assert!(
            users::pending_since(&mut tx, later, UserId(0), 10)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn the_last_event_and_the_user_tell_the_same_kyc_status() {
    for test in databases().await {
        let id = user(&test.db, "acme", 1).await;
        let mut tx = test.db.begin().await.unwrap();
        assert!(kyc::latest(&mut tx, id).await.unwrap().is_none());
        for status in [KycStatus::InProgress, KycStatus::Accepted] {
            let event = kyc::Event {
                user: id,
                status,
                source: kyc::Source::User,
                provider: None,
                reference: None,
                application: Some("{}"),
                rejection: None,
            };
            kyc::insert(&mut tx, &event, NOON).await.unwrap();
            users::set_kyc(&mut tx, id, status).await.unwrap();
            assert_eq!(
                kyc::latest(&mut tx, id).await.unwrap().unwrap().status,
                status,
                "{}",
                test.engine
            );
            assert_eq!(
                users::find_for_update(&mut tx, id).await.unwrap().unwrap().kyc,
                status
            );
        }
    }
}

#[tokio::test]
async fn balances_are_their_users_own_and_listed_in_order() {
    for test in databases().await {
        let (ada, bob) = (user(&test.db, "acme", 1).await, user(&test.db, "acme", 2).await);
        let program = "demo-eur".parse().unwrap();
        let (euro, zloty) = ("EUR".parse().unwrap(), "PLN".parse().unwrap());
        let mut tx = test.db.begin().await.unwrap();
        let first = balances::insert(&mut tx, ada, &program, euro, NOON)
            .await
            .unwrap();
        let second = balances::insert(&mut tx, ada, &program, zloty, NOON)
            .await
            .unwrap();
        assert_eq!(first.id, BalanceId(1001), "{}", test.engine);
        assert_eq!(
            balances::find(&mut tx, ada, first.id).await.unwrap(),
            Some(first.clone())
        );
        assert_eq!(balances::find(&mut tx, bob, first.id).await.unwrap(), None);
        assert_eq!(
            balances::list(&mut tx, ada, 0, 10).await.unwrap(),
            vec![first.clone(), second.clone()]
        );
        assert_eq!(
            balances::list(&mut tx, ada, first.id.0, 10).await.unwrap(),
            vec![second]
        );
        assert_eq!(balances::list(&mut tx, ada, 0, 1).await.unwrap(), vec![first]);
        assert!(balances::has_one_in(&mut tx, ada, zloty).await.unwrap());
        assert!(!balances::has_one_in(&mut tx, bob, euro).await.unwrap());
    }
}

#[tokio::test]
async fn a_sum_below_zero_is_not_written() {
    for test in databases().await {
        let ada = user(&test.db, "acme", 1).await;
        let mut tx = test.db.begin().await.unwrap();
        let euro = "EUR".parse().unwrap();
        balances::insert(&mut tx, ada, &"demo-eur".parse().unwrap(), euro, NOON)
            .await
            .unwrap();
        let below = sqlx::query("UPDATE accounts SET debits_pending = -1")
            .execute(&mut *tx)
            .await;
        assert!(below.is_err(), "{}", test.engine);
    }
}
