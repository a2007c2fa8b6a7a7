//! A job in the hands of the one process that runs it. Whatever a step writes goes through here: with the job's record,
//! in one transaction, and only while the job is still at work and still ours.

use std::sync::Arc;

use shared::ids::JobToken;
use shared::vault_api::jobs::JobState;

use super::failures;
use super::pace::Pace;
use super::record::{JobRecord, Lease, active_key};
use crate::audit::event::{Event, Operation, Outcome};
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::Tx;

/// How long a lease holds without a commit of its owner. Every commit renews it.
const LEASE_SECONDS: i64 = 30;

/// A claimed job.
pub struct Turn {
    vault: Arc<OpenVault>,
    job: JobRecord,
    pub(super) pace: Pace,
    fresh: bool,
}

/// An item of a job that cannot be done.
#[derive(Debug, Clone)]
pub struct Failed {
    item: String,
    why: String,
    code: &'static str,
}

impl Failed {
    /// An item, and what came of it.
    #[must_use]
    pub fn of(item: &str, error: &Error) -> Self {
        Self {
            item: item.to_owned(),
            why: error.to_string(),
            code: error.status_and_code().1,
        }
    }
}

impl Turn {
    /// Takes the job, if it is at work and nobody else's.
    pub(crate) async fn claim(vault: &Arc<OpenVault>, id: &JobToken) -> Result<Option<Self>, Error> {
        let claim = Claim::of(vault);
        let key = active_key(id);
        let claimed = vault
            .transact(move |tx| {
                let Some(mut job) = tx.get::<JobRecord>(&key)? else {
                    return Ok(None);
                };
                if !job.is_at_work() || !claim.may_take(&job) {
                    return Ok(None);
                }
                job.lease = Some(claim.lease());
                tx.put(&job)?;
                Ok(Some(job))
            })
            .await?;
        Ok(claimed.map(|job| Self {
            vault: Arc::clone(vault),
            job,
            pace: Pace::default(),
            fresh: true,
        }))
    }

    /// The vault.
    #[must_use]
    pub const fn vault(&self) -> &Arc<OpenVault> {
        &self.vault
    }

    /// The job as it was last written.
    #[must_use]
    pub const fn job(&self) -> &JobRecord {
        &self.job
    }

