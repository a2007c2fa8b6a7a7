//! Any sequence of operations against a sheet of paper, on each engine. `TESSERA_LEDGER_CASES` sets the sequences of each; some
//! thousands overnight (`tests/long`).

use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use super::*;
use crate::domain::ledger::tests::{Operation, Paper, operations};

const CASES_VARIABLE: &str = "TESSERA_LEDGER_CASES";
const DEFAULT_CASES: u32 = 8;
const MOST_OPERATIONS: usize = 60;

#[test]
fn any_sequence_on_each_engine_comes_to_what_a_sheet_of_paper_says() {
    let cases = std::env::var(CASES_VARIABLE).map_or(DEFAULT_CASES, |text| text.parse().unwrap());
    let runtime = Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config {
        cases,
        ..Config::default()
    });
    runner
        .run(&operations(MOST_OPERATIONS), |operations| {
            runtime.block_on(async {
                for stage in stages().await {
                    against_paper(&stage, &operations).await;
                }
            });
            Ok(())
        })
        .unwrap();
}

async fn against_paper(stage: &Stage, operations: &[Operation]) {
    let services = &stage.services;
    let scene = Scene::set(services).await;
    let (mut paper, mut holds) = (Paper::default(), Vec::new());
    for operation in operations {
        let expected = paper.run(operation).map(|(_, passes)| passes);
        let passed = run(services, &scene, operation, &mut holds).await;
        assert_eq!(passed, expected == Some(true), "{} {operation:?}", stage.engine);
        for user in 0..2 {
            let expected = [
                (paper.users[user], paper.free(user)),
                (paper.partner, paper.partner_free()),
            ];
            assert_eq!(
                scene.worth(services, user).await,
                expected,
                "{} {operation:?}",
                stage.engine
            );
        }
    }
    assert_eq!(
        scene.outside(services).await,
        (paper.platform, paper.scheme),
        "{}",
        stage.engine
    );
    count(&services.db, stage.engine).await;
}

/// Whether the operation passed; holds are remembered by their place.
pub(super) async fn run(
    services: &Services,
    scene: &Scene,
    operation: &Operation,
    holds: &mut Vec<(usize, TransferId)>,
) -> bool {
    match *operation {
        Operation::Reload(user, minor) => {
            scene.pay_in(services, Some(user), minor).await;
            true
        }
        Operation::PartnerReload(minor) => {
            scene.pay_in(services, None, minor).await;
            true
        }
        Operation::Hold(user, minor) => {
            // Its time is over at once, so that it can be ended at any time.
            let new = NewHold {
                expires_at: Some(services.now()),
                ..scene.new_hold(user, minor)
            };
            let held = passed(scene.hold(services, &new).await);
            holds.extend(held.map(|held| (user, held)));
            held.is_some()
        }
        Operation::Clear(index, minor) => match holds.get(index) {
            Some(held) => passed(scene.clear(services, *held, minor).await).is_some(),
            None => false,
        },
        Operation::Void(index) => match holds.get(index) {
            Some(held) => passed(scene.void(services, *held).await).is_some(),
            None => false,
        },
        Operation::Expire(index) => match holds.get(index) {
            Some((_, held)) => scene.expire(services, *held).await.unwrap(),
            None => false,
        },
        Operation::Refund(user, minor) => passed(scene.refund(services, user, minor).await).is_some(),
    }
}

/// What passed; none for what the rules of money refuse. Anything else is a defect.
fn passed<T>(outcome: Result<T, Error>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            let expected = [
                Code::InsufficientFunds,
                Code::PartnerLimitExceeded,
                Code::HoldEnded,
            ];
            assert!(expected.contains(&error.code()), "{error:?}");
            None
        }
    }
}
