//! Locked users, and what of a user may be changed.

use super::*;
use crate::domain::event::EventKind;
use crate::domain::kyc::KycStatus;
use crate::domain::lock::Party;
use crate::domain::person::{ExternalId, PersonName, PhoneNumber};
use crate::flows::create_balance::create_balance;
use crate::flows::users::AboutUser;
use crate::flows::users::lock::{lock_user, unlock_user};
use crate::flows::users::update::update_user;
use crate::store::users::Profile;

fn by(user: UserId, by: Party) -> AboutUser<'static> {
    AboutUser {
        user,
        by,
        stamp: None,
    }
}

fn nothing(_: &Profile) -> Result<Answer, Error> {
    Ok(answer())
}

async fn lock(services: &Services, user: UserId, party: Party) {
    lock_user(services, &request(None), &by(user, party), Some("lost"), nothing)
        .await
        .unwrap();
}

async fn unlock(services: &Services, user: UserId, party: Party) -> Result<Answer, Error> {
    unlock_user(services, &request(None), &by(user, party), nothing).await
}

/// How many events of this kind were written.
async fn events(services: &Services, kind: EventKind) -> i64 {
    let mut read = services.db.read().await.unwrap();
    let row = sqlx::query("SELECT COUNT(*) FROM events WHERE kind = $1")
        .bind(kind.as_str())
        .fetch_one(&mut *read)
        .await
        .unwrap();
    sqlx::Row::get(&row, 0)
}

#[tokio::test]
async fn a_lock_ends_sessions_and_codes_and_is_told_to_nobody_but_the_owner_of_the_device() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let phone = Phone::paired(services, ada).await;
        let session = phone.log_in(services, PIN).await.unwrap();
        let issued = create_activation_code(services, ada, None).await.unwrap();
        lock(services, ada, Party::Partner).await;
        assert!(!is_a_session(&stage, &session).await, "{}", stage.engine);
        let code = |refused: Result<Zeroizing<String>, Error>| refused.err().unwrap().code();
        assert_eq!(code(phone.log_in(services, PIN).await), Code::UserLocked);
        assert_eq!(
            code(phone.log_in(services, "1357").await),
            Code::AuthenticationFailed
        );
        let refused = pair_device(services, request(None), pairing(&issued.code), |_| actor()).await;
        assert_eq!(refused.err().unwrap().code(), Code::ActivationCodeInvalid);
        let refused = create_activation_code(services, ada, None).await;
        assert_eq!(refused.err().unwrap().code(), Code::UserLocked);
        let refused = create_balance(services, &request(None), (ada, None), None, |_| Ok(answer())).await;
        assert_eq!(
            refused.err().unwrap().code(),
            Code::UserLocked,
            "{}",
            stage.engine
        );

        unlock(services, ada, Party::Partner).await.unwrap();
        assert!(
            !is_a_session(&stage, &session).await,
            "an ended session came back"
        );
        phone.log_in(services, PIN).await.unwrap();
        assert_eq!(
            events(services, EventKind::UserLocked).await,
            1,
            "{}",
            stage.engine
        );
        assert_eq!(events(services, EventKind::UserUnlocked).await, 1);
    }
}

#[tokio::test]
async fn a_partner_does_not_lift_an_operators_lock_and_a_second_lock_changes_nothing() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        lock(services, ada, Party::Partner).await;
        lock(services, ada, Party::Operator).await;
        lock(services, ada, Party::Partner).await;
        let refused = unlock(services, ada, Party::Partner).await.err().unwrap();
        assert_eq!(refused.code(), Code::LockNotYours, "{}", stage.engine);
        unlock(services, ada, Party::Operator).await.unwrap();
        unlock(services, ada, Party::Partner).await.unwrap();
        assert_eq!(
            events(services, EventKind::UserLocked).await,
            2,
            "{}",
            stage.engine
        );
        assert_eq!(events(services, EventKind::UserUnlocked).await, 1);
    }
}

#[tokio::test]
async fn an_established_identity_is_not_renamed_and_all_else_may_change() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let mut moved = person();
        moved.phone_number = PhoneNumber::parse("+48600999999").unwrap();
        moved.address = None;
        let mut renamed = moved.clone();
        renamed.last_name = PersonName::parse("Newname").unwrap();
        let name = ExternalId::parse("ext-1").unwrap();
        for (status, refused) in [
            (KycStatus::InProgress, Some(Code::KycInProgress)),
            (KycStatus::Accepted, Some(Code::KycAccepted)),
            (KycStatus::Rejected, None),
        ] {
            let mut tx = services.db.begin().await.unwrap();
            users::set_kyc(&mut tx, ada, status).await.unwrap();
            tx.commit().await.unwrap();
            let profile = update_user(services, ada, &moved, Some(&name)).await.unwrap();
            assert_eq!(profile.phone_number, "+48600999999", "{}", stage.engine);
            assert!(profile.address.is_none() && profile.external_id.as_deref() == Some("ext-1"));
            let told = update_user(services, ada, &renamed, None).await;
            assert_eq!(told.err().map(|error| error.code()), refused, "{}", stage.engine);
        }
        let bob = user(&services.db, "partner", 2).await;
        update_user(services, ada, &renamed, Some(&name)).await.unwrap();
        let taken = update_user(services, bob, &moved, Some(&name))
            .await
            .err()
            .unwrap();
        assert_eq!(taken.code(), Code::ExternalIdTaken, "{}", stage.engine);
    }
}
