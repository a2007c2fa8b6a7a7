//! What partners are told of money, in the transaction that brought it about.

use super::*;
use crate::domain::ledger::{LowLevel, Watch};
use crate::store::tests::events::{Told, told};

async fn of_kind(services: &Services, kind: &str) -> Vec<Told> {
    let mut events = told(&services.db).await;
    events.retain(|event| event.kind == kind);
    events
}

#[tokio::test]
async fn a_balance_that_runs_low_is_told_once_until_it_has_risen_well_above() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        let mut tx = services.db.begin().await.unwrap();
        let level = LowLevel::new(1_000, 1_200);
        partner_balances::set_low_level(&mut tx, scene.credit, level, Watch::Armed)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let told = async || of_kind(services, "partner_balance.low").await.len();
        let mut holds = Vec::new();
        // 1500 → 1000 is not below; → 900 is; → 800 is so still.
        for (minor, expected) in [(500, 0), (100, 1), (100, 1)] {
            holds.push(scene.hold(services, &scene.new_hold(0, minor)).await.unwrap());
            assert_eq!(told().await, expected, "{}", stage.engine);
        }
        // → 1000: above the level and below the other, so nothing is told on the way down again.
        scene.void(services, (0, holds[1])).await.unwrap();
        scene.void(services, (0, holds[2])).await.unwrap();
        let again = scene.hold(services, &scene.new_hold(0, 100)).await.unwrap();
        assert_eq!(told().await, 1, "{}", stage.engine);
        scene.void(services, (0, again)).await.unwrap();
        // → 1500: armed anew.
        scene.void(services, (0, holds[0])).await.unwrap();
        scene.hold(services, &scene.new_hold(0, 600)).await.unwrap();
        assert_eq!(told().await, 2, "{}", stage.engine);
        let event = of_kind(services, "partner_balance.low").await.remove(0);
        assert_eq!(event.data["available"], 900);
        assert_eq!(event.data["level"], 1_000);
        assert_eq!(event.partner, "partner");
    }
}

#[tokio::test]
async fn what_is_posted_is_told_and_what_is_refused_is_not() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        let held = scene.hold(services, &scene.new_hold(0, 50)).await.unwrap();
        scene.hold(services, &scene.new_hold(0, 5_000)).await.unwrap_err();
        assert!(of_kind(services, "transaction.posted").await.is_empty());
        scene.clear(services, (0, held), 40).await.unwrap();
        scene.refund(services, 0, 7).await.unwrap();
        let posted = of_kind(services, "transaction.posted").await;
        let told: Vec<_> = posted
            .iter()
            .map(|event| {
                (
                    event.data["kind"].as_str().unwrap(),
                    event.data["amount"].as_i64().unwrap(),
                )
            })
            .collect();
        assert_eq!(told, [("CLEARING", 40), ("REFUND", 7)], "{}", stage.engine);
        assert!(posted.iter().all(|event| event.user == Some(scene.users[0].id.0)));
    }
}
