//! What every committed operation moves: the end of the audit log and the budget book. Both are kept by the commit
//! thread alone, in the order of the commits, and are found again from the log after a restart.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::vault_api::governance::Budgets;

use crate::audit::checkpoint::Head;
use crate::audit::event::{Event, Operation, Outcome};
use crate::audit::log::{self, AtOnePoint, Log, Source};
use crate::audit::merkle::{self, CompactRange};
use crate::domain::budget::{Book, COUNTED_SECONDS, Charge, Meter};
use crate::domain::program::Rules;
use crate::error::Error;
use crate::keys::keyring::Keyring;
use crate::records::Tx;
use crate::registers::Registers;
use crate::store::{Snapshot, Tree};

/// Failed comparisons that one processor may cause in an hour, over all cards: a processor verifies millions of values
/// and fails at some per cent of them, a guesser fails always.
pub(crate) const PROCESSOR_FAILURES_PER_HOUR: u32 = 20_000;

/// So many events in a row that are older than a budget's window end the counting at unlock.
const MOST_OLDER_IN_A_ROW: u32 = 256;

/// The end of the log, and the budgets.
pub struct Ledger(Mutex<State>);

#[derive(Clone)]
struct State {
    range: CompactRange,
    book: Book,
}

impl Ledger {
    /// Finds the end of the log and counts the last hour's budgets again.
    ///
    /// # Errors
    /// The store cannot be read, an event does not open, or the log does not end where the last commit ended it.
    pub fn recover(
        snapshot: &Snapshot,
        keyring: &Keyring,
        registers: &Registers,
        now: i64,
    ) -> Result<Self, Error> {
        let log = Log(AtOnePoint { snapshot, keyring });
        let state = State::read(log, snapshot.reached().audit_head, registers, now)?;
        Ok(Self(Mutex::new(state)))
    }

    /// Reads what others wrote since this ledger's last event, so that the next one follows theirs. Called first in each
    /// transaction; mostly there is nothing to read.
    ///
    /// # Errors
    /// The store cannot be read, or the log is not what its head says.
    pub fn catch_up(&self, tx: &mut Tx<'_, '_>, registers: &Registers, now: i64) -> Result<Unseen, Error> {
        let mut state = self.lock();
        let stands_on = tx.audit_head();
        let mut unseen = Unseen::default();
        if stands_on != commit_head(&state.range) {
            let mut ahead = state.clone();
            while let Some(bytes) = Log(&mut *tx).find(ahead.range.size())? {
                ahead.range.append(merkle::leaf(&bytes), |_, _| {});
                let event = log::parse(&bytes)?;
                let at = event.at.unix_timestamp();
                if now.saturating_sub(at) < COUNTED_SECONDS {
                    ahead.book.count(charges(&event, registers), at);
                }
                unseen.note(event.operation);
            }
            if commit_head(&ahead.range) == stands_on {
                *state = ahead;
            } else {
                // A transaction of ours was recorded here and then not written.
                *state = State::read(Log(&mut *tx), stands_on, registers, now)?;
                unseen.everything = true;
            }
        }
        tx.expect_audit_index(state.range.size());
        Ok(unseen)
    }

    /// Whether the log ends here, as a commit record has it: nobody else wrote, and nothing of ours was lost.
    #[must_use]
    pub fn ends_at(&self, audit_head: [u8; 32]) -> bool {
        commit_head(&self.lock().range) == audit_head
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

    /// Ends a transaction that caught up: checks the budgets, appends the event, counts. The head it gives is durable
    /// once the transaction is.
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
        let mut range = state.range.clone();
        let mut nodes = Vec::new();
        range.append(merkle::leaf(&bytes), |subtree, hash| {
            nodes.extend(log::node_key(subtree).map(|key| (key, *hash)));
        });
        tx.put_value(Tree::Audit, &state.range.size().to_be_bytes(), &bytes)?;
        for (key, hash) in nodes {
            tx.put_value(Tree::AuditNodes, &key, &hash)?;
        }
        let head = Head {
            size: range.size(),
            root: range.root(),
        };
        tx.set_audit_head(head.root);
        state.range = range;
        state.book.count(charges, now);
        Ok(head)
    }

