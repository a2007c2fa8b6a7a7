//! Group commit: one thread runs every transaction, lays the group of those that wait over the engine in one batch,
//! makes it durable with one sync, and only then answers. What a caller was told survives a power cut.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::anchor::AnchorWriter;
use super::batch::Batch;
use super::commit_record::{COMMIT_KEY, CommitRecord};
use super::engine::{Engine, EngineError, View};
use super::follow::Following;
use super::poison::Poison;
use super::space::FreeSpace;
use super::tree::Tree;
use super::txn::{MAX_TRANSACTION_BYTES, Txn, TxnError};

/// Transactions that may wait. At the slowest measured rate (some 2,000 a second) that is half a second of work; more
/// waiting only makes answers late.
const QUEUE_LENGTH: usize = 1024;

/// Transactions in one group. Sixty-four writers, the most the benchmarks use, fit four times; a larger group delays
/// its first transaction and saves no further sync.
const GROUP_LENGTH: usize = 256;

/// Once a group holds this many bytes it is closed; with the transaction that crossed the line it stays below sled's log
/// buffer (512 KiB).
const GROUP_BYTES: usize = MAX_TRANSACTION_BYTES / 2;

/// How long a caller of a commit waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a place in the queue.
    pub place: Duration,
    /// For the answer. A sync takes milliseconds; an engine that hangs (spacejam/sled#1412) must not hold every request for
    /// ever.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            place: Duration::from_secs(2),
            answer: Duration::from_secs(30),
        }
    }
}

type Answer = Box<dyn FnOnce(Result<(), CommitError>) + Send>;
type Work = Box<dyn FnOnce(Result<&mut Txn<'_>, CommitError>) -> Option<Ran> + Send>;

/// What came of a piece of work before its group is durable.
struct Ran {
    succeeded: bool,
    answer: Answer,
}

enum Message {
    Work(Work),
    Close,
}

/// The way to the commit thread. Dropping it ends the thread and waits for that.
pub(super) struct Committer {
    // In this order: the thread ends once the queue's only sender is gone.
    queue: mpsc::Sender<Message>,
    patience: Patience,
    _thread: Joined,
    poison: Poison,
    done: watch::Receiver<bool>,
    reached: watch::Receiver<CommitRecord>,
    following: Following,
}

impl Committer {
    /// Starts the commit thread where `record` says that the store stands.
    pub(super) fn start(
        engine: Arc<dyn Engine>,
        record: CommitRecord,
        space: Option<FreeSpace>,
        anchor: AnchorWriter,
        patience: Patience,
    ) -> std::io::Result<Self> {
        let (queue, messages) = mpsc::channel(QUEUE_LENGTH);
        let poison = Poison::none();
        let (done_sender, done) = watch::channel(false);
        let (reached_sender, reached) = watch::channel(record);
        let dying = poison.clone();
        let following = Following::default();
        let thread = CommitThread {
            engine,
            record,
            space,
            anchor,
            poison: poison.clone(),
            reached: reached_sender,
            following: following.clone(),
        };
        let handle = std::thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || {
                // A panic outside the work, which is caught by itself, is a bug here or in the engine.
                let ran = catch_unwind(AssertUnwindSafe(|| thread.run(messages)));
                if ran.is_err() {
                    dying.set(EngineError::Failed("the commit thread panicked".to_owned()));
                }
                // Nobody may be left to hear it.
                let _ = done_sender.send(true);
            })?;
        Ok(Self {
            queue,
            patience,
            _thread: Joined(Some(handle)),
            poison,
            done,
            reached,
            following,
        })
    }

    /// See [`super::Store::commit`].
    pub(super) async fn commit<T, E>(
        &self,
        work: impl FnOnce(&mut Txn<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, E>, CommitError>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let message = Message::Work(wrap(work, reply));
        match timeout(self.patience.place, self.queue.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(self.closed()),
            Err(_) => return Err(CommitError::Busy),
        }
        match timeout(self.patience.answer, answer).await {
            Ok(Ok(outcome)) => outcome,
            // The thread dropped the work unanswered, which only its own panic does.
            Ok(Err(_)) | Err(_) => Err(CommitError::Stalled),
        }
    }

    /// What ends the store's life when it is set.
    pub(super) fn poison(&self) -> &Poison {
        &self.poison
    }

    /// The last durable commit.
    pub(super) fn reached(&self) -> CommitRecord {
        *self.reached.borrow()
    }

    /// Changes with each durable commit, of this process at once and of others when they are followed.
    pub(super) fn moves(&self) -> watch::Receiver<CommitRecord> {
        self.reached.clone()
    }

    /// Who is told when the store moved on without this process.
    pub(super) fn following(&self) -> &Following {
        &self.following
    }

    /// Transactions that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Commits what waits, writes the anchor, and ends the thread.
    pub(super) async fn close(&self) {
        if self.queue.send(Message::Close).await.is_ok() {
            let mut done = self.done.clone();
            // An error: the thread is gone without a word, which is as closed as it gets.
            let _ = done.wait_for(|done| *done).await;
        }
    }

    fn closed(&self) -> CommitError {
        self.poison
            .cause()
            .map_or(CommitError::Closed, CommitError::Poisoned)
    }
}

/// Waits for its thread when it is dropped, unless that thread drops it.
struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self
            .0
            .take()
            .filter(|thread| thread.thread().id() != std::thread::current().id())
        {
            // A panic there has been reported by the panic hook, and every waiting caller got its error.
            let _ = thread.join();
        }
    }
}

