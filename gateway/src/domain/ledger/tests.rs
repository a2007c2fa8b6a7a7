//! The book against a plain model, for any sequence of chains.

use std::collections::HashMap;

use proptest::prelude::*;
use shared::money::Currency;

use super::plan::{self, Parties, Planned};
use super::*;

fn account(id: i64, kind: AccountKind) -> Account {
    Account {
        id: AccountId(id),
        kind,
        currency: Currency::EUR,
        sums: Sums::default(),
    }
}

/// Two users of one partner.
const USERS: [i64; 2] = [1, 2];

fn parties(user: usize) -> Parties {
    Parties {
        user: AccountId(USERS[user]),
        limit: AccountId(3),
        funding: AccountId(4),
        settlement: AccountId(5),
        company: AccountId(6),
    }
}

fn book() -> Book {
    Book::of([
        account(1, AccountKind::User),
        account(2, AccountKind::User),
        account(3, AccountKind::Credit),
        account(4, AccountKind::Funding),
        account(5, AccountKind::Settlement),
        account(6, AccountKind::Company),
    ])
}

fn released(user: usize, amount: Amount) -> Vec<Planned> {
    let parties = parties(user);
    plan::release([
        (parties.user, parties.funding, amount),
        (parties.limit, parties.settlement, amount),
    ])
}

fn entries(chain: &[Planned]) -> Vec<Entry> {
    chain.iter().map(|planned| planned.entry).collect()
}

/// What happens, by the place of a user or of a hold.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Reload(usize, i64),
    PartnerReload(i64),
    Hold(usize, i64),
    Clear(usize, i64),
    Void(usize),
    Expire(usize),
    Refund(usize, i64),
}

/// Any sequence of at most `most`.
pub(crate) fn operations(most: usize) -> impl Strategy<Value = Vec<Operation>> {
    let amount = 1..60_i64;
    let one = prop_oneof![
        (0..2_usize, amount.clone()).prop_map(|(user, amount)| Operation::Reload(user, amount)),
        amount.clone().prop_map(Operation::PartnerReload),
        (0..2_usize, amount.clone()).prop_map(|(user, amount)| Operation::Hold(user, amount)),
        (0..9_usize, amount.clone()).prop_map(|(hold, amount)| Operation::Clear(hold, amount)),
        (0..9_usize).prop_map(Operation::Void),
        (0..9_usize).prop_map(Operation::Expire),
        (0..2_usize, amount).prop_map(|(user, amount)| Operation::Refund(user, amount)),
    ];
    prop::collection::vec(one, 1..=most)
}

/// What anybody would keep on a sheet of paper: what users and the partner have, what is held, what the scheme was given and
/// what the platform paid.
#[derive(Default)]
pub(crate) struct Paper {
    pub(crate) users: [i64; 2],
    pub(crate) partner: i64,
    holds: Vec<Held>,
    pub(crate) scheme: i64,
    pub(crate) platform: i64,
}

#[derive(Clone, Copy)]
struct Held {
    user: usize,
    amount: i64,
    state: PendingState,
}

impl Paper {
    fn held(&self, user: Option<usize>) -> i64 {
        let live = self
            .holds
            .iter()
            .filter(|hold| hold.state == PendingState::Pending);
        live.filter(|hold| user.is_none_or(|user| hold.user == user))
            .map(|hold| hold.amount)
            .sum()
    }

    pub(crate) fn free(&self, user: usize) -> i64 {
        self.users[user] - self.held(Some(user))
    }

    pub(crate) fn partner_free(&self) -> i64 {
        self.partner - self.held(None)
    }

    /// Does it, and says what the book is to do, and whether it can; `None`: there is no such hold any more.
    pub(crate) fn run(&mut self, operation: &Operation) -> Option<(Vec<Planned>, bool)> {
        let amount = |minor| Amount::new(minor).unwrap();
        let chain = match *operation {
            Operation::Reload(user, minor) => {
                self.users[user] += minor;
                plan::reload(parties(user).funding, parties(user).user, amount(minor))
            }
            Operation::PartnerReload(minor) => {
                self.partner += minor;
                plan::partner_reload(parties(0).funding, parties(0).limit, amount(minor))
            }
            Operation::Hold(user, minor) => {
                let chain = plan::hold(&parties(user), amount(minor));
                if minor > self.free(user) || minor > self.partner_free() {
                    return Some((chain, false));
                }
                let state = PendingState::Pending;
                self.holds.push(Held {
                    user,
                    amount: minor,
                    state,
                });
                chain
            }
            Operation::Clear(index, minor) => self.clear(index, minor)?,
            Operation::Void(index) | Operation::Expire(index) => {
                let hold = self.holds.get_mut(index)?;
                if hold.state != PendingState::Pending {
                    return None;
                }
                hold.state = match operation {
                    Operation::Void(_) => PendingState::Voided,
                    _ => PendingState::Expired,
                };
                released(hold.user, amount(hold.amount))
            }
            Operation::Refund(user, minor) => {
                self.users[user] += minor;
                self.partner += minor;
                self.scheme -= minor;
                plan::refund(&parties(user), amount(minor))
            }
        };
        Some((chain, true))
    }

