//! The unlocked vault: the one value that holds keys, and what all flows share. It exists between unlock and lock; a
//! handler without it has no store to hand to a flow.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use shared::clock::Clock;
use shared::ids::ProgramName;
use shared::jwe::{RsaKeySize, SealerCache};
use shared::jws::VaultSigner;
use shared::mtls::trust::ReloadingTrust;
use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::audit::checkpoint::Head;
use crate::audit::event::{Event, Operation, Outcome};
use crate::audit::succession;
use crate::bulk::BulkRules;
use crate::challenges::Challenges;
use crate::domain::program::Rules;
use crate::domain::retention::RetentionRules;
use crate::ending::Ending;
use crate::environment::Environment;
use crate::error::Error;
use crate::flows::backup::UnderWay;
use crate::flows::reveals;
use crate::idempotency::{Logged, Slot};
use crate::keys::epoch::EpochFiles;
use crate::keys::handle::Keys;
use crate::keys::keyring::Keyring;
use crate::keys::slot::pkcs11::Hsm;
use crate::keys::slot::unlock::UnlockSession;
use crate::ledger::Ledger;
use crate::observe::Observed;
use crate::random::Random;
use crate::records::{Records, Tx};
use crate::refusals::Refusals;
use crate::registers::Registers;
use crate::store::{EngineError, Follower, Store};
use crate::witness::Witnesses;
use crate::work::Desk;

/// Races that one request may lose before it is told so. A lost race means that another request was answered.
const MOST_RACES: usize = 16;

/// Callers' keys that are kept ready: some kilobytes each, and a reveal to a kept key costs a fifth less.
const KEPT_SEALERS: usize = 4096;

/// What the process gives to the vault it opens.
#[derive(Clone)]
pub struct Surroundings {
    /// The store.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
    /// Signs attestations and Vault-Proofs with the vault's certificate; exchanged when that is renewed.
    pub signer: Arc<ArcSwap<VaultSigner>>,
    /// Judges partners' certificates: partner CA and its revocation list.
    pub partner_trust: Arc<ReloadingTrust>,
    /// How cards are destroyed.
    pub retention: RetentionRules,
    /// Where bulk files lie.
    pub bulk: BulkRules,
    /// Development or production.
    pub environment: Environment,
    /// The files of the epoch secret.
    pub epoch: EpochFiles,
    /// The PKCS#11 module, if one is configured.
    pub hsm: Option<Hsm>,
    /// Days after which a key is to be rotated.
    pub max_key_age_days: u16,
    /// The size of a new JWE key.
    pub rsa_key_size: RsaKeySize,
    /// The name of the audit log in its checkpoints.
    pub origin: Arc<str>,
    /// What is counted and watched.
    pub observed: Arc<Observed>,
    /// Whether the process is about to end.
    pub ending: Ending,
    /// Who follows the audit log outside.
    pub witnesses: Arc<Witnesses>,
}

/// The unlocked vault.
pub struct OpenVault {
    /// Typed records.
    pub records: Records,
    /// The keys in force.
    pub keys: Keys,
    /// Callers' keys, made ready to seal to.
    pub sealers: SealerCache,
    /// Open challenges.
    pub challenges: Challenges,
    /// Rate at which refusals are written down.
    pub refusals: Refusals,
    /// The jobs that this process runs.
    pub desk: Desk,
    /// Store, clock, randomness, certificates.
    pub surroundings: Surroundings,
    /// The backup that this process is writing.
    pub backup_under_way: UnderWay,
    ledger: Ledger,
    registers: ArcSwap<Registers>,
    keys_seen: std::sync::Mutex<Option<[u8; 32]>>,
    governing: Mutex<()>,
    /// Shares that are shown to drill a slot.
    drills: std::sync::Mutex<UnlockSession>,
    closed: AtomicBool,
    private_operations: Arc<Semaphore>,
}

