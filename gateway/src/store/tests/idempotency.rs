use super::*;
use crate::store::idempotency::{Answer, Claimed, Claims, KEPT_FOR, Request, complete, free_all, sweep};
use time::Duration;

fn request(body: u8) -> Request {
    Request {
        scope: "user:1001 POST /x".to_owned(),
        key: Some("key".to_owned()),
        fingerprint: [body; 32],
    }
}

fn answer() -> Answer {
    Answer {
        status: 201,
        vault_proof: Some("proof".to_owned()),
        audit_index: Some(17),
        body: b"{\"id\":1}".to_vec(),
    }
}

async fn claim(db: &Db, claims: &Claims, request: &Request, now: OffsetDateTime) -> Claimed {
    let mut tx = db.begin().await.unwrap();
    let claimed = claims.claim(&mut tx, request, now).await.unwrap();
    tx.commit().await.unwrap();
    claimed
}

#[tokio::test]
async fn the_same_request_gets_the_first_answer_byte_for_byte_and_another_one_is_refused() {
    for test in databases().await {
        let claims = Claims::of_process("one".to_owned());
        let Claimed::Open(open) = claim(&test.db, &claims, &request(1), NOON).await else {
            panic!("not open")
        };
        let mut tx = test.db.begin().await.unwrap();
        open.complete(&mut tx, &answer()).await.unwrap();
        tx.commit().await.unwrap();
        match claim(&test.db, &claims, &request(1), NOON).await {
            Claimed::Replay(replayed) => assert_eq!(replayed, answer(), "{}", test.engine),
            other => panic!("{}: {other:?}", test.engine),
        }
        assert!(
            matches!(claim(&test.db, &claims, &request(2), NOON).await, Claimed::Reused),
            "{}",
            test.engine
        );
        let elsewhere = Request {
            scope: "user:1002 POST /x".to_owned(),
            ..request(2)
        };
        assert!(
            matches!(claim(&test.db, &claims, &elsewhere, NOON).await, Claimed::Open(_)),
            "{}",
            test.engine
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_filed_is_not_filed_over() {
    for test in databases().await {
        let claims = Claims::of_process("one".to_owned());
        let Claimed::Open(open) = claim(&test.db, &claims, &request(1), NOON).await else {
            panic!("not open")
        };
        let later = Answer {
            body: b"later".to_vec(),
            ..answer()
        };
        let mut tx = test.db.begin().await.unwrap();
        for given in [answer(), later.clone()] {
            let holds = complete(&mut tx, open.entry(), given).await.unwrap();
            assert_eq!(holds, answer(), "{}", test.engine);
        }
        open.complete(&mut tx, &later).await.unwrap();
        tx.commit().await.unwrap();
        match claim(&test.db, &claims, &request(1), NOON).await {
            Claimed::Replay(replayed) => assert_eq!(replayed, answer(), "{}", test.engine),
            other => panic!("{}: {other:?}", test.engine),
        }
    }
}

#[tokio::test]
async fn a_request_under_way_is_not_begun_twice_and_a_dropped_one_is_resumed() {
    for test in databases().await {
        let claims = Claims::of_process("one".to_owned());
        let Claimed::Open(first) = claim(&test.db, &claims, &request(1), NOON).await else {
            panic!("not open")
        };
        assert!(
            matches!(
                claim(&test.db, &claims, &request(1), NOON).await,
                Claimed::InFlight
            ),
            "{}",
            test.engine
        );
        let entry = first.entry();
        assert_eq!(first.resumed_from(), None);
        drop(first);
        let Claimed::Open(second) = claim(&test.db, &claims, &request(1), NOON).await else {
            panic!("not resumed")
        };
        assert_eq!(second.entry(), entry, "{}", test.engine);
        assert_eq!(second.resumed_from(), Some(NOON));
    }
}

#[tokio::test]
async fn what_another_process_left_is_resumed_when_it_is_known_to_be_dead() {
    for test in databases().await {
        let (dead, living) = (
            Claims::of_process("dead".to_owned()),
            Claims::of_process("living".to_owned()),
        );
        drop(claim(&test.db, &dead, &request(1), NOON).await);
        let soon = NOON + Duration::seconds(5);
        assert!(
            matches!(
                claim(&test.db, &living, &request(1), soon).await,
                Claimed::InFlight
            ),
            "{}",
            test.engine
        );
        let late = NOON + Duration::seconds(61);
        assert!(
            matches!(
                claim(&test.db, &living, &request(1), late).await,
                Claimed::Open(_)
            ),
            "{}",
            test.engine
        );
    }
}

#[tokio::test]
async fn a_restart_frees_what_the_only_process_left() {
    let test = sqlite().await;
    assert!(test.db.is_single_process());
    drop(
        claim(
            &test.db,
            &Claims::of_process("before".to_owned()),
            &request(1),
            NOON,
        )
        .await,
    );
    let mut tx = test.db.begin().await.unwrap();
    free_all(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let after = Claims::of_process("after".to_owned());
    assert!(matches!(
        claim(&test.db, &after, &request(1), NOON).await,
        Claimed::Open(_)
    ));
}

#[tokio::test]
async fn an_abandoned_key_is_free_for_a_better_request() {
    for test in databases().await {
        let claims = Claims::of_process("one".to_owned());
        let Claimed::Open(open) = claim(&test.db, &claims, &request(1), NOON).await else {
            panic!("not open")
        };
        let mut tx = test.db.begin().await.unwrap();
        open.abandon(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert!(
            matches!(
                claim(&test.db, &claims, &request(2), NOON).await,
                Claimed::Open(_)
            ),
            "{}",
            test.engine
        );
    }
}

#[tokio::test]
async fn a_request_that_comes_to_nothing_leaves_nothing() {
    for test in databases().await {
        let claims = Claims::of_process("one".to_owned());
        let mut tx = test.db.begin().await.unwrap();
        drop(claims.claim(&mut tx, &request(1), NOON).await.unwrap());
        drop(tx);
        assert!(
            matches!(
                claim(&test.db, &claims, &request(2), NOON).await,
                Claimed::Open(_)
            ),
            "{}",
            test.engine
        );
    }
}

#[tokio::test]
async fn two_that_come_together_have_one_effect() {
    for test in databases().await {
        let claims = Claims::of_process("one".to_owned());
        let once = || async {
            let mut tx = test.db.begin().await.unwrap();
            let claimed = claims.claim(&mut tx, &request(1), NOON).await.unwrap();
            if let Claimed::Open(open) = &claimed {
                open.complete(&mut tx, &answer()).await.unwrap();
            }
            tx.commit().await.unwrap();
            matches!(claimed, Claimed::Open(_))
        };
        let begun = tokio::join!(once(), once(), once(), once());
        let begun = [begun.0, begun.1, begun.2, begun.3];
        assert_eq!(begun.iter().filter(|begun| **begun).count(), 1, "{}", test.engine);
    }
}

#[tokio::test]
async fn answers_are_forgotten_after_a_day() {
    for test in databases().await {
        let claims = Claims::of_process("one".to_owned());
        drop(claim(&test.db, &claims, &request(1), NOON).await);
        for (at, swept) in [(NOON + KEPT_FOR, 0), (NOON + KEPT_FOR + Duration::seconds(1), 1)] {
            let mut tx = test.db.begin().await.unwrap();
            assert_eq!(sweep(&mut tx, at, 10).await.unwrap(), swept, "{}", test.engine);
            tx.commit().await.unwrap();
        }
    }
}
