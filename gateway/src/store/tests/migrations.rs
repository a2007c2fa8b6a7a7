//! Migrations expand: what the version before wrote is there afterwards, and that version, which still runs while the
//! processes are exchanged one by one, writes on as it always did.

use sqlx::migrate::{Migration, Migrator};
use sqlx::raw_sql;

use super::*;
use crate::domain::balance::BalanceId;
use crate::domain::card::{CardId, CardState};
use crate::domain::user::UserId;
use crate::domain::webhook::EndpointId;

/// The last migration of the version before partners were told of events.
const BEFORE: i64 = 4;

/// The statements of that version: a user with a balance, a card and an order of its plastic.
fn rows(number: i64) -> String {
    // Of one length and of the alphabet of tokens, whatever the number.
    let token = |prefix: &str| {
        let symbol = if number == 2001 { 'a' } else { 'b' };
        format!("{prefix}_{}", symbol.to_string().repeat(26))
    };
    let (holder, card, order) = (token("hld"), token("crd"), token("ord"));
    format!(
        "INSERT INTO users (id, partner, program, state, holder, vault_key, email, phone_number, first_name, last_name, \
         date_of_birth, nationality, kyc_status, created_at) VALUES ({number}, 'shop', 'demo-eur', 'ACTIVE', '{holder}', \
         'key-{number}', 'ada@mail.example', '+48600100200', 'Ada', 'Example', '1990-12-10', 'PL', 'ACCEPTED', 1); \
         INSERT INTO balances (id, user_id, program, currency, state, created_at) \
         VALUES ({number}, {number}, 'demo-eur', 'EUR', 'ACTIVE', 1); \
         INSERT INTO cards (id, token, user_id, balance_id, kind, state, masked, exp, created_at) \
         VALUES ({number}, '{card}', {number}, {number}, 'VIRTUAL', 'ACTIVE', '999900******0017', '2029-11-30', 1); \
         INSERT INTO card_requests (id, card_id, vault_key, task, next_try_at, created_at) \
         VALUES ({number}, {number}, 'key', 'null', 9223372036854775807, 1); \
         INSERT INTO orders (id, token, card_id, kind, created_at) VALUES ({number}, '{order}', {number}, 'PRINT', 1); \
         UPDATE users SET kyc_status = 'ACCEPTED' WHERE id = {number} AND state = 'ACTIVE';"
    )
}

async fn write(db: &Db, number: i64) {
    let mut tx = db.begin().await.unwrap();
    raw_sql(AssertSqlSafe(rows(number)))
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// That all of it is there, through the statements of this version.
async fn is_there(db: &Db, number: i64, engine: &str) {
    let mut read = db.read().await.unwrap();
    let user = users::find(&mut read, UserId(number)).await.unwrap();
    assert!(user.is_some(), "{engine}: user {number}");
    let balance = balances::find(&mut read, UserId(number), BalanceId(number))
        .await
        .unwrap();
    assert_eq!(
        balance.and_then(|found| found.sums.value()),
        Some(0),
        "{engine}: {number}"
    );
    let card = cards::find(&mut read, UserId(number), CardId(number))
        .await
        .unwrap();
    let state = card.map(|card| card.standing.state);
    assert_eq!(state, Some(CardState::Active), "{engine}: card {number}");
}

/// Brings a database to the schema of an earlier version.
async fn migrate_to(db: &Db, version: i64) {
    let migrator = match db.engine {
        Engine::Sqlite => sqlx::migrate!("./migrations/sqlite"),
        Engine::Postgres => sqlx::migrate!("./migrations/postgres"),
    };
    let before: Vec<Migration> = migrator
        .iter()
        .filter(|migration| migration.version <= version)
        .cloned()
        .collect();
    let mut connection = db.writer.acquire().await.unwrap();
    Migrator::with_migrations(before)
        .run_direct(None, &mut *connection, false)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_version_before_is_carried_over_and_goes_on_writing() {
    for test in unmigrated().await {
        migrate_to(&test.db, BEFORE).await;
        write(&test.db, 2001).await;
        test.db.migrate().await.unwrap();
        is_there(&test.db, 2001, test.engine).await;
        write(&test.db, 2002).await;
        is_there(&test.db, 2002, test.engine).await;
    }
}

/// The last migration of the version before programs had a remote URL.
const BEFORE_REMOTE_URLS: i64 = 20;

/// An endpoint that a partner made and an event, by the statements of that version.
async fn endpoint_and_event(db: &Db, number: i64) {
    let mut tx = db.begin().await.unwrap();
    raw_sql(AssertSqlSafe(format!(
        "INSERT INTO webhook_endpoints (id, partner, url, kinds, description, state, secret, created_at) \
         VALUES ({number}, 'shop', 'https://shop.example/', NULL, NULL, 'ENABLED', {}, 1); \
         INSERT INTO events (id, partner, kind, user_id, card_id, card_sequence, data, occurred_at) \
         VALUES ({number}, 'shop', 'user.updated', {number}, NULL, NULL, '{{}}', 1)",
        match db.engine {
            Engine::Sqlite => "x'07'",
            Engine::Postgres => "'\\x07'",
        }
    )))
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn endpoints_of_before_are_their_partners_and_events_of_before_are_of_their_users_program() {
    for test in unmigrated().await {
        migrate_to(&test.db, BEFORE_REMOTE_URLS).await;
        write(&test.db, 2001).await;
        endpoint_and_event(&test.db, 2001).await;
        test.db.migrate().await.unwrap();
        endpoint_and_event(&test.db, 2002).await;
        let mut tx = test.db.begin().await.unwrap();
        for number in [2001, 2002] {
            let found = webhooks::find(&mut tx, EndpointId(number)).await.unwrap();
            assert_eq!(found.unwrap().program, None, "{}: {number}", test.engine);
        }
        let told = crate::store::events::hand_out(&mut tx, 9).await.unwrap();
        let programs: Vec<_> = told
            .iter()
            .map(|told| told.program.as_ref().map(|program| program.as_str()))
            .collect();
        // Of user 2002 there is no row.
        assert_eq!(programs, [Some("demo-eur"), None], "{}", test.engine);
    }
}
