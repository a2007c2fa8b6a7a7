//! Card rows of mass imports while the vault is away: rows wait for it, dry or not, in their order; what the gateway says of a
//! row by itself, it says at once.

use shared::ids::HolderToken;
use shared::jwe::{AlgPolicy, CompactJwe};
use shared::vault_api::tokens::TokeniseRow;

use super::imports::{count, results};
use super::*;
use crate::domain::balance::BalanceId;
use crate::domain::card::{CardId, NewCard};
use crate::domain::import::{ImportId, ImportKind, RowStatus};
use crate::domain::kyc::KycStatus;
use crate::domain::person::ExternalId;
use crate::flows::imports::receive::{Receiving, Wanted};
use crate::flows::imports::turn::take_a_turn;
use crate::flows::imports::{CardPart, CardRow, CheckedIdentity, NewcomerRow, Owner};
use crate::flows::users::remove::{finish_removal, remove_user};
use crate::store::card_requests::{self, BringRow, Task};
use crate::store::cards::tests::user_with_balance;
use crate::store::imports::Import;
use crate::store::user_removal;

/// A JWE by its looks; the vault alone could say more.
const JWE: &str =
    "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0.a2V5.AAAAAAAAAAAAAAAA.dGV4dA.AAAAAAAAAAAAAAAAAAAAAA";

fn part(balance: Option<BalanceId>) -> CardPart {
    CardPart {
        payload: CompactJwe::parse(JWE, AlgPolicy::Sha1Too).unwrap(),
        holder_proof: "a.b.c".to_owned(),
        balance,
        name: None,
    }
}

fn card(owner: UserId, balance: Option<BalanceId>) -> CardRow {
    CardRow {
        owner: Owner::Number(owner),
        card: part(balance),
    }
}

async fn begun(services: &Services, kind: ImportKind, dry_run: bool) -> Receiving<'_> {
    let wanted = Wanted {
        partner: "partner".parse().unwrap(),
        program: "demo-eur".parse().unwrap(),
        kind,
        dry_run,
        name: Some("batch".to_owned()),
        trace: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
    };
    Receiving::begin(services, &wanted).await.unwrap()
}

async fn received(receiving: Receiving<'_>) -> ImportId {
    let mut id = None;
    let render = |import: &Import| {
        id = Some(import.id);
        Ok(answer())
    };
    receiving.finish(&request(None), render).await.unwrap();
    id.unwrap()
}

/// Where each row stands, and its code.
async fn told(services: &Services, id: ImportId) -> Vec<(i64, RowStatus, Option<String>)> {
    let rows = results(services, id).await.into_iter();
    rows.map(|row| (row.line, row.status, row.failure.map(|failure| failure.code)))
        .collect()
}

fn failed(line: i64, code: &str) -> (i64, RowStatus, Option<String>) {
    (line, RowStatus::Failed, Some(code.to_owned()))
}

/// Turns until the vault would be needed, and once more.
async fn until_away(stage: &Stage) {
    for _ in 0..2 {
        loop {
            match take_a_turn(&stage.services).await {
                Ok(true) => {}
                Ok(false) => panic!("nothing waits for the vault, {}", stage.engine),
                Err(error) => {
                    assert_eq!(error.code(), Code::VaultUnavailable, "{}", stage.engine);
                    break;
                }
            }
        }
        stage.clock.advance(Duration::minutes(2));
    }
}

#[tokio::test]
async fn cards_wait_for_the_vault_in_a_dry_run_as_in_a_real_one() {
    for stage in stages().await {
        let services = &stage.services;
        let (ada, balance) = user_with_balance(&services.db).await;
        let (_, others) = user_with_balance(&services.db).await;
        for dry_run in [true, false] {
            let mut receiving = begun(services, ImportKind::Cards, dry_run).await;
            let rows = [
                card(UserId(9_999), None),
                card(ada, Some(others)),
                card(ada, Some(balance)),
                card(UserId(9_999), None),
            ];
            for (line, row) in (1..).zip(&rows) {
                receiving.card(line, row).await.unwrap();
            }
            let id = received(receiving).await;
            until_away(&stage).await;
            let expected = [
                failed(1, "NOT_FOUND"),
                failed(2, "NOT_FOUND"),
                (3, RowStatus::Waiting, None),
                (4, RowStatus::Waiting, None),
            ];
            assert_eq!(told(services, id).await, expected, "{} {dry_run}", stage.engine);
            // The vault was certainly not asked: nothing is under way there.
            for nothing in ["SELECT COUNT(*) FROM card_requests", "SELECT COUNT(*) FROM cards"] {
                assert_eq!(count(services, nothing).await, 0, "{}", stage.engine);
            }
        }
    }
}

