//! The ledger's rows, and the count that other tests make after whatever they did.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::*;
use crate::domain::ledger::{AccountKind, Amount, PendingState, Phase, Sums, TransferId, TransferKind};
use crate::domain::operator::Scope;
use crate::store::row::{get, named};
use crate::store::tests::people::user;
use crate::store::tests::{NOON, databases};
use crate::store::{Db, StoreError, balances, partner_balances};
use accounts::{Owner, sums_of_row};
use transfers::NewTransfer;

/// Counts the ledger again from its transfers alone, and holds accounts and summaries against it: every account is what its
/// transfers say, debits are credits, nobody is below the limit, and the sums that operators see are those of the accounts.
/// Returns how many transfers there are.
pub(crate) async fn count(db: &Db, context: &str) -> usize {
    let mut read = db.read().await.unwrap();
    let transfers = sqlx::query(
        "SELECT t.debit_account_id, t.credit_account_id, t.amount, t.phase, p.state FROM transfers t \
         LEFT JOIN pending_transfers p ON p.transfer_id = t.id",
    )
    .fetch_all(&mut *read)
    .await
    .unwrap();
    let mut counted: BTreeMap<i64, Sums> = BTreeMap::new();
    for row in &transfers {
        let amount: i64 = get(row, "amount").unwrap();
        let (pending, posted) = match named(row, "phase", Phase::from_name).unwrap() {
            Phase::Single | Phase::PostPending => (0, amount),
            Phase::VoidPending => (0, 0),
            Phase::Pending => match named(row, "state", PendingState::from_name).unwrap() {
                PendingState::Pending => (amount, 0),
                _ => (0, 0),
            },
        };
        let debit = counted.entry(get(row, "debit_account_id").unwrap()).or_default();
        debit.debits_pending += pending;
        debit.debits_posted += posted;
        let credit = counted.entry(get(row, "credit_account_id").unwrap()).or_default();
        credit.credits_pending += pending;
        credit.credits_posted += posted;
    }
    let accounts = sqlx::query("SELECT * FROM accounts")
        .fetch_all(&mut *read)
        .await
        .unwrap();
    let (mut users, mut wallet, mut balance) = (0, 0, (0, 0));
    for row in &accounts {
        let id: i64 = get(row, "id").unwrap();
        let sums = sums_of_row(row).unwrap();
        let expected = counted.remove(&id).unwrap_or_default();
        assert_eq!(sums, expected, "{context}: account {id}");
        let kind = named(row, "kind", AccountKind::from_name).unwrap();
        let free = sums.available().unwrap();
        assert!(
            !kind.debits_must_not_exceed_credits() || free >= 0,
            "{context}: account {id}"
        );
        balance.0 += sums.debits_posted - sums.credits_posted;
        balance.1 += sums.debits_pending - sums.credits_pending;
        let value = sums.value().unwrap();
        users += if kind == AccountKind::User { value } else { 0 };
        let is_in_wallet =
            matches!(kind, AccountKind::User | AccountKind::Company) || kind.limits_a_partner();
        wallet += if is_in_wallet { value } else { 0 };
    }
    assert!(counted.is_empty(), "{context}: transfers of no account");
    assert_eq!(balance, (0, 0), "{context}: debits are not credits");
    let totals = totals::of_scope(&mut read, &Scope::Platform).await.unwrap();
    let told = totals
        .iter()
        .fold((0, 0), |sum, total| (sum.0 + total.users, sum.1 + total.wallet));
    assert_eq!(told, (users, wallet), "{context}: summaries");
    transfers.len()
}

/// A transfer of a user's, reserved or not.
async fn transfer(db: &Db, phase: Phase) -> TransferId {
    let (partner, program) = ("acme".parse().unwrap(), "demo-eur".parse().unwrap());
    let owner = Owner {
        partner: &partner,
        program: &program,
        currency: shared::money::Currency::EUR,
    };
    let ada = user(db, "acme", 1).await;
    let mut tx = db.begin().await.unwrap();
    let balance = balances::insert(&mut tx, ada, &program, owner.currency, NOON)
        .await
        .unwrap();
    let account = accounts::of_balance(&mut tx, owner, balance.id, NOON)
        .await
        .unwrap();
    let funding = accounts::ensure(&mut tx, owner, AccountKind::Funding, NOON)
        .await
        .unwrap();
    let id = TransferId(tx.next_number(crate::store::Sequence::Transfers).await.unwrap());
    let new = NewTransfer {
        ids: (id, id),
        accounts: (funding, account),
        amount: Amount::new(5).unwrap(),
        currency: owner.currency,
        kind: TransferKind::Reload,
        phase,
        pending: None,
        about: None,
        shown_to: Some((ada, balance.id)),
        card: None,
        reference: None,
        merchant: None,
    };
    transfers::insert(&mut tx, &new, NOON).await.unwrap();
    if phase == Phase::Pending {
        pending::insert(&mut tx, (id, id), NOON).await.unwrap();
    }
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_delete_a_transfer() {
    for test in databases().await {
        transfer(&test.db, Phase::Single).await;
        for statement in ["UPDATE transfers SET amount = 6", "DELETE FROM transfers"] {
            let mut tx = test.db.begin().await.unwrap();
            let refused = sqlx::query(statement).execute(&mut *tx).await;
            let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                refused.contains("append-only"),
                "{} {statement}: {refused}",
                test.engine
            );
        }
    }
}

