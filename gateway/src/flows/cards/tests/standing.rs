//! Locks, their lifting, and removal.

use super::*;

#[tokio::test]
async fn reversible_locks_need_no_vault_and_are_answered_once() {
    for desk in desks().await {
        let card = desk.card().await;
        let first = desk
            .lock(Party::User, &card, LockCode::PendingQuery, "key")
            .await
            .unwrap();
        let again = desk
            .lock(Party::User, &card, LockCode::PendingQuery, "key")
            .await
            .unwrap();
        assert_eq!(first, again);
        let reused = desk
            .lock(Party::User, &card, LockCode::SuspectedFraud, "key")
            .await;
        assert_eq!(code(reused), Code::IdempotencyKeyReused);
        assert_eq!(
            desk.state(&card).await.lock().unwrap().code,
            LockCode::PendingQuery
        );
        desk.unlock(Party::User, &card).await.unwrap();
        assert_eq!(desk.state(&card).await, CardState::Active);
        let refused = desk
            .lock(Party::User, &card, LockCode::PendingQuery, "key")
            .await
            .unwrap();
        assert_eq!(
            refused, first,
            "a replay tells the answer of then and changes nothing"
        );
        assert_eq!(desk.state(&card).await, CardState::Active);
    }
}

#[tokio::test]
async fn a_partners_lock_is_not_the_users_to_lift() {
    for desk in desks().await {
        let card = desk.card().await;
        desk.lock(Party::Partner, &card, LockCode::SuspectedFraud, "key")
            .await
            .unwrap();
        assert_eq!(code(desk.unlock(Party::User, &card).await), Code::LockNotYours);
        assert_eq!(
            code(
                desk.lock(Party::User, &card, LockCode::PendingQuery, "other")
                    .await
            ),
            Code::LockNotYours
        );
        desk.unlock(Party::Partner, &card).await.unwrap();
    }
}

#[tokio::test]
async fn lifting_code_six_waits_for_the_vaults_counter() {
    for desk in desks().await {
        let card = desk.card().await;
        desk.lock(Party::Partner, &card, LockCode::PinTriesExceeded, "key")
            .await
            .unwrap();
        assert_eq!(
            code(desk.unlock(Party::Partner, &card).await),
            Code::VaultUnavailable
        );
        assert_eq!(
            desk.state(&card).await.lock().unwrap().code,
            LockCode::PinTriesExceeded
        );
        assert_eq!(
            desk.count("idempotency").await,
            1,
            "the lock's; the unlock's key is free again"
        );
    }
}

/// The vault is away in these tests: were it asked for anything, the lock would hold.
#[tokio::test]
async fn a_users_own_code_six_is_lifted_without_the_vault() {
    for desk in desks().await {
        let card = desk.card().await;
        desk.lock(Party::User, &card, LockCode::PinTriesExceeded, "key")
            .await
            .unwrap();
        desk.unlock(Party::User, &card).await.unwrap();
        assert_eq!(desk.state(&card).await.lock(), None);
    }
}

#[tokio::test]
async fn a_removed_card_is_removed_again_without_asking() {
    for desk in desks().await {
        let card = desk.card().await;
        desk.write("UPDATE cards SET state = 'REMOVED'").await;
        let caller = desk.caller(Party::User).await;
        assert_eq!(
            remove::remove(desk.services(), &caller, card.id)
                .await
                .unwrap()
                .status,
            204
        );
        assert_eq!(
            code(desk.lock(Party::User, &card, LockCode::CardLost, "key").await),
            Code::CardRemoved
        );
        assert_eq!(code(desk.unlock(Party::User, &card).await), Code::CardRemoved);
        assert!(
            list::list(desk.services(), &caller, CardId(0), 9)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn an_ordered_card_is_not_there_for_its_user() {
    for desk in desks().await {
        let card = desk.card().await;
        desk.write("UPDATE cards SET state = 'ORDERED'").await;
        let caller = desk.caller(Party::User).await;
        assert_eq!(
            caller.card(desk.services(), card.id).await.unwrap_err().code(),
            Code::NotFound
        );
        assert_eq!(
            code(remove::remove(desk.services(), &caller, card.id).await),
            Code::NotFound
        );
    }
}
