//! Who debits whom, and for what: every business event as a chain of entries (drawn in ADR 0023).
//!
//! A purchase has two legs. The user's claim is spent: USER → FUNDING. The scheme is paid out of what the partner has paid in:
//! CREDIT or DEPOSIT → SETTLEMENT. Both legs are one chain, so that neither limit is drawn without the other. What clearing
//! asks beyond the authorisation is COMPANY's: COMPANY → SETTLEMENT.

use super::{AccountId, Amount, Entry, Step, TransferKind};

/// The accounts that a user's transactions touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties {
    /// The user balance's.
    pub user: AccountId,
    /// The partner's CREDIT or DEPOSIT.
    pub limit: AccountId,
    /// The bank outside.
    pub funding: AccountId,
    /// The scheme.
    pub settlement: AccountId,
    /// The platform's, which pays differences.
    pub company: AccountId,
}

/// An entry and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// The entry.
    pub entry: Entry,
    /// What it is for.
    pub kind: TransferKind,
    /// Whose leg it is.
    pub leg: Leg,
}

/// Whose leg of a chain an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// The user's, who is shown it.
    User,
    /// The partner's.
    Limit,
    /// The platform's.
    Company,
}

const fn planned(
    (debit, credit): (AccountId, AccountId),
    amount: Amount,
    step: Step,
    kind: TransferKind,
    leg: Leg,
) -> Planned {
    let entry = Entry {
        debit,
        credit,
        amount,
        step,
    };
    Planned { entry, kind, leg }
}

/// The legs of a purchase, in the order in which they are applied.
const fn legs(parties: &Parties) -> [((AccountId, AccountId), Leg); 2] {
    [
        ((parties.user, parties.funding), Leg::User),
        ((parties.limit, parties.settlement), Leg::Limit),
    ]
}

/// A user's money came in: FUNDING → USER.
#[must_use]
pub fn reload(funding: AccountId, user: AccountId, amount: Amount) -> Vec<Planned> {
    vec![planned(
        (funding, user),
        amount,
        Step::Move,
        TransferKind::Reload,
        Leg::User,
    )]
}

/// A partner's or the platform's money came in: FUNDING → CREDIT, DEPOSIT or COMPANY.
#[must_use]
pub fn partner_reload(funding: AccountId, to: AccountId, amount: Amount) -> Vec<Planned> {
    vec![planned(
        (funding, to),
        amount,
        Step::Move,
        TransferKind::PartnerReload,
        Leg::Limit,
    )]
}

/// A purchase is approved: both limits are reserved, together.
#[must_use]
pub fn hold(parties: &Parties, amount: Amount) -> Vec<Planned> {
    legs(parties)
        .map(|(accounts, leg)| planned(accounts, amount, Step::Reserve, TransferKind::Authorisation, leg))
        .into()
}

/// A purchase is settled. Up to what was held, user and partner pay, and the rest of the hold is free again; what is beyond
/// it, the platform pays.
#[must_use]
pub fn clearing(parties: &Parties, held: Amount, amount: Amount) -> Vec<Planned> {
    let step = Step::MoveReserved(held);
    let paid = amount.min(held);
    let mut chain: Vec<_> = legs(parties)
        .map(|(accounts, leg)| planned(accounts, paid, step, TransferKind::Clearing, leg))
        .into();
    chain.extend(amount.beyond(held).map(|beyond| difference(parties, beyond)));
    chain
}

/// A purchase is settled whose hold has expired. The scheme is paid all the same: by user and partner as far as the hold went
/// and both still have it (`payable`), by the platform for the rest. No limit is overdrawn.
#[must_use]
pub fn late_clearing(parties: &Parties, payable: Option<Amount>, amount: Amount) -> Vec<Planned> {
    let paid = payable.map(|payable| payable.min(amount));
    let mut chain = Vec::new();
    if let Some(paid) = paid {
        chain.extend(
            legs(parties)
                .map(|(accounts, leg)| planned(accounts, paid, Step::Move, TransferKind::Clearing, leg)),
        );
    }
    let beyond = paid.map_or(Some(amount), |paid| amount.beyond(paid));
    chain.extend(beyond.map(|beyond| difference(parties, beyond)));
    chain
}

const fn difference(parties: &Parties, amount: Amount) -> Planned {
    let accounts = (parties.company, parties.settlement);
    planned(
        accounts,
        amount,
        Step::Move,
        TransferKind::Difference,
        Leg::Company,
    )
}

/// An approval is taken back, or its time is over: what its legs hold is free again, the user's first.
#[must_use]
pub fn release(legs: impl IntoIterator<Item = (AccountId, AccountId, Amount)>) -> Vec<Planned> {
    let whose = |place| if place == 0 { Leg::User } else { Leg::Limit };
    legs.into_iter()
        .enumerate()
        .map(|(place, (debit, credit, held))| {
            planned(
                (debit, credit),
                held,
                Step::Release,
                TransferKind::Reversal,
                whose(place),
            )
        })
        .collect()
}

/// A merchant gives back: the legs of a purchase, turned round.
#[must_use]
pub fn refund(parties: &Parties, amount: Amount) -> Vec<Planned> {
    legs(parties)
        .map(|((from, to), leg)| planned((to, from), amount, Step::Move, TransferKind::Refund, leg))
        .into()
}
