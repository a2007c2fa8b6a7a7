//! Many at once on the same accounts: nobody waits in a circle, nobody overdraws, and debits are credits at the end.

use std::sync::Arc;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tokio::task::JoinSet;

use super::model::run;
use super::*;
use crate::domain::ledger::tests::operations;

/// Tasks at once: more than there are connections.
const TASKS: usize = 8;
const MOST_OPERATIONS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_keep_every_limit_and_lose_nothing() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = Arc::new(Scene::set(services).await);
        for user in [Some(0), Some(1), None] {
            scene.pay_in(services, user, 200).await;
        }
        let mut tasks = JoinSet::new();
        let mut runner = TestRunner::default();
        for _ in 0..TASKS {
            let (services, scene) = (Arc::clone(services), Arc::clone(&scene));
            let wanted = operations(MOST_OPERATIONS)
                .new_tree(&mut runner)
                .unwrap()
                .current();
            tasks.spawn(async move {
                let mut holds = Vec::new();
                for operation in &wanted {
                    run(&services, &scene, operation, &mut holds).await;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        count(&services.db, stage.engine).await;
    }
}

/// All want the last money there is: so many as it suffices for get it, and each of the others is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_money_is_given_once() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = Arc::new(paid(&stage).await);
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let (services, scene) = (Arc::clone(services), Arc::clone(&scene));
            tasks.spawn(async move { scene.hold(&services, &scene.new_hold(0, 300)).await.is_ok() });
        }
        let mut held = 0;
        while let Some(ended) = tasks.join_next().await {
            held += usize::from(ended.unwrap());
        }
        assert_eq!(held, 3, "{}", stage.engine);
        count(&services.db, stage.engine).await;
    }
}

/// A hold is cleared, voided and expired at the same time: one of them it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hold_ends_once_whoever_comes_first() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        for _ in 0..5 {
            let new = NewHold {
                expires_at: Some(services.now()),
                ..scene.new_hold(0, 10)
            };
            let held = scene.hold(services, &new).await.unwrap();
            let (voided, expired, second) = tokio::join!(
                scene.void(services, (0, held)),
                scene.expire(services, held),
                scene.void(services, (0, held)),
            );
            let ended =
                usize::from(voided.is_ok()) + usize::from(expired.unwrap()) + usize::from(second.is_ok());
            assert_eq!(ended, 1, "{}", stage.engine);
        }
        assert_eq!(scene.worth(services, 0).await, [(1_000, 1_000), (1_500, 1_500)]);
        count(&services.db, stage.engine).await;
    }
}
