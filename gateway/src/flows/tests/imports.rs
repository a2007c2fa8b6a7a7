//! Mass imports of users while the vault is away: dry runs need none, real ones wait and lose nothing.

use super::*;
use crate::domain::import::{ImportId, ImportKind, ImportStatus, RowStatus};
use crate::domain::person::ExternalId;
use crate::flows::imports::receive::{Receiving, Wanted};
use crate::flows::imports::turn::take_a_turn;
use crate::flows::imports::{NewcomerRow, failure};
use crate::store::import_rows::{self, RowResult};
use crate::store::imports::{self, Import};

fn wanted(dry_run: bool) -> Wanted {
    Wanted {
        partner: "partner".parse().unwrap(),
        program: "demo-eur".parse().unwrap(),
        kind: ImportKind::Users,
        dry_run,
        name: None,
        trace: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
    }
}

fn row(external_id: Option<&str>) -> NewcomerRow {
    NewcomerRow {
        person: person(),
        external_id: external_id.map(|id| ExternalId::parse(id).unwrap()),
        kyc: None,
        cards: Vec::new(),
    }
}

/// Takes in rows of these names, with one that is not in order at the end.
pub(in crate::flows) async fn received(
    services: &Services,
    dry_run: bool,
    names: &[Option<&str>],
    key: Option<&str>,
) -> Result<(Answer, Option<ImportId>), Error> {
    let mut receiving = Receiving::begin(services, &wanted(dry_run)).await?;
    for (line, name) in (1..).zip(names) {
        receiving.user(line, &row(*name)).await?;
    }
    receiving.bad(99, failure("MALFORMED_JSON", Vec::new())).await?;
    let mut id = None;
    let render = |import: &Import| {
        id = Some(import.id);
        Ok(Answer {
            body: import.id.0.to_string().into_bytes(),
            ..answer()
        })
    };
    let answer = receiving.finish(&request(key), render).await?;
    Ok((answer, id))
}

pub(super) async fn results(services: &Services, id: ImportId) -> Vec<RowResult> {
    let mut read = services.db.read().await.unwrap();
    import_rows::list(&mut read, id, None, 0, 1_000).await.unwrap()
}

pub(super) async fn count(services: &Services, statement: &'static str) -> i64 {
    let mut read = services.db.read().await.unwrap();
    let row = sqlx::query(statement).fetch_one(&mut *read).await.unwrap();
    sqlx::Row::get(&row, 0)
}

const CONTENTS: &str =
    "SELECT COUNT(*) FROM import_rows WHERE content IS NOT NULL OR external_id IS NOT NULL";

#[tokio::test]
async fn a_dry_run_knows_of_names_that_come_twice_and_leaves_nothing() {
    for stage in stages().await {
        let services = &stage.services;
        let names = [Some("a"), None, Some("b"), Some("a"), None];
        let (_, id) = received(services, true, &names, None).await.unwrap();
        let id = id.unwrap();
        assert!(count(services, CONTENTS).await > 0, "{}", stage.engine);
        while take_a_turn(services).await.unwrap() {}
        let told: Vec<_> = results(services, id)
            .await
            .into_iter()
            .map(|row| (row.line, row.status, row.failure.map(|failure| failure.code)))
            .collect();
        let done = |line| (line, RowStatus::Done, None);
        let failed = |line, code: &str| (line, RowStatus::Failed, Some(code.to_owned()));
        let expected = [
            done(1),
            done(2),
            done(3),
            failed(4, "EXTERNAL_ID_TAKEN"),
            done(5),
            failed(99, "MALFORMED_JSON"),
        ];
        assert_eq!(told, expected, "{}", stage.engine);
        assert_eq!(count(services, CONTENTS).await, 0, "{}", stage.engine);
        assert_eq!(
            count(services, "SELECT COUNT(*) FROM users").await,
            0,
            "{}",
            stage.engine
        );
        let mut read = services.db.read().await.unwrap();
        let import = imports::find_of_partner(&mut read, &"partner".parse().unwrap(), id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(import.status, ImportStatus::Done, "{}", stage.engine);
        drop(read);
        let finished = "SELECT COUNT(*) FROM events WHERE kind = 'import.finished' AND program = 'demo-eur'";
        assert_eq!(count(services, finished).await, 1, "{}", stage.engine);
    }
}

#[tokio::test]
async fn rows_wait_for_the_vault_and_their_users_are_nobody_elses_to_sweep() {
    for stage in stages().await {
        let services = &stage.services;
        let names = [Some("a"), Some("a"), None];
        let (_, id) = received(services, false, &names, None).await.unwrap();
        for _ in 0..3 {
            let away = take_a_turn(services).await.err().map(|error| error.code());
            assert_eq!(away, Some(Code::VaultUnavailable), "{}", stage.engine);
            // Not before its pause is over.
            assert!(!take_a_turn(services).await.unwrap(), "{}", stage.engine);
            stage.clock.advance(Duration::minutes(2));
        }
        let told: Vec<_> = results(services, id.unwrap())
            .await
            .into_iter()
            .map(|row| row.status)
            .collect();
        let expected = [
            RowStatus::Working,
            RowStatus::Failed,
            RowStatus::Working,
            RowStatus::Failed,
        ];
        assert_eq!(told, expected, "{}", stage.engine);
        let mut read = services.db.read().await.unwrap();
        let swept = users::pending_since(&mut read, services.now() + Duration::DAY, UserId(0), 10);
        assert!(swept.await.unwrap().is_empty(), "{}", stage.engine);
        drop(read);
        let pending = "SELECT COUNT(*) FROM users WHERE state = 'PENDING'";
        assert_eq!(count(services, pending).await, 2, "{}", stage.engine);
    }
}

#[tokio::test]
async fn the_same_file_again_is_answered_as_before_and_a_broken_one_goes() {
    for stage in stages().await {
        let services = &stage.services;
        let (first, id) = received(services, true, &[None], Some("k")).await.unwrap();
        let (again, none) = received(services, true, &[None], Some("k")).await.unwrap();
        assert!(
            first == again && id.is_some() && none.is_none(),
            "{}",
            stage.engine
        );
        assert_eq!(
            count(services, "SELECT COUNT(*) FROM imports").await,
            1,
            "{}",
            stage.engine
        );
        let mut broken = Receiving::begin(services, &wanted(false)).await.unwrap();
        for line in 1..=300 {
            broken.user(line, &row(None)).await.unwrap();
        }
        drop(broken);
        let mut read = services.db.read().await.unwrap();
        let now = services.now();
        assert!(imports::left_over(&mut read, now, now).await.unwrap().is_empty());
        let later = now + Duration::minutes(1);
        let left = imports::left_over(&mut read, later, now).await.unwrap();
        drop(read);
        assert_eq!(left.len(), 1, "{}", stage.engine);
        let mut tx = services.db.begin().await.unwrap();
        imports::delete(&mut tx, left[0]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            count(services, "SELECT COUNT(*) FROM import_rows").await,
            2,
            "{}",
            stage.engine
        );
    }
}

#[tokio::test]
async fn a_partner_has_so_many_imports_under_way_and_no_more() {
    for stage in stages().await {
        let services = &stage.services;
        for _ in 0..10 {
            received(services, false, &[None], None).await.unwrap();
        }
        let refused = Receiving::begin(services, &wanted(false)).await.err().unwrap();
        assert_eq!(refused.code(), Code::TooManyRequests, "{}", stage.engine);
    }
}
