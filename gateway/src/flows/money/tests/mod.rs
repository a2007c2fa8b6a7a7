//! Money over a real database: every business event, any sequence of them against a sheet of paper, and many at once.

mod concurrent;
mod events;
mod model;
mod scene;

use time::Duration;

pub(crate) use self::scene::Scene;
use super::hold::NewHold;
use crate::domain::balance::BalanceChange;
use crate::domain::ledger::{Merchant, TransferId, TransferKind};
use crate::domain::lock::Party;
use crate::domain::partner_balance::PartnerBalanceState;
use crate::error::{Code, Error};
use crate::flows::change_balance;
use crate::jobs::holds::expire_due;
use crate::services::Services;
use crate::store::ledger::tests::count;
use crate::store::ledger::transfers::{self, Filter};
use crate::store::{balances, partner_balances};
use crate::testing::{Stage, stages};

/// A scene in which the first user has 1000, the second nothing, and the partner 1500.
async fn paid(stage: &Stage) -> Scene {
    let scene = Scene::set(&stage.services).await;
    scene.pay_in(&stage.services, Some(0), 1_000).await;
    scene.pay_in(&stage.services, None, 1_500).await;
    scene
}

#[tokio::test]
async fn a_hold_reserves_both_limits_and_clearing_equal_smaller_or_larger_charges_no_more() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        for (asked, cleared, paid) in [(100, 100, 100), (100, 60, 60), (100, 130, 100)] {
            let before = scene.worth(services, 0).await;
            let held = scene.hold(services, &scene.new_hold(0, asked)).await.unwrap();
            let during = scene.worth(services, 0).await;
            for (was, is) in before.into_iter().zip(during) {
                assert_eq!(is, (was.0, was.1 - asked), "{}", stage.engine);
            }
            let outcome = scene.clear(services, (0, held), cleared).await.unwrap();
            assert_eq!((outcome.paid, outcome.difference), (paid, cleared - paid));
            for (was, is) in before.into_iter().zip(scene.worth(services, 0).await) {
                assert_eq!(is, (was.0 - paid, was.1 - paid), "{}", stage.engine);
            }
            let again = scene.clear(services, (0, held), cleared).await.unwrap_err();
            assert_eq!(again.code(), Code::HoldEnded);
            assert_eq!(
                scene.void(services, (0, held)).await.unwrap_err().code(),
                Code::HoldEnded
            );
        }
        assert_eq!(scene.outside(services).await, (30, 290), "{}", stage.engine);
        count(&services.db, stage.engine).await;
    }
}

#[tokio::test]
async fn neither_limit_is_overdrawn_and_a_refusal_leaves_nothing() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        let code = async |user, minor| {
            let new = scene.new_hold(user, minor);
            scene.hold(services, &new).await.unwrap_err().code()
        };
        assert_eq!(code(0, 1_001).await, Code::InsufficientFunds, "{}", stage.engine);
        assert_eq!(code(1, 1).await, Code::InsufficientFunds);
        scene.hold(services, &scene.new_hold(0, 1_000)).await.unwrap();
        assert_eq!(code(0, 1).await, Code::InsufficientFunds);
        scene.pay_in(services, Some(1), 9_000).await;
        assert_eq!(code(1, 501).await, Code::PartnerLimitExceeded, "{}", stage.engine);
        scene.hold(services, &scene.new_hold(1, 500)).await.unwrap();
        assert_eq!(code(1, 1).await, Code::PartnerLimitExceeded);
        // Three payments and two holds of two legs: what was refused wrote nothing.
        assert_eq!(
            count(&services.db, stage.engine).await,
            3 + 2 * 2,
            "{}",
            stage.engine
        );
    }
}

