//! Cards on both engines: what is written is read back, and changes at once follow one another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use shared::ids::CardToken;
use shared::money::Currency;
use tokio::task::JoinSet;

use super::*;
use crate::domain::card::{CardRules, NewCard};
use crate::domain::kyc::KycStatus;
use crate::domain::lock::LiftPolicy;
use crate::store::tests::people::user;
use crate::store::tests::{NOON, TestDb, databases};
use crate::store::{Db, Sequence, balances, users};

const RULES: CardRules = CardRules {
    digital_first: true,
    lifting: LiftPolicy::ByPlacer,
    role: None,
};

/// A user of the sample program whose identity is established, with a balance.
pub(crate) async fn user_with_balance(db: &Db) -> (UserId, BalanceId) {
    static HOLDERS: AtomicU8 = AtomicU8::new(0);
    let user = user(db, "partner", HOLDERS.fetch_add(1, Ordering::Relaxed)).await;
    let mut tx = db.begin().await.unwrap();
    users::set_kyc(&mut tx, user, KycStatus::Accepted).await.unwrap();
    let program = "demo-eur".parse().unwrap();
    let balance = balances::insert(&mut tx, user, &program, Currency::EUR, NOON)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (user, balance.id)
}

/// An active virtual card, in the database.
pub(crate) async fn a_card(db: &Db, user: UserId, balance: BalanceId) -> Card {
    let mut tx = db.begin().await.unwrap();
    let id = CardId(tx.next_number(Sequence::Cards).await.unwrap());
    let name = Some(CardName::parse("Groceries").unwrap());
    let new = NewCard {
        id,
        user,
        balance,
        name,
        created_at: NOON,
        replaces: None,
    };
    let mut random = [0; 16];
    random[8..].copy_from_slice(&id.0.to_be_bytes());
    let token = CardToken::from_random(&random).unwrap();
    let card = new.issued(
        token,
        "999900******0017".parse().unwrap(),
        "2029-11-30".parse().unwrap(),
    );
    insert(&mut tx, &card).await.unwrap();
    tx.commit().await.unwrap();
    card
}

async fn change(test: &TestDb, id: CardId, standing: Standing) {
    let mut tx = test.db.begin().await.unwrap();
    set_standing(&mut tx, id, standing).await.unwrap();
    tx.commit().await.unwrap();
}

async fn read(test: &TestDb, card: &Card) -> Card {
    let mut connection = test.db.read().await.unwrap();
    find(&mut connection, card.user, card.id).await.unwrap().unwrap()
}

fn every_standing() -> Vec<Standing> {
    let mut states = vec![
        CardState::Ordered { lock: None },
        CardState::Inactive,
        CardState::Active,
        CardState::Removed,
    ];
    for code in LockCode::ALL {
        for placed_by in Party::ALL {
            let lock = Lock {
                code,
                placed_by,
                placed_at: NOON,
            };
            states
                .extend([Unlocked::Inactive, Unlocked::Active].map(|from| CardState::Locked { lock, from }));
            states.push(CardState::Ordered { lock: Some(lock) });
        }
    }
    let of_every_kind = |state| CardType::ALL.map(|kind| Standing::new(kind, state));
    states.into_iter().flat_map(of_every_kind).collect()
}

#[tokio::test]
async fn every_standing_survives_its_row() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        let mut card = a_card(&test.db, user, balance).await;
        assert_eq!(read(&test, &card).await, card, "{}", test.engine);
        for standing in every_standing() {
            card.standing = standing;
            change(&test, card.id, standing).await;
            assert_eq!(read(&test, &card).await, card, "{}", test.engine);
        }
    }
}

#[tokio::test]
async fn a_lock_without_its_party_cannot_be_stored() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        let card = a_card(&test.db, user, balance).await;
        for broken in [
            "UPDATE cards SET state = 'LOCKED' WHERE id = $1",
            "UPDATE cards SET lock_code = 3 WHERE id = $1",
            "UPDATE cards SET state = 'LOCKED', lock_code = 3, lock_placed_at = 0, lock_from = 'ACTIVE' WHERE id = $1",
            "UPDATE cards SET state = 'ASLEEP' WHERE id = $1",
            "UPDATE cards SET kind = 'PAPER' WHERE id = $1",
        ] {
            let mut tx = test.db.begin().await.unwrap();
            assert!(
                sqlx::query(broken)
                    .bind(card.id.0)
                    .execute(&mut *tx)
                    .await
                    .is_err(),
                "{broken}"
            );
        }
        assert_eq!(read(&test, &card).await, card, "{}", test.engine);
    }
}

#[tokio::test]
async fn a_row_that_no_flow_writes_is_a_named_corruption() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        for (broken, column) in [
            (
                "UPDATE cards SET masked = '9999000000000017' WHERE id = $1",
                "masked",
            ),
            ("UPDATE cards SET exp = '2029-11-29' WHERE id = $1", "exp"),
            ("UPDATE cards SET token = 'x' || id WHERE id = $1", "token"),
            ("UPDATE cards SET name = '9999000000000017' WHERE id = $1", "name"),
        ] {
            let card = a_card(&test.db, user, balance).await;
            let mut tx = test.db.begin().await.unwrap();
            sqlx::query(broken)
                .bind(card.id.0)
                .execute(&mut *tx)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            let mut connection = test.db.read().await.unwrap();
            let found = find(&mut connection, user, card.id).await;
            assert!(
                matches!(found, Err(StoreError::Corrupt(named)) if named == column),
                "{column}: {found:?}"
            );
        }
    }
}

