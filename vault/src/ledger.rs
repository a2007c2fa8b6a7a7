//! What every committed operation moves: the head of the audit chain and the budget book. Both are kept by the commit
//! thread alone, in the order of the commits, and are found again from the log after a restart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::vault_api::governance::Budgets;

use crate::audit::chain::Head;
use crate::audit::event::{Event, Operation, Outcome};
use crate::domain::budget::{Book, Charge, Meter, WINDOW_SECONDS};
use crate::domain::program::Rules;
use crate::error::Error;
use crate::keys::keyring::Keyring;
use crate::records::Tx;
use crate::registers::Registers;
use crate::store::{Store, Tree};

/// Failed comparisons that one processor may cause in an hour, over all cards: a processor verifies millions of values
/// and fails at some per cent of them, a guesser fails always.
pub(crate) const PROCESSOR_FAILURES_PER_HOUR: u32 = 20_000;

/// So many events in a row that are older than a budget's window end the counting at unlock.
const MOST_OLDER_IN_A_ROW: u32 = 256;

/// Chain and budgets.
pub struct Ledger(Mutex<State>);

struct State {
    head: Head,
    book: Book,
}

impl Ledger {
    /// Finds the end of the log and counts the last hour's budgets again.
    ///
    /// # Errors
    /// The store cannot be read, or an event does not open.
    pub fn recover(store: &Store, keyring: &Keyring, registers: &Registers, now: i64) -> Result<Self, Error> {
        let size = log_size(store)?;
        let head = match size.checked_sub(1) {
            Some(last) => Head {
                size,
                hash: Link::read(store, keyring, last)?.hash,
            },
            None => Head::default(),
        };
        if head.hash != store.reached().audit_head {
            return Err(Error::Corrupt(
                "the audit log does not end where the last commit ended it".to_owned(),
            ));
        }
        let mut book = Book::default();
        let mut recent = Vec::new();
        let mut older_in_a_row = 0;
        for index in (0..size).rev() {
            let event = Link::read(store, keyring, index)?.event()?;
            let at = event.at.unix_timestamp();
            if now.saturating_sub(at) < WINDOW_SECONDS {
                older_in_a_row = 0;
                recent.push((at, event));
                continue;
            }
            // Some events under a wrong clock must not end the counting.
            older_in_a_row += 1;
            if older_in_a_row > MOST_OLDER_IN_A_ROW {
                break;
            }
        }
        for (at, event) in recent.iter().rev() {
            book.count(charges(event, registers), *at);
        }
        Ok(Self(Mutex::new(State { head, book })))
    }

    /// Whether an event would fit its budgets.
    ///
    /// # Errors
    /// [`Error::Budget`].
    pub fn permits(&self, event: &Event, registers: &Registers, now: i64) -> Result<(), Error> {
        Ok(self.lock().book.permits(&charges(event, registers), now)?)
    }

    #[cfg(test)]
    pub(crate) fn count_for_test(&self, event: &Event, registers: &Registers, now: i64, times: u32) {
        let mut state = self.lock();
        (0..times).for_each(|_| state.book.count(charges(event, registers), now));
    }