/// Ties the work to its answer.
fn wrap<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce(&mut Txn<'_>) -> Result<T, E> + Send + 'static,
    reply: oneshot::Sender<Result<Result<T, E>, CommitError>>,
) -> Work {
    // A reply that nobody awaits any more is no error.
    Box::new(move |txn| {
        let txn = match txn {
            Ok(txn) => txn,
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                return None;
            }
        };
        match catch_unwind(AssertUnwindSafe(|| work(txn))) {
            Ok(result) => Some(Ran {
                succeeded: result.is_ok(),
                answer: Box::new(move |durable| {
                    let _ = reply.send(durable.map(|()| result));
                }),
            }),
            Err(_) => Some(Ran {
                succeeded: false,
                answer: Box::new(move |_| {
                    let _ = reply.send(Err(CommitError::Panicked));
                }),
            }),
        }
    })
}

struct CommitThread {
    engine: Arc<dyn Engine>,
    record: CommitRecord,
    space: Option<FreeSpace>,
    anchor: AnchorWriter,
    poison: Poison,
    reached: watch::Sender<CommitRecord>,
    following: Following,
}

impl CommitThread {
    fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut received = Vec::with_capacity(GROUP_LENGTH);
        while messages.blocking_recv_many(&mut received, GROUP_LENGTH) > 0 {
            let mut works = Vec::with_capacity(received.len());
            for message in received.drain(..) {
                match message {
                    Message::Work(work) => works.push(work),
                    Message::Close => messages.close(),
                }
            }
            let mut works = works.into_iter();
            while works.len() > 0 {
                match self.refusal() {
                    Some(refusal) => works.by_ref().for_each(|work| drop(work(Err(refusal.clone())))),
                    None => self.commit_group(&mut works),
                }
            }
        }
    }

    fn refusal(&mut self) -> Option<CommitError> {
        if let Some(error) = self.poison.cause() {
            return Some(CommitError::Poisoned(error));
        }
        let low = self.space.as_mut().is_some_and(FreeSpace::is_low);
        low.then_some(CommitError::LowSpace)
    }

    /// Begins a group, runs work until it is large enough, makes it durable, answers.
    fn commit_group(&mut self, works: &mut impl Iterator<Item = Work>) {
        let engine = Arc::clone(&self.engine);
        let begun = engine.begin().map_err(|error| self.failed(error));
        let begun = begun.and_then(|begun| {
            if let Some(record) = begun.record {
                self.stand_at(record);
            }
            let followed = self.following.follow(begun.view, self.record.audit_head);
            followed.inspect_err(|_| engine.abandon())?;
            Ok(begun.view)
        });
        match begun {
            Ok(view) => self.run_group(view, works),
            Err(refusal) => works.for_each(|work| drop(work(Err(refusal.clone())))),
        }
    }

    fn run_group(&mut self, view: &dyn View, works: &mut impl Iterator<Item = Work>) {
        let mut group = Batch::default();
        let mut audit_head = self.record.audit_head;
        let mut answers: Vec<(Option<TxnError>, Answer)> = Vec::new();
        let mut lost = None;
        while group.bytes() < GROUP_BYTES && lost.is_none() {
            let Some(work) = works.next() else { break };
            let mut txn = Txn::new(view, &group, audit_head);
            let ran = work(Ok(&mut txn));
            let finished = txn.finish();
            if let Some(TxnError::Engine(error)) = &finished.refused {
                lost = Some(self.failed(error.clone()));
            }
            let Some(Ran { succeeded, answer }) = ran else {
                continue;
            };
            if succeeded && finished.refused.is_none() {
                group.absorb(finished.changes);
                audit_head = finished.audit_head.unwrap_or(audit_head);
            }
            answers.push((finished.refused.filter(|_| succeeded), answer));
        }
        let durable = match lost {
            // What one transaction could not read none of its group can rest on.
            Some(error) => {
                self.engine.abandon();
                Err(error)
            }
            None => self.make_durable(group, audit_head),
        };
        for (swallowed, answer) in answers {
            answer(
                durable
                    .clone()
                    .and_then(|()| swallowed.map_or(Ok(()), |error| Err(CommitError::Refused(error)))),
            );
        }
    }

    fn make_durable(&mut self, mut group: Batch, audit_head: [u8; 32]) -> Result<(), CommitError> {
        if let Some(error) = self.poison.cause() {
            self.engine.abandon();
            return Err(CommitError::Poisoned(error));
        }
        if group.is_empty() {
            self.engine.abandon();
            return Ok(());
        }
        let (added, removed) = group.added_and_removed();
        let record = CommitRecord {
            number: self.record.number + 1,
            records: (self.record.records + added).saturating_sub(removed),
            audit_head,
        };
        let before = (self.record.number > 0).then(|| self.record.to_bytes());
        let written = group
            .set(Tree::Meta, COMMIT_KEY, Some(record.to_bytes()), || Ok(before))
            .and_then(|()| self.engine.write(&Arc::new(group)))
            .and_then(|()| self.engine.sync());
        match written {
            Ok(()) => {
                self.stand_at(record);
                Ok(())
            }
            Err(error) if error.ends_the_store() => {
                self.poison.set(error.clone());
                Err(CommitError::Failed(error))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn stand_at(&mut self, record: CommitRecord) {
        if record != self.record {
            self.record = record;
            self.anchor.advance(record);
            self.reached.send_replace(record);
        }
    }

    /// What an engine's error means for work that was not written; it ends the store where it must.
    fn failed(&self, error: EngineError) -> CommitError {
        match self.poison.set(error) {
            error @ EngineError::Unavailable(_) => CommitError::Unavailable(error),
            EngineError::Full(_) => CommitError::LowSpace,
            error @ EngineError::Unknown(_) => CommitError::Failed(error),
            error => CommitError::Poisoned(error),
        }
    }
}

/// Why a commit did not end in an answer of its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The queue stayed full. Nothing was written; try again later.
    #[error("too many transactions wait")]
    Busy,
    /// The volume has less free space than the floor, or the database none at all. Nothing was written.
    #[error("the store has no room")]
    LowSpace,
    /// The database cannot be reached, or does not answer in time. Nothing was written; try again later.
    #[error(transparent)]
    Unavailable(EngineError),
    /// What other processes committed cannot be followed: a record of theirs does not open here. Nothing was written.
    #[error("cannot follow what other processes committed: {0}")]
    Behind(String),
    /// The work ignored an error of its transaction. Nothing was written.
    #[error("the transaction was refused: {0}")]
    Refused(TxnError),
    /// The work panicked. Nothing was written.
    #[error("the transaction panicked")]
    Panicked,
    /// The engine failed earlier. Nothing was written; the process must start anew.
    #[error("the store failed earlier: {0}")]
    Poisoned(EngineError),
    /// The store was closed. Nothing was written.
    #[error("the store is closed")]
    Closed,
    /// The engine failed while it wrote this. Whether it was written shows when the store is opened anew, or a shared
    /// one is read again.
    #[error("the commit failed: {0}")]
    Failed(EngineError),
    /// No answer in time. Whether it was written is unknown.
    #[error("the store does not answer")]
    Stalled,
}
