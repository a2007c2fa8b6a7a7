//! Card rows of mass imports that the vault was asked for.

use shared::ids::HolderToken;
use shared::vault_api::tokens::TokeniseRow;

use super::*;
use crate::domain::balance::BalanceId;
use crate::domain::card::{CardId, NewCard};
use crate::flows::users::remove::{finish_removal, remove_user};
use crate::store::card_requests::{self, BringRow, Task};
use crate::store::cards::tests::user_with_balance;
use crate::store::user_removal;

/// A JWE by its looks; the vault alone could say more.
const JWE: &str =
    "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0.a2V5.AAAAAAAAAAAAAAAA.dGV4dA.AAAAAAAAAAAAAAAAAAAAAA";

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
