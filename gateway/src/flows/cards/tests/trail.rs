//! What operators do with cards is in the trail, with what came of it; what others do is not.

use super::*;
use crate::domain::lock::Lock;
use crate::domain::operator::{Login, Operator, OperatorId, OperatorState, Role, Scope};
use crate::flows::cards::{lock, reset_cvv_unseen, unlock};
use crate::store::audit::{self, Stamp};
use crate::store::card_requests::{FinalLock, begin, take_overdue};

fn operator(role: Role) -> Operator {
    Operator {
        id: OperatorId(1001),
        login: Login::parse("ada@bank.example").unwrap(),
        role,
        scope: Scope::Platform,
        state: OperatorState::Active,
    }
}

/// The operator of the trail's entries has to be there.
async fn employed(desk: &Desk) {
    let mut tx = desk.services().db.begin().await.unwrap();
    crate::store::operators::insert(&mut tx, &operator(Role::Employee), NOON)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn acting(desk: &Desk, card: &Card, action: &str) -> CardCaller {
    let caller = desk.caller(Party::Operator).await;
    let stamp = Stamp::by(&operator(Role::Employee), action).about_user(&caller.user);
    caller.stamped(Some(stamp.about_card(card.id)))
}

async fn trail(desk: &Desk) -> Vec<String> {
    let mut read = desk.services().db.read().await.unwrap();
    let entries = audit::list(&mut read, &Scope::Platform, 0, 99).await.unwrap();
    let told = |entry: audit::Entry| {
        assert_eq!(entry.user, Some(desk.user));
        let detail = entry
            .detail
            .map(|detail| format!(" {detail}"))
            .unwrap_or_default();
        format!("{} {}{detail}", entry.action, entry.outcome)
    };
    entries.into_iter().map(told).collect()
}

#[tokio::test]
async fn a_lock_and_its_lifting_are_written_with_their_effect() {
    for desk in desks().await {
        employed(&desk).await;
        let card = desk.card().await;
        let (services, code) = (desk.services(), LockCode::SuspectedFraud);
        let caller = acting(&desk, &card, "LOCK_CARD").await;
        for _ in 0..2 {
            let locked = lock::lock(services, &caller, card.id, code, &request("lock", 1)).await;
            let body: serde_json::Value = serde_json::from_slice(&locked.unwrap().body).unwrap();
            assert_eq!(
                body["allowedActions"],
                serde_json::json!(["RESET_CVV", "LOCK", "UNLOCK", "SET_RENEWAL"])
            );
        }
        let caller = acting(&desk, &card, "UNLOCK_CARD").await;
        unlock::unlock(services, &caller, card.id, &request("unlock", 1))
            .await
            .unwrap();
        let user = desk.caller(Party::User).await;
        lock::lock(services, &user, card.id, code, &request("users", 1))
            .await
            .unwrap();
        let expected = ["LOCK_CARD DONE code 7", "UNLOCK_CARD DONE code 7"];
        assert_eq!(trail(&desk).await, expected, "{}", desk.stage.engine);
    }
}

#[tokio::test]
async fn what_the_vault_was_not_there_for_is_written_as_refused() {
    for desk in desks().await {
        employed(&desk).await;
        let card = desk.card().await;
        let caller = acting(&desk, &card, "LOCK_CARD").await;
        let request_1 = request("lock", 1);
        let away = lock::lock(desk.services(), &caller, card.id, LockCode::CardLost, &request_1).await;
        assert_eq!(code(away), Code::VaultUnavailable);
        assert_eq!(
            trail(&desk).await,
            ["LOCK_CARD REFUSED code 1"],
            "{}",
            desk.stage.engine
        );
    }
}

#[tokio::test]
async fn a_reset_that_nobody_sees_is_written_before_and_after() {
    for desk in desks().await {
        employed(&desk).await;
        let card = desk.card().await;
        let caller = acting(&desk, &card, "RESET_CVV").await;
        let reset = async |card: &Card| {
            let request = request("reset", 1);
            reset_cvv_unseen::reset_cvv_unseen(desk.services(), &caller, card, recipient(), &request).await
        };
        assert_eq!(code(reset(&card).await), Code::VaultUnavailable);
        let mut gone = card.clone();
        gone.standing.state = CardState::Removed;
        assert_eq!(code(reset(&gone).await), Code::CardRemoved);
        let expected = ["RESET_CVV ASKED", "RESET_CVV REFUSED", "RESET_CVV REFUSED"];
        assert_eq!(trail(&desk).await, expected, "{}", desk.stage.engine);
        assert_eq!(desk.count("idempotency").await, 0, "{}", desk.stage.engine);
    }
}

#[tokio::test]
async fn work_that_a_crash_left_keeps_its_entry() {
    for desk in desks().await {
        let card = desk.card().await;
        let caller = acting(&desk, &card, "LOCK_CARD").await;
        let lock = Lock {
            code: LockCode::CardLost,
            placed_by: Party::Operator,
            placed_at: NOON,
        };
        let call = shared::vault_api::cards::LockFinally {
            code: 1,
            actor: caller.actor.clone(),
        };
        let task = Task::Lock(FinalLock::new(card.token.clone(), lock, call));
        let key = desk.services().vault_key().unwrap();
        let stamp = caller.stamp.clone();
        let mut tx = desk.services().db.begin().await.unwrap();
        begin(&mut tx, card.id, None, key, task, stamp, NOON)
            .await
            .unwrap();
        let later = NOON + time::Duration::minutes(2);
        let left = take_overdue(&mut tx, later, 9).await.unwrap().pop().unwrap();
        let left = left.map_err(|(_, error)| error).unwrap();
        assert_eq!(left.stamp, caller.stamp, "{}", desk.stage.engine);
        assert_eq!(left.stamp.unwrap().role(), Some(Role::Employee));
    }
}