#[tokio::test]
async fn a_reversal_and_the_end_by_time_free_both_limits() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        let before = scene.worth(services, 0).await;
        let held = scene.hold(services, &scene.new_hold(0, 400)).await.unwrap();
        let voided = scene.void(services, (0, held)).await.unwrap();
        assert_eq!(scene.worth(services, 0).await, before, "{}", stage.engine);
        let second = scene.hold(services, &scene.new_hold(0, 300)).await.unwrap();
        assert_eq!(expire_due(services).await.unwrap(), 0);
        assert!(!scene.expire(services, second).await.unwrap());
        stage.clock.advance(Duration::days(7));
        assert_eq!(expire_due(services).await.unwrap(), 1, "{}", stage.engine);
        assert_eq!(expire_due(services).await.unwrap(), 0);
        assert_eq!(scene.worth(services, 0).await, before);
        assert_eq!(
            scene.void(services, (0, second)).await.unwrap_err().code(),
            Code::HoldEnded
        );
        let history = scene.history(services, 0).await;
        let told: Vec<_> = history
            .iter()
            .map(|one| (one.id, one.kind.as_str(), one.state.as_str(), one.authorisation))
            .collect();
        assert_eq!(
            told.get(..3).unwrap(),
            [
                (second, "AUTHORISATION", "EXPIRED", None),
                (voided, "REVERSAL", "VOIDED", Some(held)),
                (held, "AUTHORISATION", "VOIDED", None),
            ],
            "{}",
            stage.engine
        );
        count(&services.db, stage.engine).await;
    }
}

#[tokio::test]
async fn a_late_clearing_takes_what_is_left_of_the_hold_and_the_platform_pays_the_rest() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        let late = scene.hold(services, &scene.new_hold(0, 400)).await.unwrap();
        stage.clock.advance(Duration::days(7));
        expire_due(services).await.unwrap();
        // By now the user has spent most of it elsewhere.
        let elsewhere = scene.hold(services, &scene.new_hold(0, 900)).await.unwrap();
        scene.clear(services, (0, elsewhere), 900).await.unwrap();
        let outcome = scene.clear(services, (0, late), 450).await.unwrap();
        assert_eq!((outcome.paid, outcome.difference), (100, 350), "{}", stage.engine);
        assert_eq!(scene.worth(services, 0).await, [(0, 0), (500, 500)]);
        let again = scene.clear(services, (0, late), 1).await.unwrap_err();
        assert_eq!(again.code(), Code::HoldEnded, "{}", stage.engine);
        assert_eq!(scene.outside(services).await, (350, 1_350));
        let history = scene.history(services, 0).await;
        let cleared = history
            .iter()
            .find(|one| Some(one.id) == outcome.transaction)
            .unwrap();
        assert_eq!(
            (cleared.kind, cleared.authorisation),
            (TransferKind::Clearing, Some(late))
        );
        count(&services.db, stage.engine).await;
    }
}

#[tokio::test]
async fn what_was_approved_still_clears_reverses_and_refunds_on_a_locked_balance() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        let [first, second] = [
            scene.hold(services, &scene.new_hold(0, 100)).await.unwrap(),
            scene.hold(services, &scene.new_hold(0, 100)).await.unwrap(),
        ];
        change(services, &scene, BalanceChange::Lock).await.unwrap();
        let mut tx = services.db.begin().await.unwrap();
        let locked = PartnerBalanceState::Locked;
        partner_balances::set_state(&mut tx, scene.credit, locked)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let refused = scene.hold(services, &scene.new_hold(0, 1)).await.unwrap_err();
        assert_eq!(refused.code(), Code::BalanceLocked, "{}", stage.engine);
        scene.clear(services, (0, first), 100).await.unwrap();
        scene.void(services, (0, second)).await.unwrap();
        scene.refund(services, 0, 40).await.unwrap();
        assert_eq!(scene.worth(services, 0).await, [(940, 940), (1_440, 1_440)]);
        change(services, &scene, BalanceChange::Unlock).await.unwrap();
        let refused = scene.hold(services, &scene.new_hold(0, 1)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PartnerBalanceLocked, "{}", stage.engine);
        count(&services.db, stage.engine).await;
    }
}

async fn change(services: &Services, scene: &Scene, change: BalanceChange) -> Result<(), Error> {
    let mut tx = services.db.begin().await?;
    let what = (scene.balances[0], change);
    change_balance::apply(services, &mut tx, &scene.users[0], what, Party::Operator).await?;
    tx.commit().await?;
    Ok(())
}