#[tokio::test]
async fn nobody_finds_the_card_of_another() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        let (other, _) = user_with_balance(&test.db).await;
        let card = a_card(&test.db, user, balance).await;
        let mut connection = test.db.read().await.unwrap();
        assert!(
            find(&mut connection, other, card.id).await.unwrap().is_none(),
            "{}",
            test.engine
        );
        assert!(
            shown_of_user(&mut connection, other, CardId(0), 10)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn lists_go_by_number_and_leave_out_ordered_and_removed_cards() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        let mut cards = Vec::new();
        for _ in 0..5 {
            cards.push(a_card(&test.db, user, balance).await);
        }
        for (hidden, state) in [(1, CardState::Ordered { lock: None }), (3, CardState::Removed)] {
            change(
                &test,
                cards[hidden].id,
                Standing {
                    state,
                    ..cards[hidden].standing
                },
            )
            .await;
        }
        let shown = [&cards[0], &cards[2], &cards[4]].map(|card| card.id);
        let ids = |cards: Vec<Card>| cards.into_iter().map(|card| card.id).collect::<Vec<_>>();
        let mut connection = test.db.read().await.unwrap();
        let all = shown_of_user(&mut connection, user, CardId(0), 10).await.unwrap();
        assert_eq!(ids(all), shown, "{}", test.engine);
        let rest = shown_of_user(&mut connection, user, shown[0], 1).await.unwrap();
        assert_eq!(ids(rest), shown[1..2], "{}", test.engine);
        let of_balance = shown_of_balances(&mut connection, user, (balance, balance), 2)
            .await
            .unwrap();
        assert_eq!(ids(of_balance), shown[..2], "{}", test.engine);
    }
}

#[tokio::test]
async fn the_cards_of_several_balances_are_read_at_once_so_many_of_each() {
    for test in databases().await {
        let (user, first) = user_with_balance(&test.db).await;
        let mut tx = test.db.begin().await.unwrap();
        let program = "demo-eur".parse().unwrap();
        let second = balances::insert(&mut tx, user, &program, Currency::EUR, NOON)
            .await
            .unwrap()
            .id;
        tx.commit().await.unwrap();
        let mut cards = Vec::new();
        for balance in [first, second, first, second, first] {
            cards.push(a_card(&test.db, user, balance).await.id);
        }
        let mut connection = test.db.read().await.unwrap();
        for (range, expected) in [
            ((first, second), &cards[..4]),
            ((second, second), &[cards[1], cards[3]]),
        ] {
            let shown = shown_of_balances(&mut connection, user, range, 2).await.unwrap();
            let ids: Vec<_> = shown.iter().map(|card| card.id).collect();
            assert_eq!(ids, expected, "{}", test.engine);
        }
    }
}

/// Toggles a card's lock: from what it finds, within one transaction. True when it locked.
async fn toggle(test: &TestDb, id: CardId) -> bool {
    let mut tx = test.db.begin().await.unwrap();
    let mut card = take(&mut tx, id).await.unwrap().unwrap();
    let locks = card.standing.state.lock().is_none();
    card.standing.state = if locks {
        let lock = Lock {
            code: LockCode::PendingQuery,
            placed_by: Party::User,
            placed_at: NOON,
        };
        card.standing.lock(lock, RULES).unwrap()
    } else {
        card.standing.unlock(Party::User, RULES).unwrap().0
    };
    set_standing(&mut tx, id, card.standing).await.unwrap();
    tx.commit().await.unwrap();
    locks
}

/// A lost update would be two locks, or two unlocks, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_at_once_follow_one_another() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        let card = a_card(&test.db, user, balance).await;
        let test = Arc::new(test);
        let mut running = JoinSet::new();
        for _ in 0..12 {
            let (test, id) = (Arc::clone(&test), card.id);
            running.spawn(async move {
                let mut locks = 0;
                for _ in 0..5 {
                    locks += usize::from(toggle(&test, id).await);
                }
                locks
            });
        }
        let locks: usize = running.join_all().await.into_iter().sum();
        assert_eq!(locks, 30, "{}", test.engine);
        assert_eq!(
            read(&test, &card).await.standing.state,
            CardState::Active,
            "{}",
            test.engine
        );
    }
}

#[tokio::test]
async fn a_card_keeps_where_it_comes_from() {
    for test in databases().await {
        let (user, balance) = user_with_balance(&test.db).await;
        for origin in CardOrigin::ALL {
            let mut card = a_card(&test.db, user, balance).await;
            assert_eq!(read(&test, &card).await.standing.origin, CardOrigin::Issued);
            let mut tx = test.db.begin().await.unwrap();
            card.id = CardId(tx.next_number(Sequence::Cards).await.unwrap());
            card.token = CardToken::from_random(&[u8::try_from(card.id.0 % 200).unwrap(); 16]).unwrap();
            card.standing.origin = origin;
            insert(&mut tx, &card).await.unwrap();
            tx.commit().await.unwrap();
            change(&test, card.id, card.standing).await;
            assert_eq!(
                read(&test, &card).await.standing.origin,
                origin,
                "{}",
                test.engine
            );
        }
    }
}