    fn clear(&mut self, index: usize, minor: i64) -> Option<Vec<Planned>> {
        let amount = |minor| Amount::new(minor).unwrap();
        let hold = *self.holds.get(index)?;
        let parties = parties(hold.user);
        let (paid, chain) = match hold.state {
            PendingState::Pending => {
                let paid = minor.min(hold.amount);
                (paid, plan::clearing(&parties, amount(hold.amount), amount(minor)))
            }
            PendingState::Expired => {
                let payable = hold.amount.min(self.free(hold.user)).min(self.partner_free());
                let paid = payable.min(minor);
                (
                    paid,
                    plan::late_clearing(&parties, Amount::new(payable), amount(minor)),
                )
            }
            PendingState::Posted | PendingState::Voided => return None,
        };
        self.holds[index].state = PendingState::Posted;
        self.users[hold.user] -= paid;
        self.partner -= paid;
        self.scheme += minor;
        self.platform += minor - paid;
        Some(chain)
    }

    fn agrees_with(&self, book: &Book) {
        let sums = |id| book.account(AccountId(id)).unwrap().sums;
        for (user, id) in USERS.into_iter().enumerate() {
            assert_eq!(sums(id).value(), Some(self.users[user]));
            assert_eq!(sums(id).available(), Some(self.free(user)));
        }
        assert_eq!(sums(3).value(), Some(self.partner));
        assert_eq!(sums(3).available(), Some(self.partner_free()));
        assert_eq!(sums(5).value(), Some(self.scheme));
        assert_eq!(sums(6).value(), Some(-self.platform));
        let both: i64 = self.users.iter().sum::<i64>() + self.partner;
        // What came in and is not with the scheme, is with users and partner, less what the platform laid out.
        assert_eq!(sums(4).value(), Some(-both - self.scheme + self.platform));
    }
}

/// Debits are credits, pending and posted, and nobody is below the limit.
fn is_sound(book: &Book) {
    let mut totals: HashMap<&str, i64> = HashMap::new();
    for account in book.accounts() {
        let sums = account.sums;
        for (name, sum) in [
            ("pending", sums.debits_pending - sums.credits_pending),
            ("posted", sums.debits_posted - sums.credits_posted),
        ] {
            *totals.entry(name).or_default() += sum;
        }
        let limited = account.kind.debits_must_not_exceed_credits();
        assert!(!limited || sums.available().unwrap() >= 0, "{account:?}");
    }
    assert!(totals.values().all(|total| *total == 0), "{totals:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn any_sequence_comes_to_what_a_sheet_of_paper_says(operations in operations(120)) {
        let (mut paper, mut book) = (Paper::default(), book());
        for operation in &operations {
            let Some((chain, passes)) = paper.run(operation) else { continue };
            match book.after(&entries(&chain)) {
                Ok(after) => {
                    prop_assert!(passes, "{operation:?} passed");
                    book = after;
                }
                Err(refusal) => prop_assert!(!passes, "{operation:?}: {refusal:?}"),
            }
            is_sound(&book);
            paper.agrees_with(&book);
        }
    }
}

#[test]
fn a_hold_draws_both_limits_or_none() {
    let parties = parties(0);
    let ten = Amount::new(10).unwrap();
    let rich_user = book()
        .after(&entries(&plan::reload(parties.funding, parties.user, ten)))
        .unwrap();
    let refused = rich_user.after(&entries(&plan::hold(&parties, ten)));
    assert_eq!(refused, Err(LedgerRefusal::ExceedsCredits(parties.limit)));
    let rich_partner = book().after(&entries(&plan::partner_reload(
        parties.funding,
        parties.limit,
        ten,
    )));
    let refused = rich_partner.unwrap().after(&entries(&plan::hold(&parties, ten)));
    assert_eq!(refused, Err(LedgerRefusal::ExceedsCredits(parties.user)));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let ten = Amount::new(10).unwrap();
    let entry = |debit, credit, step| Entry {
        debit: AccountId(debit),
        credit: AccountId(credit),
        amount: ten,
        step,
    };
    let refused = |entry: Entry| book().after(&[entry]).unwrap_err();
    assert_eq!(refused(entry(4, 4, Step::Move)), LedgerRefusal::Mismatch);
    assert_eq!(refused(entry(4, 9, Step::Move)), LedgerRefusal::Mismatch);
    assert_eq!(refused(entry(4, 1, Step::Release)), LedgerRefusal::OutOfRange);
    let five = Amount::new(5).unwrap();
    assert_eq!(
        refused(entry(4, 1, Step::MoveReserved(five))),
        LedgerRefusal::ExceedsPending
    );
    let mut zloty = account(9, AccountKind::User);
    zloty.currency = "PLN".parse().unwrap();
    let mixed = Book::of([account(4, AccountKind::Funding), zloty]);
    assert_eq!(
        mixed.after(&[entry(4, 9, Step::Move)]),
        Err(LedgerRefusal::Mismatch)
    );
    let most = Entry {
        amount: Amount::new(i64::MAX).unwrap(),
        ..entry(4, 1, Step::Move)
    };
    let full = book().after(&[most]).unwrap();
    assert_eq!(
        full.after(&[entry(4, 1, Step::Move)]),
        Err(LedgerRefusal::OutOfRange)
    );
}

#[test]
fn amounts_are_positive() {
    assert!(Amount::new(1).is_some() && Amount::new(i64::MAX).is_some());
    for bad in [0, -1, i64::MIN] {
        assert!(Amount::new(bad).is_none() && Amount::parse(bad).is_err());
    }
    let (three, five) = (Amount::new(3).unwrap(), Amount::new(5).unwrap());
    assert_eq!(five.beyond(three), Amount::new(2));
    assert_eq!(three.beyond(five), None);
    assert_eq!(three.beyond(three), None);
}