#[tokio::test]
async fn a_balance_closes_when_it_is_empty_and_takes_no_money_afterwards() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        let code = async || {
            change(services, &scene, BalanceChange::Close)
                .await
                .unwrap_err()
                .code()
        };
        assert_eq!(code().await, Code::BalanceNotEmpty);
        let held = scene.hold(services, &scene.new_hold(0, 1_000)).await.unwrap();
        assert_eq!(code().await, Code::BalanceNotEmpty, "{}", stage.engine);
        scene.clear(services, (0, held), 1_000).await.unwrap();
        change(services, &scene, BalanceChange::Close).await.unwrap();
        assert_eq!(code().await, Code::BalanceClosed);
        let refused = scene.hold(services, &scene.new_hold(0, 1)).await.unwrap_err();
        assert_eq!(refused.code(), Code::BalanceClosed);
        assert_eq!(
            scene.refund(services, 0, 1).await.unwrap_err().code(),
            Code::BalanceClosed
        );
    }
}

#[tokio::test]
async fn nobody_holds_clears_or_voids_for_somebody_else_or_without_a_limit() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        let held = scene.hold(services, &scene.new_hold(0, 10)).await.unwrap();
        for code in [
            scene.clear(services, (1, held), 10).await.unwrap_err().code(),
            scene.void(services, (1, held)).await.unwrap_err().code(),
            // The partner's leg is no authorisation of anybody's.
            scene
                .void(services, (0, TransferId(held.0 + 1)))
                .await
                .unwrap_err()
                .code(),
        ] {
            assert_eq!(code, Code::NotFound, "{}", stage.engine);
        }
        let foreign = NewHold {
            balance: scene.balances[1],
            ..scene.new_hold(0, 1)
        };
        assert_eq!(
            scene.hold(services, &foreign).await.unwrap_err().code(),
            Code::NotFound
        );
        let zloty = "PLN".parse().unwrap();
        let mut other = scene.new_hold(0, 1);
        other.money.currency = zloty;
        assert_eq!(
            scene.hold(services, &other).await.unwrap_err().code(),
            Code::BalanceRequired
        );
        let mut tx = services.db.begin().await.unwrap();
        let program = scene.users[0].program.clone();
        let balance = balances::insert(&mut tx, scene.users[0].id, &program, zloty, services.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        other.balance = balance.id;
        let refused = scene.hold(services, &other).await.unwrap_err();
        assert_eq!(refused.code(), Code::PartnerBalanceRequired, "{}", stage.engine);
    }
}

#[tokio::test]
async fn the_history_is_the_users_own_newest_first_page_by_page() {
    for stage in stages().await {
        let services = &stage.services;
        let scene = paid(&stage).await;
        scene.pay_in(services, Some(1), 50).await;
        let merchant = Merchant::parse("Shop", Some("5411"), Some("PL")).unwrap();
        let new = NewHold {
            merchant: Some(&merchant),
            ..scene.new_hold(0, 30)
        };
        let held = scene.hold(services, &new).await.unwrap();
        let cleared = scene.clear(services, (0, held), 20).await.unwrap();
        let history = scene.history(services, 0).await;
        let told: Vec<_> = history
            .iter()
            .map(|one| (one.kind.as_str(), one.state.as_str(), one.amount.minor()))
            .collect();
        let expected = [
            ("CLEARING", "POSTED", 20),
            ("AUTHORISATION", "POSTED", 30),
            ("RELOAD", "POSTED", 1_000),
        ];
        assert_eq!(told, expected, "{}", stage.engine);
        let first = history.first().unwrap();
        assert_eq!(
            (Some(first.id), first.authorisation),
            (cleared.transaction, Some(held))
        );
        assert_eq!(
            (first.merchant.as_ref(), first.reference.as_deref()),
            (Some(&merchant), Some("auth-1"))
        );
        let mut read = services.db.read().await.unwrap();
        let user = scene.users[0].id;
        let page = transfers::of_user(&mut read, user, Filter::default(), held.0, 1)
            .await
            .unwrap();
        assert_eq!(page.as_slice(), history.get(2..).unwrap());
        let other = Filter {
            balance: Some(scene.balances[1]),
            card: None,
        };
        assert!(
            transfers::of_user(&mut read, user, other, 0, 9)
                .await
                .unwrap()
                .is_empty()
        );
    }
}
