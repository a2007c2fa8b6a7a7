//! A removed user while the vault is away: gone for everybody at once, and what is left to be done is not forgotten.

use super::*;
use crate::domain::card::CardId;
use crate::flows::users::remove::{finish_removal, remove_user};
use crate::store::cards::tests::{a_card, user_with_balance};
use crate::store::{audit, user_removal};

async fn value(services: &Services, statement: &'static str) -> i64 {
    let mut read = services.db.read().await.unwrap();
    let row = sqlx::query(statement).fetch_one(&mut *read).await.unwrap();
    sqlx::Row::get(&row, 0)
}

#[tokio::test]
async fn a_user_with_money_stays_and_one_without_is_gone_at_once() {
    for stage in stages().await {
        let services = &stage.services;
        let (ada, balance) = user_with_balance(&services.db).await;
        a_card(&services.db, ada, balance).await;
        let phone = Phone::paired(services, ada).await;
        let session = phone.log_in(services, PIN).await.unwrap();
        for column in ["credits_posted", "credits_pending"] {
            for amount in [5, 0] {
                let statement = format!(
                    "UPDATE accounts SET {column} = {amount} WHERE balance_id = {}",
                    balance.0
                );
                let mut tx = services.db.begin().await.unwrap();
                sqlx::query(sqlx::AssertSqlSafe(statement))
                    .execute(&mut *tx)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
                if amount > 0 {
                    let refused = remove_user(services, ada, &actor()).await.err().unwrap();
                    assert_eq!(refused.code(), Code::BalanceNotEmpty, "{} {column}", stage.engine);
                }
            }
        }
        assert!(is_a_session(&stage, &session).await, "a refusal had an effect");

        remove_user(services, ada, &actor()).await.unwrap();
        let again = remove_user(services, ada, &actor()).await.err().unwrap();
        assert_eq!(again.code(), Code::NotFound, "{}", stage.engine);
        assert!(!is_a_session(&stage, &session).await);
        let refused = phone.log_in(services, PIN).await.err().unwrap();
        assert_eq!(refused.code(), Code::AuthenticationFailed, "{}", stage.engine);
        let mut read = services.db.read().await.unwrap();
        assert!(users::profile(&mut read, ada).await.unwrap().is_none());
        drop(read);
        let named = value(
            services,
            "SELECT COUNT(*) FROM users WHERE email <> '' OR last_name <> '' OR address IS NOT NULL",
        );
        assert_eq!(named.await, 0, "{}", stage.engine);

        // The vault is away: the card waits to be erased and the key to be revoked, however often it is tried.
        let left = {
            let mut read = services.db.read().await.unwrap();
            user_removal::unfinished(&mut read, UserId(0), 10).await.unwrap()
        };
        assert_eq!(left.len(), 1, "{}", stage.engine);
        assert!(
            !finish_removal(services, &left[0]).await.unwrap_or(false),
            "{}",
            stage.engine
        );
        let cards = "SELECT COUNT(*) FROM cards WHERE state <> 'REMOVED'";
        assert_eq!(value(services, cards).await, 1, "{}", stage.engine);
        let due = "SELECT COUNT(*) FROM installations WHERE key_state = 'DUE'";
        assert_eq!(value(services, due).await, 1, "{}", stage.engine);
    }
}

#[tokio::test]
async fn ledger_events_and_trail_outlive_the_user() {
    for stage in stages().await {
        let services = &stage.services;
        let (ada, balance) = user_with_balance(&services.db).await;
        let card: CardId = a_card(&services.db, ada, balance).await.id;
        let mut tx = services.db.begin().await.unwrap();
        let user = users::find(&mut tx, ada).await.unwrap().unwrap();
        let stamp = audit::Stamp::by_command_line("LOOK")
            .about_user(&user)
            .about_card(card);
        audit::write(&mut tx, &stamp, audit::Outcome::Done, services.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        remove_user(services, ada, &actor()).await.unwrap();
        for (what, statement) in [
            (
                "the trail",
                "SELECT COUNT(*) FROM operator_audit WHERE action = 'LOOK'",
            ),
            (
                "the balance",
                "SELECT COUNT(*) FROM balances WHERE state = 'CLOSED'",
            ),
            ("the card", "SELECT COUNT(*) FROM cards"),
            (
                "the removal",
                "SELECT COUNT(*) FROM events WHERE kind = 'user.removed'",
            ),
            (
                "the closing",
                "SELECT COUNT(*) FROM events WHERE kind = 'balance.state_changed'",
            ),
        ] {
            assert_eq!(value(services, statement).await, 1, "{what}, {}", stage.engine);
        }
    }
}
