//! KYC decisions and applications, and the balances that follow from them.

use super::super::apply_for_kyc::{Filing, apply_for_kyc};
use super::super::create_balance::create_balance;
use super::super::set_kyc::{Decision, set_kyc};
use super::{answer, request};
use crate::domain::balance::BALANCES_MAX;
use crate::domain::kyc::KycStatus;
use crate::error::Code;
use crate::store::balances;
use crate::store::idempotency::Answer;
use crate::store::kyc::Source;
use crate::store::tests::people::user;
use crate::testing::stages;

fn decision(status: KycStatus) -> Decision {
    Decision {
        status,
        provider: "desk".to_owned(),
        reference: "case".to_owned(),
        rejection: None,
    }
}

#[tokio::test]
async fn acceptance_makes_the_automatic_balance_once() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let count = || async {
            let mut read = services.db.read().await.unwrap();
            balances::list(&mut read, ada, 0, 10).await.unwrap().len()
        };
        set_kyc(services, ada, &decision(KycStatus::InProgress))
            .await
            .unwrap();
        assert_eq!(count().await, 0, "{}", stage.engine);
        for _ in 0..2 {
            set_kyc(services, ada, &decision(KycStatus::Accepted))
                .await
                .unwrap();
            assert_eq!(count().await, 1, "{}", stage.engine);
        }
        set_kyc(services, ada, &decision(KycStatus::Rejected))
            .await
            .unwrap();
        set_kyc(services, ada, &decision(KycStatus::Accepted))
            .await
            .unwrap();
        assert_eq!(count().await, 1, "{}", stage.engine);
    }
}

#[tokio::test]
async fn an_application_waits_and_a_refused_user_applies_again() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let apply = || async {
            let render = |_, status: KycStatus| {
                assert_eq!(status, KycStatus::InProgress);
                Ok(answer())
            };
            let filing = Filing {
                source: Source::User,
                data: "{}",
                documents: &[],
            };
            apply_for_kyc(services, &request(None), ada, &filing, render)
                .await
                .map_err(|error| error.code())
        };
        assert_eq!(apply().await, Ok(answer()), "{}", stage.engine);
        assert_eq!(apply().await, Err(Code::KycInProgress));
        set_kyc(services, ada, &decision(KycStatus::Rejected))
            .await
            .unwrap();
        assert_eq!(apply().await, Ok(answer()));
        set_kyc(services, ada, &decision(KycStatus::Accepted))
            .await
            .unwrap();
        assert_eq!(apply().await, Err(Code::KycAccepted));
    }
}

#[tokio::test]
async fn a_user_has_only_so_many_balances() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        set_kyc(services, ada, &decision(KycStatus::Accepted))
            .await
            .unwrap();
        let create = || async {
            create_balance(services, &request(None), (ada, None), None, |_| Ok(answer()))
                .await
                .map_err(|error| error.code())
        };
        // The first came with the established identity.
        for _ in 1..BALANCES_MAX {
            assert!(create().await.is_ok(), "{}", stage.engine);
        }
        assert_eq!(create().await, Err(Code::TooManyBalances), "{}", stage.engine);
    }
}

#[tokio::test]
async fn a_balance_needs_an_established_identity_and_a_retry_makes_no_second_one() {
    for stage in stages().await {
        let services = &stage.services;
        let ada = user(&services.db, "partner", 1).await;
        let create = |key: &'static str| async move {
            create_balance(services, &request(Some(key)), (ada, None), None, |balance| {
                Ok(Answer {
                    body: balance.id.0.to_string().into_bytes(),
                    ..answer()
                })
            })
            .await
            .map_err(|error| error.code())
        };
        assert_eq!(create("k").await, Err(Code::KycRequired), "{}", stage.engine);
        set_kyc(services, ada, &decision(KycStatus::Accepted))
            .await
            .unwrap();
        let (first, again, other) = (create("k").await, create("k").await, create("l").await);
        assert!(first.is_ok(), "a refusal does not use the key up");
        assert_eq!(first, again, "{}", stage.engine);
        assert_ne!(first, other);
    }
}
