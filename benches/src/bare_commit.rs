//! Bare group commit: the store alone, fed with transactions of the very sizes that an issue wrote in this run. What issue
//! loses against it is what judging, sealing and answering cost.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::task::JoinSet;
use vault::store::{Store, StoreOptions, Tree, TxnError};

use crate::meter::Meter;

/// Entries looked at for the size of a tree's entries.
const SAMPLE: usize = 512;

/// One entry of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntrySize {
    tree: Tree,
    key: usize,
    value: usize,
}

/// What one transaction writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape(Vec<EntrySize>);

impl Shape {
    /// What an issue wrote to the store of a vault that has stopped: the median sizes in each tree that it writes to. Of the
    /// audit log only the events from `first_event` on are looked at, those of the issues.
    ///
    /// # Errors
    /// When the store does not open, or a tree is empty.
    pub async fn of_issue(options: &StoreOptions, first_event: u64) -> Result<Self> {
        let store = Store::open(options)?;
        let from = first_event.to_be_bytes();
        let sizes = [
            (Tree::Cards, Bound::Unbounded),
            (Tree::DataKeys, Bound::Unbounded),
            (Tree::Fingerprints, Bound::Unbounded),
            (Tree::Idempotency, Bound::Unbounded),
            (Tree::Audit, Bound::Included(from.as_slice())),
        ]
        .map(|(tree, from)| median_entry(&store, tree, from));
        let shape = sizes.into_iter().collect::<Result<_>>()?;
        store.close().await;
        Ok(Self(shape))
    }

    /// Keys that a transaction writes.
    #[must_use]
    pub const fn keys(&self) -> usize {
        self.0.len()
    }

    /// Bytes that a transaction writes, keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|entry| entry.key + entry.value).sum()
    }
}

fn median_entry(store: &Store, tree: Tree, from: Bound<&[u8]>) -> Result<EntrySize> {
    let entries = store.scan(tree, &[], from, SAMPLE)?;
    let mut sizes: Vec<(usize, usize)> = entries
        .iter()
        .map(|(key, value)| (key.len(), value.len()))
        .collect();
    sizes.sort_unstable_by_key(|(_, value)| *value);
    let (key, value) = *sizes
        .get(sizes.len() / 2)
        .with_context(|| format!("no entries in {}", tree.name()))?;
    Ok(EntrySize { tree, key, value })
}

/// What bare group commit reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BareRate {
    /// Writers at once.
    pub writers: usize,
    /// Commits a second.
    pub rate: f64,
    /// CPU time of store and writers together, microseconds a commit.
    pub micros: f64,
}

/// Commits with `writers` writers over `time`, into a new store in `directory`.
///
/// # Errors
/// When the store fails.
pub async fn rate(directory: &Path, shape: &Shape, writers: usize, time: Duration) -> Result<BareRate> {
    let options = StoreOptions {
        ballast_bytes: 0,
        ..StoreOptions::new(directory)
    };
    let store = Store::open(&options)?;
    let entries: Arc<[EntrySize]> = shape.0.as_slice().into();
    let own = Meter::at(std::process::id());
    let before = own.cpu()?;
    let (random, numbers, started) = (SystemRandom::new(), Arc::new(AtomicU64::new(0)), Instant::now());
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        let (store, entries) = (store.clone(), Arc::clone(&entries));
        let (random, numbers) = (random.clone(), Arc::clone(&numbers));
        tasks.spawn(async move {
            while started.elapsed() < time {
                let writes = transaction(&entries, numbers.fetch_add(1, Ordering::Relaxed), &random)?;
                let put = move |txn: &mut vault::store::Txn<'_>| {
                    writes
                        .into_iter()
                        .try_for_each(|(tree, key, value)| txn.put(tree, &key, value))
                };
                store
                    .commit(put)
                    .await?
                    .map_err(|error: TxnError| anyhow!(error))?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let (commits, elapsed) = (numbers.load(Ordering::Relaxed) as f64, started.elapsed());
    let spent = own.cpu()?.saturating_sub(before);
    store.close().await;
    Ok(BareRate {
        writers,
        rate: commits / elapsed.as_secs_f64(),
        micros: spent.as_secs_f64() * 1_000_000.0 / commits.max(1.0),
    })
}

type Write = (Tree, Vec<u8>, Vec<u8>);

/// Keys as the vault has them: random but in the audit log, where they count up.
fn transaction(entries: &[EntrySize], number: u64, random: &SystemRandom) -> Result<Vec<Write>> {
    let fill = |length: usize| -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        random.fill(&mut bytes).map_err(|_| anyhow!("no randomness"))?;
        Ok(bytes)
    };
    let write = |entry: &EntrySize| {
        let key = match entry.tree {
            Tree::Audit => number.to_be_bytes().to_vec(),
            _ => fill(entry.key)?,
        };
        Ok((entry.tree, key, fill(entry.value)?))
    };
    entries.iter().map(write).collect()
}
