//! How fast jobs go: under the ceiling that officers set, and never in the way of requests.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::ids::JobToken;
use tokio::sync::{Notify, OwnedMutexGuard};

use crate::store::Store;

/// Items in one batch while requests wait: some milliseconds of the commit thread.
const SMALL_BATCH: usize = 32;
/// Items in one batch while none do.
const LARGE_BATCH: usize = 256;
/// A batch waits for the commit queue to be empty, but no longer: under a load that never ends a job still moves.
const MOST_YIELDED: Duration = Duration::from_millis(200);
/// How often the queue is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Over which the rate is measured.
const RATE_WINDOW: Duration = Duration::from_secs(10);

/// What this process knows of the jobs that it runs.
#[derive(Debug)]
pub struct Desk {
    /// Names this opening of the vault in leases.
    pub(super) owner: u64,
    wake: Notify,
    running: Mutex<HashSet<JobToken>>,
    epoch: Arc<tokio::sync::Mutex<()>>,
}

impl Desk {
    /// An empty desk; `owner` is a random number.
    #[must_use]
    pub fn new(owner: u64) -> Self {
        Self {
            owner,
            wake: Notify::new(),
            running: Mutex::default(),
            epoch: Arc::default(),
        }
    }

    /// Waits for the turn to replace the epoch: one change of its files at a time.
    pub async fn epoch_turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.epoch).lock_owned().await
    }

    /// Has the runner look for jobs now.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Whether nobody here runs the job yet; from now on somebody does, until the value is dropped.
    pub(super) fn take<'a>(&'a self, job: &JobToken) -> Option<AtDesk<'a>> {
        self.lock().insert(job.clone()).then(|| AtDesk {
            desk: self,
            job: job.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<JobToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that this process runs.
pub(super) struct AtDesk<'a> {
    desk: &'a Desk,
    job: JobToken,
}

impl Drop for AtDesk<'_> {
    fn drop(&mut self) {
        self.desk.lock().remove(&self.job);
    }
}

/// The pace of one job in this process.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Moments at which items were done, and how many.
    done: VecDeque<(Instant, u64)>,
    not_before: Option<Instant>,
    busy: bool,
}

impl Pace {
    /// Waits until the ceiling and the traffic let the next batch through.
    pub(super) async fn wait(&mut self, store: &Store) {
        if let Some(moment) = self.not_before.take() {
            tokio::time::sleep_until(moment.into()).await;
        }
        let give_up = Instant::now() + MOST_YIELDED;
        self.busy = false;
        while store.waiting() > 0 && Instant::now() < give_up {
            self.busy = true;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// How many items the next batch may have.
    pub(super) fn batch(&self, per_second: u32) -> usize {
        let size = if self.busy { SMALL_BATCH } else { LARGE_BATCH };
        match usize::try_from(per_second) {
            Ok(0) | Err(_) => size,
            Ok(ceiling) => size.min(ceiling),
        }
    }

    /// Counts items; the next batch waits until they are within the ceiling.
    pub(super) fn count(&mut self, items: u64, per_second: u32) {
        let now = Instant::now();
        self.done.push_back((now, items));
        if per_second > 0 {
            let micros = items.saturating_mul(1_000_000) / u64::from(per_second);
            self.not_before = Some(now + Duration::from_micros(micros));
        }
    }

    /// Items a second over the last ten seconds.
    pub(super) fn rate(&mut self) -> u64 {
        let now = Instant::now();
        while self
            .done
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > RATE_WINDOW)
        {
            self.done.pop_front();
        }
        let Some((first, _)) = self.done.front() else {
            return 0;
        };
        // The first batch of the window ended as the window began: its items were done before.
        let items: u64 = self.done.iter().skip(1).map(|(_, items)| items).sum();
        let millis = u64::try_from(now.duration_since(*first).as_millis()).unwrap_or(u64::MAX);
        (items.saturating_mul(1000)).checked_div(millis).unwrap_or(0)
    }
}