impl OpenVault {
    /// Opens the records with `keyring`: reads the registers, finds the end of the audit log.
    ///
    /// # Errors
    /// The store cannot be read, or does not open with these keys.
    pub fn open(surroundings: Surroundings, keyring: Keyring) -> Result<Arc<Self>, Error> {
        let keys = Keys::new(keyring);
        let records = Records::new(
            surroundings.store.clone(),
            keys.clone(),
            surroundings.clock.clone(),
            Arc::clone(&surroundings.observed),
        );
        records.begin_uses()?;
        // First the point from which others are followed, then what may be newer than it: keys and registers that change
        // in between are only read once more.
        let unavailable = |error: EngineError| Error::Store(error.to_string());
        let snapshot = surroundings.store.snapshot().map_err(unavailable)?;
        let now = surroundings.clock.unix_seconds();
        if surroundings.store.is_shared() {
            let refreshed = keys.refresh(&surroundings.store, now);
            refreshed.map_err(|error| Error::Corrupt(error.to_string()))?;
        }
        let registers = Registers::read(&records)?;
        let ledger = Ledger::recover(&snapshot, &keys.current(), &registers, now)?;
        drop(snapshot);
        let owner = u64::from_be_bytes(surroundings.random.bytes()?);
        let drills = UnlockSession::new(surroundings.environment, Vec::new(), surroundings.clock.clone());
        // An RSA-4096 private operation takes 4 ms of a core: more of them at once than cores only wait for each other.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let vault = Arc::new(Self {
            records,
            keys,
            sealers: SealerCache::new(KEPT_SEALERS),
            challenges: Challenges::new(surroundings.store.is_shared()),
            refusals: Refusals::default(),
            desk: Desk::new(owner),
            backup_under_way: UnderWay::default(),
            ledger,
            registers: ArcSwap::from_pointee(registers),
            keys_seen: std::sync::Mutex::default(),
            governing: Mutex::new(()),
            drills: std::sync::Mutex::new(drills),
            closed: AtomicBool::new(false),
            private_operations: Arc::new(Semaphore::new(cores)),
            surroundings,
        });
        let follower: Weak<dyn Follower> = Arc::<Self>::downgrade(&vault);
        vault.surroundings.store.followed_by(follower);
        Ok(vault)
    }

    /// A fingerprint of the wrapped keys that were last read because another process had changed them.
    pub(crate) fn keys_seen(&self) -> std::sync::MutexGuard<'_, Option<[u8; 32]>> {
        self.keys_seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The end of the log and the budgets.
    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.surroundings.clock.unix_seconds()
    }

    /// The keyring in force now: taken once for each operation.
    #[must_use]
    pub fn keyring(&self) -> Arc<Keyring> {
        self.keys.current()
    }

    /// Programs and parties.
    #[must_use]
    pub fn registers(&self) -> Arc<Registers> {
        self.registers.load_full()
    }

    /// Reads the registers again after officers changed them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn reload_registers(&self) -> Result<(), Error> {
        self.registers.store(Arc::new(Registers::read(&self.records)?));
        Ok(())
    }

    /// A program's rules.
    ///
    /// # Errors
    /// There is no such program.
    pub fn program(&self, name: &ProgramName) -> Result<Arc<Rules>, Error> {
        self.registers
            .load()
            .program(name)
            .cloned()
            .ok_or(Error::NotFound("program"))
    }

    /// Runs `work` and writes `event` with it, in one durable transaction, within the budgets. `work` may complete the
    /// event by what it finds; the transaction tells it the index that the event will have.
    ///
    /// # Errors
    /// That of `work`, a used-up budget, or the store's; nothing was then written.
    pub async fn commit<T: Send + 'static>(
        self: &Arc<Self>,
        mut event: Event,
        work: impl FnOnce(&mut Tx<'_, '_>, &mut Event) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let vault = Arc::clone(self);
        let commit = move |tx: &mut Tx<'_, '_>| {
            if vault.is_closed() {
                return Err(Error::Locked);
            }
            vault.catch_up(tx)?;
            if tx.keyring().is_used_up() && !event.operation.is_of_officers() {
                return Err(Error::KeyUsedUp(
                    "the records key has sealed as often as it may".to_owned(),
                ));
            }
            let value = work(tx, &mut event)?;
            vault.record(tx, &event)?;
            vault.record_others(tx)?;
            Ok(value)
        };
        self.records.transact(commit).await
    }

    /// Runs `work` as one durable transaction that is no operation of anybody: a batch of a job, whose beginning and end
    /// are events.
    ///
    /// # Errors
    /// That of `work`, or the store's.
    pub async fn transact<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Tx<'_, '_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let vault = Arc::clone(self);
        let commit = move |tx: &mut Tx<'_, '_>| {
            if vault.is_closed() {
                return Err(Error::Locked);
            }
            vault.catch_up(tx)?;
            let value = work(tx)?;
            vault.record_others(tx)?;
            Ok(value)
        };
        self.records.transact(commit).await
    }

    /// Whether the vault was locked: nothing that still holds it commits anything.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Writes `event` and gives the end of the log after it.
    ///
    /// # Errors
    /// The store's.
    pub async fn commit_head(self: &Arc<Self>, event: Event) -> Result<Head, Error> {
        let vault = Arc::clone(self);
        let commit = move |tx: &mut Tx<'_, '_>| {
            if vault.is_closed() {
                return Err(Error::Locked);
            }
            vault.catch_up(tx)?;
            vault.record(tx, &event)
        };
        self.records.transact(commit).await
    }

    /// The shares of a running drill.
    pub fn drills(&self) -> std::sync::MutexGuard<'_, UnlockSession> {
        self.drills
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The durable end of the log.
    ///
    /// # Errors
    /// The store's.
    pub async fn durable_head(self: &Arc<Self>) -> Result<Head, Error> {
        let vault = Arc::clone(self);
        let look = move |tx: &mut Tx<'_, '_>| {
            vault.catch_up(tx)?;
            Ok(vault.ledger.head())
        };
        self.records.transact(look).await
    }

    fn catch_up(&self, tx: &mut Tx<'_, '_>) -> Result<(), Error> {
        // What others committed was followed when the group began; this tells the transaction its place in the log.
        self.ledger
            .catch_up(tx, &self.registers.load(), self.now())
            .map(drop)
    }

    /// Writes what the transaction wants written besides its operation.
    fn record_others(&self, tx: &mut Tx<'_, '_>) -> Result<(), Error> {
        tx.take_events()
            .iter()
            .try_for_each(|event| self.record(tx, event).map(drop))
    }

    fn record(&self, tx: &mut Tx<'_, '_>, event: &Event) -> Result<Head, Error> {
        let head = self
            .ledger
            .record(tx, event, &self.registers.load(), self.now())?;
        self.surroundings.observed.counters.event(event);
        succession::keep(tx, event, head, &self.surroundings.origin)?;
        reveals::keep(tx, event, head.size.saturating_sub(1))?;
        Ok(head)
    }

    /// Waits for the turn to change the registers.
    pub async fn governing(&self) -> MutexGuard<'_, ()> {
        self.governing.lock().await
    }

    /// The answer that the same request was given before, if any. Handing it out again is an event of its own.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`], or the store's.
    pub async fn replay<T: Logged>(self: &Arc<Self>, slot: &Slot, event: &Event) -> Result<Option<T>, Error> {
        let Some(mut answer) = slot.replay::<T>(&self.records)? else {
            return Ok(None);
        };
        let mut event = event.clone();
        event.outcome = Outcome::Replayed;
        event.bdh = answer.body_hash();
        let index = self.commit(event, |tx, _| Ok(tx.audit_index())).await?;
        answer.set_index(index);
        Ok(Some(answer))
    }

    /// Writes `event` as the last one: nothing that still holds this vault commits anything after it. The chain goes on
    /// when the vault is opened anew.
    ///
    /// # Errors
    /// The store's.
    pub async fn commit_last(self: &Arc<Self>, event: Event) -> Result<(), Error> {
        let vault = Arc::clone(self);
        let closed = self.commit(event, move |_, _| {
            vault.closed.store(true, Ordering::Release);
            Ok(())
        });
        let closed = closed.await;
        self.desk.wake();
        closed
    }

    /// Refuses, before anything is compared, when `event` would not fit its budget.
    ///
    /// # Errors
    /// [`Error::Budget`].
    pub fn permits(&self, event: &Event) -> Result<(), Error> {
        self.ledger.permits(event, &self.registers.load(), self.now())
    }

    /// Counts `event` so many times, as if it had happened.
    #[cfg(test)]
    pub(crate) fn spend_budget_for_test(&self, event: &Event, times: u32) {
        self.ledger
            .count_for_test(event, &self.registers.load(), self.now(), times);
    }

    /// Tries `work` until no other request is faster: each time over what is stored by then, unless the same request was
    /// answered meanwhile, which is then replayed under `event`.
    ///
    /// # Errors
    /// That of `work`; [`Error::Raced`] after [`MOST_RACES`] lost races.
    pub async fn attempt<T: Logged>(
        self: &Arc<Self>,
        same: Option<(&Slot, &Event)>,
        work: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        for _ in 0..MOST_RACES {
            match work().await {
                Err(Error::Raced) => {}
                other => return other,
            }
            if let Some((slot, event)) = same
                && let Some(answer) = self.replay(slot, event).await?
            {
                return Ok(answer);
            }
        }
        Err(Error::Raced)
    }

    /// Runs a flow and writes down its refusal, if it ends in one, and a corrupt record, if that was in its way. Failures of the vault itself cannot always be written
    /// down; they are logged by the door.
    ///
    /// # Errors
    /// That of the flow.
    pub async fn audited<T>(
        self: &Arc<Self>,
        event: Event,
        flow: impl AsyncFnOnce(Event) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match flow(event.clone()).await {
            Err(error) if error.is_refusal() => {
                self.write_refusal(event, &error).await?;
                Err(error)
            }
            Err(error @ (Error::Corrupt(_) | Error::UnknownKeyVersion(_))) => {
                self.write_corruption(event, &error).await?;
                Err(error)
            }
            other => other,
        }
    }

    async fn write_refusal(self: &Arc<Self>, mut event: Event, error: &Error) -> Result<(), Error> {
        if !self.refusals.is_written_down(event.caller.as_ref()) {
            return Ok(());
        }
        let (_, code) = error.status_and_code();
        event.outcome = Outcome::Refused {
            code: code.to_owned(),
            reason: error.to_string(),
        };
        event.emitted = false;
        self.commit(event, |_, _| Ok(())).await
    }

    /// The record that was in the way of a request, in an event of its own beside what was asked for.
    async fn write_corruption(self: &Arc<Self>, mut event: Event, error: &Error) -> Result<(), Error> {
        let (Error::Corrupt(what) | Error::UnknownKeyVersion(what)) = error else {
            return Ok(());
        };
        self.surroundings.observed.corruption.is_written(what);
        if !self.refusals.is_written_down(event.caller.as_ref()) {
            return Ok(());
        }
        event.operation = Operation::CorruptRecord;
        (event.outcome, event.emitted) = (Outcome::Done, false);
        event.note = Some(what.clone());
        self.commit(event, |_, _| Ok(())).await
    }

    /// Writes one event for each corrupt record that nobody's request told of: lists leave it out, sweeps pass it by.
    ///
    /// # Errors
    /// The store's.
    pub async fn write_corrupt_records(self: &Arc<Self>) -> Result<(), Error> {
        for what in self.surroundings.observed.corruption.take_unwritten() {
            let mut event = Event::done(Operation::CorruptRecord, self.surroundings.clock.now());
            event.note = Some(what);
            self.commit(event, |_, _| Ok(())).await?;
        }
        Ok(())
    }

    /// Writes one event for the refusals that were not written down one by one since the last time.
    ///
    /// # Errors
    /// The store's.
    pub async fn write_excess_refusals(self: &Arc<Self>) -> Result<(), Error> {
        let count = self.refusals.take_excess();
        if count == 0 {
            return Ok(());
        }
        let mut event = Event::done(Operation::ExcessRefusals, self.surroundings.clock.now());
        event.note = Some(count.to_string());
        self.commit(event, |_, _| Ok(())).await
    }

    /// Waits for the turn to use an RSA private key. More of them at once than cores only wait for each other.
    ///
    /// # Errors
    /// Never in practice: the turns are not ended.
    pub async fn private_operation(&self) -> Result<OwnedSemaphorePermit, Error> {
        let permit = Arc::clone(&self.private_operations).acquire_owned().await;
        permit.map_err(|error| Error::Internal(error.to_string()))
    }
}