    /// The end of the log after the last event that was recorded: to be asked for inside a transaction, whose answer is
    /// durable.
    #[must_use]
    pub fn head(&self) -> Head {
        let state = self.lock();
        Head {
            size: state.range.size(),
            root: state.range.root(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What others wrote meanwhile.
#[derive(Debug, Default)]
pub struct Unseen {
    operations: HashSet<Operation>,
    everything: bool,
}

impl Unseen {
    fn note(&mut self, operation: Operation) {
        self.operations.insert(operation);
    }

    /// Whether operations of this kind may be among what was written.
    #[must_use]
    pub fn may_hold(&self, operation: Operation) -> bool {
        self.everything || self.operations.contains(&operation)
    }
}

impl State {
    /// Reads the end of a log that must end in `commit`, and counts.
    fn read(
        mut log: Log<impl Source>,
        commit: [u8; 32],
        registers: &Registers,
        now: i64,
    ) -> Result<Self, Error> {
        let size = log.size()?;
        let range = log.range(size)?;
        if commit_head(&range) != commit {
            return Err(Error::Corrupt(
                "the audit log does not end where the last commit ended it".to_owned(),
            ));
        }
        let book = count_again(&mut log, size, registers, now)?;
        Ok(Self { range, book })
    }
}

/// The log's end as the commit record has it: its root, and zero bytes before the first event.
fn commit_head(range: &CompactRange) -> [u8; 32] {
    if range.size() == 0 { [0; 32] } else { range.root() }
}

fn count_again(
    log: &mut Log<impl Source>,
    size: u64,
    registers: &Registers,
    now: i64,
) -> Result<Book, Error> {
    let mut book = Book::default();
    let mut recent = Vec::new();
    let mut older_in_a_row = 0;
    for index in (0..size).rev() {
        let event = log.event(index)?;
        let at = event.at.unix_timestamp();
        if now.saturating_sub(at) < COUNTED_SECONDS {
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
    Ok(book)
}

/// What an event costs.
fn charges(event: &Event, registers: &Registers) -> Vec<Charge> {
    let of_processor = matches!(
        event.operation,
        Operation::VerifyCvv | Operation::VerifyPin | Operation::LockOutside | Operation::UnlockOutside
    );
    if of_processor && event.outcome == Outcome::NoMatch {
        let processor = event.caller.as_ref().map(ToString::to_string).unwrap_or_default();
        return vec![Charge {
            meter: Meter::ProcessorFailures(processor),
            limit: PROCESSOR_FAILURES_PER_HOUR,
        }];
    }
    let program = event.program.as_ref().and_then(|name| registers.program(name));
    let looks_up = matches!(event.operation, Operation::Tokenise | Operation::JudgeRow);
    let looked_up = looks_up && event.outcome == Outcome::NoMatch;
    let counts = event.outcome == Outcome::Done || looked_up;
    let Some(program) = program.filter(|_| counts) else {
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
        (Operation::Issue | Operation::Order, Some(holder), _) => {
            meters.push(Meter::HolderIssues(holder.clone()))
        }
        (Operation::EnrolKey, Some(holder), _) => meters.push(Meter::HolderEnrolments(holder.clone())),
        // Whatever the look-up found, and whether a card comes of it or not: it is what a guesser would ask for. A dry run
        // has no holder for a user who is not there yet; the real one makes a new holder, who has used up nothing.
        (Operation::Tokenise | Operation::JudgeRow, holder, _) => {
            meters.extend(holder.clone().map(Meter::HolderTokenise));
            meters.push(Meter::PartnerTokenise(program.program().partner.clone()));
            meters.push(Meter::GatewayTokenise(gateway()));
        }
        (Operation::SetPin, _, Some(card)) => meters.push(Meter::CardPinSets(card.clone())),
        // What retention closes, nobody asked for.
        (Operation::Erase, _, _) if event.caller.is_some() => {
            meters.push(Meter::GatewayErasures(gateway()));
        }
        _ => {}
    }
    // What the bureau is given nobody reveals: it has a budget of its own.
    if event.operation == Operation::Personalise {
        return vec![Meter::BureauEmissions(program.program().name.clone())];
    }
    // An export is bounded by what two officers agreed on.
    if event.emitted && event.operation != Operation::Export {
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
        Meter::BureauEmissions(_) => budgets.emissions_per_bureau,
        Meter::HolderTokenise(_) => budgets.tokenise_per_holder,
        Meter::PartnerTokenise(_) => budgets.tokenise_per_partner,
        Meter::GatewayTokenise(_) => budgets.tokenise_per_gateway,
        Meter::ProcessorFailures(_) => PROCESSOR_FAILURES_PER_HOUR,
    }
}