#[tokio::test]
async fn the_database_itself_refuses_an_overdrawn_account() {
    for test in databases().await {
        transfer(&test.db, Phase::Single).await;
        for sums in ["debits_posted = 1", "debits_pending = 1"] {
            let mut tx = test.db.begin().await.unwrap();
            let statement = format!("UPDATE accounts SET {sums} WHERE kind = 'USER'");
            let refused = sqlx::query(sqlx::AssertSqlSafe(statement))
                .execute(&mut *tx)
                .await;
            assert!(refused.is_err(), "{} {sums}", test.engine);
        }
        let mut tx = test.db.begin().await.unwrap();
        sqlx::query("UPDATE accounts SET debits_posted = 1 WHERE kind = 'FUNDING'")
            .execute(&mut *tx)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_is_pending_ends_once() {
    for test in databases().await {
        let held = transfer(&test.db, Phase::Pending).await;
        let mut tx = test.db.begin().await.unwrap();
        let row = sqlx::query("SELECT * FROM transfers WHERE id = $1")
            .bind(held.0)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        let of = |column| crate::domain::ledger::AccountId(row.get::<i64, _>(column));
        let mut ids = vec![];
        for _ in 0..2 {
            let id = TransferId(tx.next_number(crate::store::Sequence::Transfers).await.unwrap());
            let new = NewTransfer {
                ids: (id, id),
                accounts: (of("debit_account_id"), of("credit_account_id")),
                amount: Amount::new(5).unwrap(),
                currency: shared::money::Currency::EUR,
                kind: TransferKind::Reversal,
                phase: Phase::VoidPending,
                pending: Some(held),
                about: None,
                shown_to: None,
                card: None,
                reference: None,
                merchant: None,
            };
            ids.push(transfers::insert(&mut tx, &new, NOON).await);
        }
        assert!(
            matches!(ids.as_slice(), [Ok(()), Err(StoreError::Duplicate)]),
            "{}",
            test.engine
        );
    }
}

#[tokio::test]
async fn a_partner_has_credit_or_deposit_in_a_currency_and_each_program_one_company_balance() {
    for test in databases().await {
        let (partner, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let (program, second) = ("demo-eur".parse().unwrap(), "demo-two".parse().unwrap());
        let owner = Owner {
            partner: &partner,
            program: &program,
            currency: shared::money::Currency::EUR,
        };
        let mut tx = test.db.begin().await.unwrap();
        let credit = accounts::insert(&mut tx, owner, AccountKind::Credit, None, NOON)
            .await
            .unwrap();
        for kind in [AccountKind::Credit, AccountKind::Deposit] {
            let refused = accounts::insert(&mut tx, owner, kind, None, NOON).await;
            assert!(matches!(refused, Err(StoreError::Duplicate)), "{}", test.engine);
        }
        let zloty = Owner {
            currency: "PLN".parse().unwrap(),
            ..owner
        };
        accounts::insert(&mut tx, zloty, AccountKind::Deposit, None, NOON)
            .await
            .unwrap();
        let others = Owner {
            partner: &other,
            ..owner
        };
        accounts::insert(&mut tx, others, AccountKind::Deposit, None, NOON)
            .await
            .unwrap();
        assert_eq!(
            accounts::limit_of(&mut tx, &partner, owner.currency)
                .await
                .unwrap(),
            Some(credit),
            "{}",
            test.engine
        );
        let companies = [
            accounts::ensure(&mut tx, owner, AccountKind::Company, NOON)
                .await
                .unwrap(),
            accounts::ensure(&mut tx, owner, AccountKind::Company, NOON)
                .await
                .unwrap(),
            accounts::ensure(
                &mut tx,
                Owner {
                    program: &second,
                    ..owner
                },
                AccountKind::Company,
                NOON,
            )
            .await
            .unwrap(),
        ];
        assert!(companies[0] == companies[1] && companies[1] != companies[2]);
        let shown = partner_balances::list(&mut tx, &Scope::Platform, 0, 9)
            .await
            .unwrap();
        assert_eq!(shown.len(), 2, "{}: the two company balances", test.engine);
        let theirs = partner_balances::list(&mut tx, &Scope::Partner(partner.clone()), 0, 9)
            .await
            .unwrap();
        assert!(theirs.is_empty(), "{}", test.engine);
    }
}

/// A balance that the version before made has no account; it is read as empty, and gets one when it needs one.
#[tokio::test]
async fn a_balance_of_the_version_before_is_empty_until_it_is_used() {
    for test in databases().await {
        let ada = user(&test.db, "acme", 1).await;
        let mut tx = test.db.begin().await.unwrap();
        sqlx::query(
            "INSERT INTO balances (id, user_id, program, currency, state, created_at) \
             VALUES (7, $1, 'demo-eur', 'EUR', 'ACTIVE', 1)",
        )
        .bind(ada.0)
        .execute(&mut *tx)
        .await
        .unwrap();
        let id = crate::domain::balance::BalanceId(7);
        let (balance, program) = balances::take(&mut tx, ada, id).await.unwrap().unwrap();
        assert_eq!(balance.sums, Sums::default(), "{}", test.engine);
        let partner = "acme".parse().unwrap();
        let owner = Owner {
            partner: &partner,
            program: &program,
            currency: balance.currency,
        };
        let made = accounts::of_balance(&mut tx, owner, id, NOON).await.unwrap();
        assert_eq!(
            accounts::of_balance(&mut tx, owner, id, NOON).await.unwrap(),
            made
        );
    }
}
