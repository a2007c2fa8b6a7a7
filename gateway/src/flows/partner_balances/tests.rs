//! Partner balances over a real database: four eyes, one credit for one bank transfer, who may.

use super::create::{NewPartnerBalance, create};
use super::decide_reload::{Decision, decide_reload};
use super::propose_reload::{SeenTransfer, propose_reload};
use super::set_low_level::set_low_level;
use super::set_state::set_state;
use crate::domain::ledger::{AccountKind, Amount, BankReference, LowLevel};
use crate::domain::operator::{Operator, Role, Scope};
use crate::domain::partner_balance::{
    PartnerBalance, PartnerBalanceId, PartnerBalanceState, PartnerReload, PartnerReloadId, ReloadState,
};
use crate::error::{Code, Error};
use crate::flows::operators::tests::operator;
use crate::services::Services;
use crate::store::audit::{self, Stamp};
use crate::store::idempotency::{Answer, Request};
use crate::store::ledger::tests::count;
use crate::store::partner_balances;
use crate::store::tests::events::told;
use crate::testing::stages;

fn request() -> Request {
    Request {
        scope: "test".to_owned(),
        key: None,
        fingerprint: [7; 32],
    }
}

/// An answer that carries a number.
fn answer(number: i64) -> Result<Answer, Error> {
    Ok(Answer {
        status: 200,
        vault_proof: None,
        audit_index: None,
        body: number.to_string().into_bytes(),
    })
}

fn number(answer: &Answer) -> i64 {
    std::str::from_utf8(&answer.body).unwrap().parse().unwrap()
}

fn stamp(by: &Operator) -> Stamp {
    Stamp::by(by, "MANAGE_PARTNER_BALANCES")
}

/// The platform's first and second Admin, and the partner's.
async fn admins(services: &Services) -> [Operator; 3] {
    let of = async |login, partner| operator(services, login, Role::Admin, partner).await.0;
    [
        of("first@bank.example", None).await,
        of("second@bank.example", None).await,
        of("own@partner.example", Some("partner")).await,
    ]
}

async fn make(services: &Services, by: &Operator, kind: AccountKind) -> Result<PartnerBalanceId, Error> {
    let new = NewPartnerBalance {
        partner: "partner".parse().unwrap(),
        program: "demo-eur".parse().unwrap(),
        kind,
        currency: "EUR".parse().unwrap(),
    };
    let shown = |balance: &PartnerBalance| answer(balance.id.0);
    let made = create(services, &request(), Some(&stamp(by)), &new, shown).await?;
    Ok(PartnerBalanceId(number(&made)))
}

async fn propose(
    services: &Services,
    by: &Operator,
    id: PartnerBalanceId,
    (minor, reference): (i64, &str),
) -> Result<PartnerReloadId, Error> {
    let seen = SeenTransfer {
        amount: Amount::new(minor).unwrap(),
        bank_reference: BankReference::parse(reference).unwrap(),
    };
    let shown = |reload: &PartnerReload| answer(reload.id.0);
    let made = propose_reload(services, &request(), (by, &stamp(by)), (id, &seen), shown).await?;
    Ok(PartnerReloadId(number(&made)))
}

async fn decide(
    services: &Services,
    by: &Operator,
    (id, reload): (PartnerBalanceId, PartnerReloadId),
    decision: Decision,
) -> Result<i64, Error> {
    let shown = |reload: &PartnerReload, balance: &PartnerBalance| {
        assert_ne!(reload.state, ReloadState::Proposed);
        answer(balance.sums.value().unwrap())
    };
    let what = (id, reload, decision);
    let decided = decide_reload(services, &request(), (by, &stamp(by)), what, shown).await?;
    Ok(number(&decided))
}