    /// Ends a transaction: checks the budgets, appends the event, counts.
    ///
    /// # Errors
    /// A budget is used up, or the event cannot be written; the transaction is to be dropped.
    pub fn record(
        &self,
        tx: &mut Tx<'_, '_>,
        event: &Event,
        registers: &Registers,
        now: i64,
    ) -> Result<Head, Error> {
        let mut state = self.lock();
        let charges = charges(event, registers);
        state.book.permits(&charges, now)?;
        let bytes = serde_json::to_vec(event).map_err(|error| Error::Internal(error.to_string()))?;
        let next = state.head.after(&bytes);
        tx.append_event(state.head.size, &bytes, next.hash)?;
        state.head = next;
        state.book.count(charges, now);
        Ok(next)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One link of the chain as it is kept.
pub struct Link {
    /// The chain's hash after the event.
    pub hash: [u8; 32],
    /// The event's exact bytes.
    pub bytes: Vec<u8>,
}

impl Link {
    /// Reads the link at `index`.
    ///
    /// # Errors
    /// It is missing or does not open.
    pub fn read(store: &Store, keyring: &Keyring, index: u64) -> Result<Self, Error> {
        let missing = || Error::Corrupt(format!("audit event {index} is missing"));
        Self::find(store, keyring, index)?.ok_or_else(missing)
    }

    /// Reads the link at `index`, if the log goes that far.
    ///
    /// # Errors
    /// It does not open.
    pub fn find(store: &Store, keyring: &Keyring, index: u64) -> Result<Option<Self>, Error> {
        let key = index.to_be_bytes();
        let sealed = store
            .get(Tree::Audit, &key)
            .map_err(|error| Error::Store(error.to_string()))?;
        let Some(sealed) = sealed else { return Ok(None) };
        let link = keyring.open_record(Tree::Audit, &key, &sealed);
        let link = link.map_err(|error| Error::Corrupt(format!("audit event {index}: {error}")))?;
        match link.split_first_chunk::<32>() {
            Some((hash, bytes)) => Ok(Some(Self {
                hash: *hash,
                bytes: bytes.to_vec(),
            })),
            None => Err(Error::Corrupt(format!("audit event {index} is too short"))),
        }
    }

    fn event(&self) -> Result<Event, Error> {
        serde_json::from_slice(&self.bytes).map_err(|error| Error::Corrupt(error.to_string()))
    }
}

/// Indices are given without gaps, so the first missing one is found by halving.
fn log_size(store: &Store) -> Result<u64, Error> {
    let exists = |index: u64| -> Result<bool, Error> {
        let value = store.get(Tree::Audit, &index.to_be_bytes());
        Ok(value.map_err(|error| Error::Store(error.to_string()))?.is_some())
    };
    let mut beyond = 1u64;
    while exists(beyond - 1)? {
        beyond = beyond.saturating_mul(2);
    }
    let (mut known, mut missing) = (beyond / 2, beyond - 1);
    // `known` events exist for sure; event number `missing` does not.
    while known < missing {
        let middle = known + (missing - known) / 2;
        if exists(middle)? {
            known = middle + 1;
        } else {
            missing = middle;
        }
    }
    Ok(known)
}

/// What an event costs.
fn charges(event: &Event, registers: &Registers) -> Vec<Charge> {
    if let (Operation::VerifyCvv | Operation::VerifyPin, Outcome::NoMatch) = (event.operation, &event.outcome)
    {
        let processor = event.caller.as_ref().map(ToString::to_string).unwrap_or_default();
        return vec![Charge {
            meter: Meter::ProcessorFailures(processor),
            limit: PROCESSOR_FAILURES_PER_HOUR,
        }];
    }
    let program = event.program.as_ref().and_then(|name| registers.program(name));
    let (Outcome::Done, Some(program)) = (&event.outcome, program) else {
        return Vec::new();
    };
    let meters = meters(event, program);
    let budgets = &program.program().budgets;
    meters
        .into_iter()
        .map(|meter| Charge {
            limit: limit(&meter, budgets),
            meter,
        })
        .collect()
}

fn meters(event: &Event, program: &Arc<Rules>) -> Vec<Meter> {
    let gateway = || event.caller.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut meters = Vec::new();
    match (event.operation, &event.holder, &event.card) {
        (Operation::Issue, Some(holder), _) => meters.push(Meter::HolderIssues(holder.clone())),
        (Operation::EnrolKey, Some(holder), _) => meters.push(Meter::HolderEnrolments(holder.clone())),
        (Operation::SetPin, _, Some(card)) => meters.push(Meter::CardPinSets(card.clone())),
        (Operation::Erase, _, _) => meters.push(Meter::GatewayErasures(gateway())),
        _ => {}
    }
    if event.emitted {
        meters.extend(event.card.clone().map(Meter::CardEmissions));
        meters.extend(event.holder.clone().map(Meter::HolderEmissions));
        meters.push(Meter::PartnerEmissions(program.program().partner.clone()));
        meters.push(Meter::GatewayEmissions(gateway()));
    }
    meters
}

fn limit(meter: &Meter, budgets: &Budgets) -> u32 {
    match meter {
        Meter::CardEmissions(_) => budgets.emissions_per_card,
        Meter::HolderEmissions(_) => budgets.emissions_per_holder,
        Meter::PartnerEmissions(_) => budgets.emissions_per_partner,
        Meter::GatewayEmissions(_) => budgets.emissions_per_gateway,
        Meter::HolderIssues(_) => budgets.issues_per_holder,
        Meter::CardPinSets(_) => budgets.pin_sets_per_card,
        Meter::HolderEnrolments(_) => budgets.enrolments_per_holder,
        Meter::GatewayErasures(_) => budgets.erasures_per_gateway,
        Meter::ProcessorFailures(_) => PROCESSOR_FAILURES_PER_HOUR,
    }
}