fn newcomer(name: &str, accepted: bool, cards: Vec<CardPart>) -> NewcomerRow {
    NewcomerRow {
        person: person(),
        external_id: Some(ExternalId::parse(name).unwrap()),
        kyc: accepted.then(|| CheckedIdentity {
            status: KycStatus::Accepted,
            provider: "own-desk".to_owned(),
            reference: "case".to_owned(),
        }),
        cards,
    }
}

#[tokio::test]
async fn a_dry_run_knows_whose_users_would_have_come_though_their_cards_failed_or_wait() {
    for stage in stages().await {
        let services = &stage.services;
        let mut receiving = begun(services, ImportKind::UsersWithCards, true).await;
        let rows = [
            // Of somebody who is not there yet, no balance can be named: the user would come, the card would not.
            newcomer("a", true, vec![part(Some(BalanceId(1001)))]),
            newcomer("a", true, Vec::new()),
            newcomer("b", false, vec![part(None)]),
            newcomer("b", false, Vec::new()),
            newcomer("c", true, vec![part(None)]),
            newcomer("c", true, Vec::new()),
        ];
        for (line, row) in (1..).zip(&rows) {
            receiving.user(line, row).await.unwrap();
        }
        let id = received(receiving).await;
        until_away(&stage).await;
        let expected = [
            failed(1, "NOT_FOUND"),
            failed(2, "EXTERNAL_ID_TAKEN"),
            failed(3, "KYC_REQUIRED"),
            (4, RowStatus::Done, None),
            (5, RowStatus::Waiting, None),
            failed(6, "EXTERNAL_ID_TAKEN"),
        ];
        assert_eq!(told(services, id).await, expected, "{}", stage.engine);
        assert_eq!(
            count(services, "SELECT COUNT(*) FROM users").await,
            0,
            "{}",
            stage.engine
        );
    }
}

/// A row of this user's as it was written down before the vault was asked.
async fn under_way(services: &Services, user: UserId, balance: BalanceId) -> CardId {
    let call = TokeniseRow {
        import: "batch".to_owned(),
        row: "batch:1".to_owned(),
        payload: JWE.to_owned(),
        holder_proof: "a.b.c".to_owned(),
        actor: actor(),
    };
    let mut tx = services.db.begin().await.unwrap();
    let card = NewCard {
        id: CardId(4_711),
        user,
        balance,
        name: None,
        created_at: services.now(),
        replaces: None,
    };
    let holder = HolderToken::from_random(&[7; 16]).unwrap();
    let task = Task::BringRow(BringRow::new(holder, &card, call));
    let key = "import-1001-1-1".parse().unwrap();
    card_requests::begin(&mut tx, card.id, None, key, task, None, services.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    card.id
}

#[tokio::test]
async fn the_removal_of_a_user_waits_for_a_row_that_the_vault_was_asked_for() {
    for stage in stages().await {
        let services = &stage.services;
        let (ada, balance) = user_with_balance(&services.db).await;
        under_way(services, ada, balance).await;
        remove_user(services, ada, &actor()).await.unwrap();
        let left = async || {
            let mut read = services.db.read().await.unwrap();
            user_removal::unfinished(&mut read, UserId(0), 10).await.unwrap()
        };
        let waiting = left().await;
        assert_eq!(waiting.len(), 1, "{}", stage.engine);
        assert!(
            !finish_removal(services, &waiting[0]).await.unwrap(),
            "the removal did not wait, {}",
            stage.engine
        );
        // Found again by its key, whoever its user is by now, and still the vault's to answer.
        let mut tx = services.db.begin().await.unwrap();
        let key = "import-1001-1-1".parse().unwrap();
        let work = card_requests::resume_under(&mut tx, &key, services.now()).await;
        assert_eq!(
            work.unwrap().map(|work| work.card),
            Some(CardId(4_711)),
            "{}",
            stage.engine
        );
        let another = "import-1001-1-2".parse().unwrap();
        let none = card_requests::resume_under(&mut tx, &another, services.now()).await;
        assert!(none.unwrap().is_none(), "{}", stage.engine);
        tx.commit().await.unwrap();
        assert_eq!(left().await.len(), 1, "{}", stage.engine);
    }
}