#[tokio::test]
async fn a_reload_takes_two_of_the_platforms_and_is_credited_once() {
    for stage in stages().await {
        let services = &stage.services;
        let [first, second, own] = admins(services).await;
        let id = make(services, &first, AccountKind::Credit).await.unwrap();
        let code = |outcome: Result<i64, Error>| outcome.unwrap_err().code();
        let refused = propose(services, &own, id, (500, "BANK-0001")).await.unwrap_err();
        assert_eq!(refused.code(), Code::PlatformOnly, "{}", stage.engine);
        let reload = propose(services, &first, id, (500, "BANK-0001")).await.unwrap();
        assert_eq!(
            code(decide(services, &first, (id, reload), Decision::Approve).await),
            Code::OwnProposal
        );
        assert_eq!(
            code(decide(services, &first, (id, reload), Decision::Reject).await),
            Code::OwnProposal
        );
        assert_eq!(
            code(decide(services, &own, (id, reload), Decision::Approve).await),
            Code::PlatformOnly
        );
        let elsewhere = (PartnerBalanceId(id.0 + 1), reload);
        assert_eq!(
            code(decide(services, &second, elsewhere, Decision::Approve).await),
            Code::NotFound
        );
        assert_eq!(
            decide(services, &second, (id, reload), Decision::Approve)
                .await
                .unwrap(),
            500
        );
        for decision in [Decision::Approve, Decision::Reject] {
            assert_eq!(
                code(decide(services, &second, (id, reload), decision).await),
                Code::ReloadDecided
            );
        }
        // The same bank transfer in another spelling, and by somebody else.
        for by in [&first, &second] {
            let again = propose(services, by, id, (500, "bank 0001")).await.unwrap_err();
            assert_eq!(again.code(), Code::BankReferenceUsed, "{}", stage.engine);
        }
        let events = told(&services.db).await;
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["partner_balance.reloaded"], "{}", stage.engine);
        assert_eq!(count(&services.db, stage.engine).await, 1);
        let mut read = services.db.read().await.unwrap();
        let trail = audit::list(&mut read, &Scope::Platform, 0, 99).await.unwrap();
        let actions: Vec<_> = trail.iter().map(|entry| entry.action.as_str()).collect();
        let expected = [
            "CREATE_PARTNER_BALANCE",
            "PROPOSE_PARTNER_RELOAD",
            "APPROVE_PARTNER_RELOAD",
        ];
        assert!(actions.ends_with(&expected), "{} {actions:?}", stage.engine);
    }
}

#[tokio::test]
async fn a_rejected_bank_transfer_may_be_proposed_again() {
    for stage in stages().await {
        let services = &stage.services;
        let [first, second, _] = admins(services).await;
        let id = make(services, &first, AccountKind::Deposit).await.unwrap();
        let wrong = propose(services, &first, id, (5_000, "BANK-0002")).await.unwrap();
        assert_eq!(
            decide(services, &second, (id, wrong), Decision::Reject)
                .await
                .unwrap(),
            0
        );
        let right = propose(services, &second, id, (500, "BANK-0002")).await.unwrap();
        assert_eq!(
            decide(services, &first, (id, right), Decision::Approve)
                .await
                .unwrap(),
            500,
            "{}",
            stage.engine
        );
        count(&services.db, stage.engine).await;
    }
}

#[tokio::test]
async fn a_partner_has_one_limit_in_a_currency() {
    for stage in stages().await {
        let services = &stage.services;
        let [first, ..] = admins(services).await;
        make(services, &first, AccountKind::Credit).await.unwrap();
        for kind in [AccountKind::Credit, AccountKind::Deposit] {
            let refused = make(services, &first, kind).await.unwrap_err();
            assert_eq!(refused.code(), Code::PartnerBalanceExists, "{}", stage.engine);
        }
    }
}

#[tokio::test]
async fn a_level_that_is_set_above_the_balance_is_told_at_once_and_once() {
    for stage in stages().await {
        let services = &stage.services;
        let [first, _, own] = admins(services).await;
        let id = make(services, &first, AccountKind::Credit).await.unwrap();
        for _ in 0..2 {
            let level = LowLevel::new(100, 200);
            set_low_level(services, (&own, &stamp(&own)), id, level)
                .await
                .unwrap();
            let events = told(&services.db).await;
            assert_eq!(events.len(), 1, "{}", stage.engine);
            assert_eq!(events.first().unwrap().kind, "partner_balance.low");
        }
        let off = set_low_level(services, (&own, &stamp(&own)), id, None)
            .await
            .unwrap();
        assert_eq!(off.low_level, None);
    }
}

#[tokio::test]
async fn only_the_platform_locks_a_limit_and_nobody_a_company_balance() {
    for stage in stages().await {
        let services = &stage.services;
        let [first, _, own] = admins(services).await;
        let id = make(services, &first, AccountKind::Credit).await.unwrap();
        let set = async |by: &Operator, id| {
            let shown = |balance: &PartnerBalance| answer(balance.id.0);
            let what = (id, PartnerBalanceState::Locked);
            set_state(services, &request(), (by, &stamp(by)), what, shown)
                .await
                .map(|_| ())
        };
        assert_eq!(
            set(&own, id).await.unwrap_err().code(),
            Code::PlatformOnly,
            "{}",
            stage.engine
        );
        set(&first, id).await.unwrap();
        let mut read = services.db.read().await.unwrap();
        let locked = partner_balances::find(&mut read, id).await.unwrap().unwrap();
        assert_eq!(locked.state, PartnerBalanceState::Locked);
        drop(read);
        crate::flows::money::tests::Scene::company(services).await;
        let company = PartnerBalanceId(id.0 + 1);
        assert_eq!(
            set(&first, company).await.unwrap_err().code(),
            Code::NotALimit,
            "{}",
            stage.engine
        );
        assert_eq!(set(&own, company).await.unwrap_err().code(), Code::NotFound);
        let level = set_low_level(services, (&first, &stamp(&first)), company, LowLevel::new(1, 1)).await;
        assert_eq!(level.unwrap_err().code(), Code::NotALimit);
    }
}
