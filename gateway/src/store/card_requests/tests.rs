use shared::ids::HolderToken;
use shared::vault_api::cards::IssueCard;
use shared::vault_api::{Actor, Channel};

use super::*;
use crate::domain::card::NewCard;
use crate::store::balances;
use crate::store::cards::tests::{a_card, user_with_balance};
use crate::store::tests::{NOON, databases};

fn removal(card: &crate::domain::card::Card) -> Task {
    let actor = Actor {
        channel: Channel::Customers,
        subject: None,
        device: None,
        trace_id: None,
    };
    Task::Remove(Remove {
        card: card.token.clone(),
        call: CardOperation { actor },
    })
}

fn final_lock(card: &crate::domain::card::Card) -> (Lock, Task) {
    let lock = Lock {
        code: LockCode::CardStolen,
        placed_by: Party::Partner,
        placed_at: NOON,
    };
    let actor = Actor {
        channel: Channel::Secure,
        subject: None,
        device: None,
        trace_id: None,
    };
    let call = LockFinally {
        code: lock.code.number(),
        actor,
    };
    (lock, Task::Lock(FinalLock::new(card.token.clone(), lock, call)))
}

fn key(text: &str) -> IdempotencyKey {
    text.parse().unwrap()
}

#[tokio::test]
async fn work_is_found_again_by_its_entry_and_struck_off_once() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        let card = a_card(&test.db, user, balance).await;
        let (lock, task) = final_lock(&card);
        let mut tx = test.db.begin().await.unwrap();
        let begun = begin(&mut tx, card.id, Some(7), key("k"), task, None, NOON)
            .await
            .unwrap();
        tx.commit().await.unwrap();

        let mut tx = test.db.begin().await.unwrap();
        assert!(resume(&mut tx, None, None, NOON).await.unwrap().is_none());
        assert!(resume(&mut tx, Some(8), None, NOON).await.unwrap().is_none());
        let found = resume(&mut tx, Some(7), None, NOON).await.unwrap().unwrap();
        assert_eq!(
            (found.id, found.card, found.entry),
            (begun.id, card.id, Some(7)),
            "{}",
            test.engine
        );
        assert_eq!(found.vault_key, key("k"));
        let Task::Lock(found_lock) = &found.task else {
            panic!("another task")
        };
        assert_eq!(found_lock.lock().unwrap(), lock);
        assert_eq!(found_lock.card(), &card.token);
        assert!(strike(&mut tx, begun.id).await.unwrap(), "{}", test.engine);
        assert!(!strike(&mut tx, begun.id).await.unwrap(), "{}", test.engine);
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_holds_up_no_other() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        let card = a_card(&test.db, user, balance).await;
        let mut tx = test.db.begin().await.unwrap();
        let poison = begin(&mut tx, card.id, None, key("k"), removal(&card), None, NOON)
            .await
            .unwrap();
        sqlx::query("UPDATE card_requests SET task = '{}'")
            .execute(&mut *tx)
            .await
            .unwrap();
        let sound = begin(&mut tx, card.id, None, key("k"), removal(&card), None, NOON)
            .await
            .unwrap();
        let taken = take_overdue(&mut tx, NOON + PATIENCE, 9).await.unwrap();
        let (mut read, mut unreadable) = (Vec::new(), Vec::new());
        for work in taken {
            match work {
                Ok(work) => read.push(work.id),
                Err((id, _)) => unreadable.push(id),
            }
        }
        assert_eq!(
            (read, unreadable),
            (vec![sound.id], vec![poison.id]),
            "{}",
            test.engine
        );
    }
}

#[tokio::test]
async fn the_job_keeps_off_what_the_client_has_taken_up_again() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        let card = a_card(&test.db, user, balance).await;
        let mut tx = test.db.begin().await.unwrap();
        begin(&mut tx, card.id, Some(7), key("k"), removal(&card), None, NOON)
            .await
            .unwrap();
        let later = NOON + Duration::seconds(59);
        let work = resume(&mut tx, Some(7), None, later).await.unwrap().unwrap();
        assert_eq!(work.began, NOON);
        for (at, count) in [(NOON + PATIENCE, 0), (later + PATIENCE, 1)] {
            let taken = take_overdue(&mut tx, at, 9).await.unwrap();
            assert_eq!(taken.len(), count, "{}", test.engine);
        }
    }
}

#[tokio::test]
async fn the_job_takes_what_is_overdue_and_not_again_at_once() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        let card = a_card(&test.db, user, balance).await;
        let mut tx = test.db.begin().await.unwrap();
        for age in 0..3 {
            let at = NOON + Duration::seconds(age);
            begin(&mut tx, card.id, None, key("k"), removal(&card), None, at)
                .await
                .unwrap();
        }
        let due = NOON + PATIENCE;
        assert!(
            take_overdue(&mut tx, due - Duration::seconds(1), 9)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            take_overdue(&mut tx, due + Duration::seconds(1), 9)
                .await
                .unwrap()
                .len(),
            2
        );
        assert_eq!(
            take_overdue(&mut tx, due + Duration::seconds(2), 9)
                .await
                .unwrap()
                .len(),
            1
        );
        assert!(
            take_overdue(&mut tx, due + Duration::seconds(2), 9)
                .await
                .unwrap()
                .is_empty()
        );
        let again = take_overdue(&mut tx, due + PATIENCE + Duration::seconds(9), 2)
            .await
            .unwrap();
        assert_eq!(again.len(), 2, "{}", test.engine);
    }
}

#[tokio::test]
async fn a_balance_is_in_use_while_a_card_is_being_made_on_it() {
    for test in databases().await {
        let ((user, balance), (_, other)) = (
            user_with_balance(&test.db).await,
            user_with_balance(&test.db).await,
        );
        let mut tx = test.db.begin().await.unwrap();
        let card = NewCard {
            id: CardId(9001),
            user,
            balance,
            name: None,
            created_at: NOON,
            replaces: None,
        };
        let actor = Actor {
            channel: Channel::System,
            subject: None,
            device: None,
            trace_id: None,
        };
        let call = IssueCard {
            recipient: None,
            payload: None,
            holder_proof: None,
            issue_key: None,
            refuse: false,
            actor,
        };
        let holder = HolderToken::from_random(&[9; 16]).unwrap();
        let task = Task::Issue(Issue::new(holder, &card, call));
        let begun = begin(&mut tx, card.id, None, key("k"), task, None, NOON)
            .await
            .unwrap();
        let on = async |tx: &mut Tx, id| balances::has_live_cards(tx, id).await.unwrap();
        assert!(on(&mut tx, balance).await, "{}", test.engine);
        assert!(!on(&mut tx, other).await, "{}", test.engine);
        assert!(strike(&mut tx, begun.id).await.unwrap(), "{}", test.engine);
        assert!(!on(&mut tx, balance).await, "{}", test.engine);
    }
}
