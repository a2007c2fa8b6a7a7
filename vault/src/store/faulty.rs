//! An engine for tests that fails, panics or waits where it is told to.

use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::batch::Batch;
use super::engine::{Begun, Engine, EngineError, Entry, View};
use super::tree::Tree;

/// Where something happens, and to which batch, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Before anything was written.
    BeforeWrite(u64),
    /// The batch is in the engine and not synced.
    BeforeSync(u64),
    /// The batch is durable and the engine says that it is not.
    AfterSync(u64),
}

pub(super) type Hook = Box<dyn Fn(Fault) -> Result<(), EngineError> + Send + Sync>;

/// Calls a hook at each point of each batch.
pub(super) struct FaultyEngine {
    inner: Arc<dyn Engine>,
    hook: Hook,
    batches: AtomicU64,
    reads_fail: Mutex<bool>,
}

impl FaultyEngine {
    pub(super) fn new(inner: Arc<dyn Engine>, hook: Hook) -> Self {
        Self {
            inner,
            hook,
            batches: AtomicU64::new(0),
            reads_fail: Mutex::new(false),
        }
    }

    /// An engine that fails at one point.
    pub(super) fn failing_at(inner: Arc<dyn Engine>, fault: Fault) -> Self {
        let hook = move |at| if at == fault { Err(broken()) } else { Ok(()) };
        Self::new(inner, Box::new(hook))
    }

    pub(super) fn fail_reads(&self) {
        *self.reads_fail.lock().unwrap() = true;
    }

    fn read(&self) -> Result<&dyn Engine, EngineError> {
        if *self.reads_fail.lock().unwrap() {
            Err(broken())
        } else {
            Ok(&*self.inner)
        }
    }
}

pub(super) fn broken() -> EngineError {
    EngineError::Io("injected".to_owned())
}

impl View for FaultyEngine {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.read()?.get(tree, key)
    }

    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        self.read()?.scan(tree, prefix, from, limit)
    }
}

impl Engine for FaultyEngine {
    fn count(&self, tree: Tree) -> Result<u64, EngineError> {
        self.read()?.count(tree)
    }

    fn write(&self, batch: &Arc<Batch>) -> Result<(), EngineError> {
        let number = self.batches.fetch_add(1, Ordering::SeqCst) + 1;
        (self.hook)(Fault::BeforeWrite(number))?;
        self.inner.write(batch)
    }

    fn sync(&self) -> Result<(), EngineError> {
        let number = self.batches.load(Ordering::SeqCst);
        (self.hook)(Fault::BeforeSync(number))?;
        self.inner.sync()?;
        (self.hook)(Fault::AfterSync(number))
    }

    fn snapshot(&self) -> Result<Box<dyn View>, EngineError> {
        self.inner.snapshot()
    }

    fn begin(&self) -> Result<Begun<'_>, EngineError> {
        self.inner.begin()
    }

    fn abandon(&self) {
        self.inner.abandon();
    }
}
