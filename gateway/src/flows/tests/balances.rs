//! Reloads and the states of balances, as partners and operators ask for them.

use super::*;
use crate::domain::balance::{Balance, BalanceChange};
use crate::domain::card::Card;
use crate::domain::ledger::{Amount, Reference};
use crate::domain::lock::Party;
use crate::flows::change_balance::change_balance;
use crate::flows::money::tests::Scene;
use crate::flows::reload_balance::{Reload, Reloaded, reload_balance};
use crate::store::ledger::tests::count;
use crate::store::tests::events::told;

fn wish(minor: i64) -> Reload {
    Reload {
        amount: Amount::new(minor).unwrap(),
        currency: "EUR".parse().unwrap(),
        reference: Some(Reference::parse("salary").unwrap()),
    }
}

async fn reload(
    services: &Services,
    scene: &Scene,
    key: Option<&str>,
    wish: &Reload,
) -> Result<Answer, Error> {
    let shown = |reloaded: &Reloaded| {
        let value = reloaded.balance.sums.value().unwrap();
        let body = format!("{} {value}", reloaded.transaction.id.0).into_bytes();
        Ok(Answer { body, ..answer() })
    };
    let what = (scene.balances[0], wish, 9);
    reload_balance(services, &request(key), (&scene.users[0], None), what, shown).await
}

async fn change(
    services: &Services,
    scene: &Scene,
    by: Party,
    change: BalanceChange,
) -> Result<Answer, Error> {
    let shown = |_: &Balance, _: &[Card]| Ok(answer());
    let what = (scene.balances[0], change, 9);
    change_balance(services, &request(None), (&scene.users[0], by, None), what, shown).await
}

#[tokio::test]
async fn the_same_reload_again_is_the_same_answer_and_one_transfer() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = Scene::set(services).await;
        let first = reload(services, &scene, Some("k"), &wish(100)).await.unwrap();
        let again = reload(services, &scene, Some("k"), &wish(100)).await.unwrap();
        assert_eq!(first, again, "{}", stage.engine);
        reload(services, &scene, Some("l"), &wish(50)).await.unwrap();
        assert_eq!(scene.worth(services, 0).await[0], (150, 150));
        assert_eq!(count(&services.db, stage.engine).await, 2, "{}", stage.engine);
        let reloads = told(&services.db).await;
        let reloads: Vec<_> = reloads
            .iter()
            .filter(|event| event.kind == "balance.reloaded")
            .collect();
        assert_eq!(reloads.len(), 2, "{}", stage.engine);
        assert_eq!(reloads.first().unwrap().data["amount"], 100);
    }
}

#[tokio::test]
async fn a_reload_that_breaks_a_rule_moves_nothing() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = Scene::set(services).await;
        let code = async |wish: Reload| reload(services, &scene, None, &wish).await.unwrap_err().code();
        assert_eq!(code(wish(1_000_001)).await, Code::ValidationFailed);
        let zloty = Reload {
            currency: "PLN".parse().unwrap(),
            ..wish(1)
        };
        assert_eq!(code(zloty).await, Code::ValidationFailed, "{}", stage.engine);
        change(services, &scene, Party::Partner, BalanceChange::Lock)
            .await
            .unwrap();
        assert_eq!(code(wish(1)).await, Code::BalanceLocked);
        change(services, &scene, Party::Partner, BalanceChange::Close)
            .await
            .unwrap();
        assert_eq!(code(wish(1)).await, Code::BalanceClosed);
        assert_eq!(count(&services.db, stage.engine).await, 0, "{}", stage.engine);
        let states = told(&services.db).await;
        let states: Vec<_> = states.iter().map(|event| event.data["state"].clone()).collect();
        assert_eq!(states, ["LOCKED", "CLOSED"], "{}", stage.engine);
    }
}

#[tokio::test]
async fn a_partner_does_not_lift_an_operators_lock() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = Scene::set(services).await;
        let code = async |by, what| {
            change(services, &scene, by, what)
                .await
                .map_err(|error| error.code())
        };
        code(Party::Partner, BalanceChange::Lock).await.unwrap();
        code(Party::Operator, BalanceChange::Lock).await.unwrap();
        for what in [BalanceChange::Unlock, BalanceChange::Close] {
            let refused = code(Party::Partner, what).await.unwrap_err();
            assert_eq!(refused, Code::LockNotYours, "{}", stage.engine);
        }
        code(Party::Operator, BalanceChange::Unlock).await.unwrap();
        let refused = code(Party::Partner, BalanceChange::Unlock).await.unwrap_err();
        assert_eq!(refused, Code::BalanceNotLocked);
        // Locked twice, told once; unlocked, told.
        assert_eq!(told(&services.db).await.len(), 2, "{}", stage.engine);
    }
}