    /// Whether this is the first step since the job was claimed.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    pub(super) const fn grow_old(&mut self) {
        self.fresh = false;
    }

    /// How many items the next batch should have at most.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.pace.batch(self.job.per_second)
    }

    /// For work that does many batches in one step: counts `items` and rests as long as traffic and officers want.
    pub async fn breathe(&mut self, items: u64) {
        self.pace.count(items, self.job.per_second);
        self.pace.wait(&self.vault.surroundings.store).await;
    }

    /// Runs `work` and writes the job as it leaves it, in one transaction.
    ///
    /// # Errors
    /// That of `work`; [`Error::Raced`] when the job was paused, ended or taken by another; the store's.
    pub async fn commit<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Tx<'_, '_>, &mut JobRecord) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let claim = Claim::of(&self.vault);
        let (key, rate) = (active_key(&self.job.id), self.pace.rate());
        let committed = self.vault.transact(move |tx| claim.under(tx, &key, rate, work));
        let (value, job) = committed.await?;
        self.job = job;
        Ok(value)
    }

    /// The same, with an audit event; `work` may complete it.
    ///
    /// # Errors
    /// As for [`Turn::commit`].
    pub async fn commit_event<T: Send + 'static>(
        &mut self,
        event: Event,
        work: impl FnOnce(&mut Tx<'_, '_>, &mut JobRecord, &mut Event) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let claim = Claim::of(&self.vault);
        let (key, rate) = (active_key(&self.job.id), self.pace.rate());
        let committed = self.vault.commit(event, move |tx, event| {
            claim.under(tx, &key, rate, |tx, job| work(tx, job, event))
        });
        let (value, job) = committed.await?;
        self.job = job;
        Ok(value)
    }

    /// An event of this job's own.
    #[must_use]
    pub fn event(&self, operation: Operation, note: String) -> Event {
        let mut event = Event::done(operation, self.vault.surroundings.clock.now());
        event.note = Some(note);
        event
    }

    /// Counts and names an item that cannot be done, and has it written down: inside the commit that moves the cursor
    /// past it. The first hundred are events of their own, the rest are in the count that the job's end tells.
    ///
    /// # Errors
    /// The store's.
    pub fn fail_in(
        tx: &mut Tx<'_, '_>,
        job: &mut JobRecord,
        now: time::OffsetDateTime,
        failed: Failed,
    ) -> Result<(), Error> {
        let Failed { item, why, code } = failed;
        tracing::error!(job = %job.id, item, why, "an item of a job failed");
        failures::keep(tx, &job.id, job.failed, &format!("{item}: {why}"))?;
        if job.failed < failures::MOST_NAMED {
            let mut event = Event::done(Operation::CorruptRecord, now);
            event.note = Some(format!("{} {item}", job.id));
            event.outcome = Outcome::Refused {
                code: code.to_owned(),
                reason: why,
            };
            tx.also(event);
        }
        job.failed += 1;
        Ok(())
    }

    /// The same in a transaction of its own.
    ///
    /// # Errors
    /// As for [`Turn::commit`].
    pub async fn fail(
        &mut self,
        item: &str,
        why: &str,
        cursor: impl FnOnce(&mut JobRecord) + Send + 'static,
    ) -> Result<(), Error> {
        let failed = Failed {
            item: item.to_owned(),
            why: why.to_owned(),
            code: "RECORD_CORRUPT",
        };
        let now = self.vault.surroundings.clock.now();
        self.commit(move |tx, job| {
            cursor(job);
            Self::fail_in(tx, job, now, failed)
        })
        .await
    }

    /// Counts and names an item that was refused, which is nothing corrupt: call it inside a commit.
    ///
    /// # Errors
    /// The store's.
    pub fn refuse(tx: &mut Tx<'_, '_>, job: &mut JobRecord, text: &str) -> Result<(), Error> {
        failures::keep(tx, &job.id, job.failed, text)?;
        job.failed += 1;
        Ok(())
    }

    /// Forgets the failures so far, for a further pass over what is left: call it inside a commit.
    ///
    /// # Errors
    /// The store's.
    pub fn forget_failures(tx: &mut Tx<'_, '_>, job: &mut JobRecord) -> Result<(), Error> {
        failures::forget(tx, &job.id, job.failed)?;
        job.failed = 0;
        Ok(())
    }

    /// Ends the job: `work` does what belongs to its end, and the event tells it.
    ///
    /// # Errors
    /// As for [`Turn::commit`].
    pub async fn end(
        &mut self,
        state: JobState,
        reason: Option<String>,
        work: impl FnOnce(&mut Tx<'_, '_>, &mut JobRecord) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let event = self.event(Operation::ChangeJob, String::new());
        let now = self.vault.surroundings.clock.now();
        self.commit_event(event, move |tx, job, event| {
            tx.delete::<JobRecord>(&active_key(&job.id))?;
            (job.state, job.ended_at, job.reason) = (state, Some(now), reason);
            work(tx, job)?;
            let word = if state == JobState::Done { "done" } else { "failed" };
            let kind = job.work.kind();
            let note = format!(
                "{} {kind:?} {word}: {} done, {} failed",
                job.id, job.done, job.failed
            );
            event.note = Some(match &job.reason {
                Some(reason) => format!("{note}: {reason}"),
                None => note,
            });
            Ok(())
        })
        .await
    }
}

/// Who may work on a job now.
#[derive(Clone, Copy)]
struct Claim {
    owner: u64,
    now: i64,
    /// Whether other processes may be at work on the store.
    shared: bool,
}

impl Claim {
    fn of(vault: &OpenVault) -> Self {
        Self {
            owner: vault.desk.owner,
            now: vault.now(),
            shared: vault.surroundings.store.is_shared(),
        }
    }

    const fn lease(self) -> Lease {
        Lease {
            owner: self.owner,
            until: self.now.saturating_add(LEASE_SECONDS),
        }
    }

    /// In a store of this process alone, a lease that is not ours was left by a process that is dead.
    fn may_take(self, job: &JobRecord) -> bool {
        job.lease
            .is_none_or(|lease| lease.owner == self.owner || lease.until < self.now || !self.shared)
    }

    fn under<T>(
        self,
        tx: &mut Tx<'_, '_>,
        key: &[u8],
        rate: u64,
        work: impl FnOnce(&mut Tx<'_, '_>, &mut JobRecord) -> Result<T, Error>,
    ) -> Result<(T, JobRecord), Error> {
        let mut job: JobRecord = tx.get(key)?.ok_or(Error::Raced)?;
        if !job.is_at_work() || job.lease.is_none_or(|lease| lease.owner != self.owner) {
            return Err(Error::Raced);
        }
        let value = work(tx, &mut job)?;
        job.rate = rate;
        job.lease = (!job.has_ended()).then(|| self.lease());
        tx.put(&job)?;
        Ok((value, job))
    }
}
