//! The process that is killed. It opens the store, checks everything that was acknowledged before, then commits from
//! many tasks and prints each number once its commit was answered.
//!
//! A commit `n` writes 2 to 17 records over four trees, a manifest that says how many, and adds one to a counter that
//! all commits of the cycle fight over.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use vault::store::{
    Batch, Begun, Engine, EngineChoice, EngineError, Entry, MIN_CACHE_BYTES, PostgresEngine, PostgresOptions,
    SledEngine, Store, StoreOptions, Tree, Txn, TxnError, View,
};

use crate::random::Random;

const DIRECTORY: &str = "STORE_CRASH_CHILD_DIRECTORY";
const ACKED: &str = "STORE_CRASH_CHILD_ACKED";
const CYCLE: &str = "STORE_CRASH_CHILD_CYCLE";
const URL: &str = "STORE_CRASH_CHILD_URL";
const DIE_AT: &str = "STORE_CRASH_CHILD_DIE_AT";

const RECORD_TREES: [Tree; 4] = [Tree::DataKeys, Tree::Fingerprints, Tree::Idempotency, Tree::Audit];
const TASKS: u64 = 16;
const PAGE: usize = 1000;

/// What the parent tells the child.
pub(crate) struct Orders<'a> {
    pub(crate) parent: &'a Path,
    /// The numbers that were acknowledged so far.
    pub(crate) acked: &'a [u64],
    /// Numbers of this cycle start at `cycle << 32`; 0: check and leave.
    pub(crate) cycle: u64,
    /// The point at which the child ends itself, as `Point:batch`.
    pub(crate) die_at: Option<String>,
    /// The database, if the store is not embedded.
    pub(crate) url: Option<&'a str>,
}

/// Starts the child and waits until it has checked the store; panics with its words if it found fault.
pub(crate) fn start(orders: &Orders<'_>) -> (Child, BufReader<ChildStdout>) {
    let acked: String = orders.acked.iter().map(|number| format!("{number}\n")).collect();
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), acked).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "child::commits_until_it_is_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(DIRECTORY, orders.parent)
        .env(ACKED, list.path())
        .env(CYCLE, orders.cycle.to_string())
        .stdout(Stdio::piped());
    if let Some(url) = orders.url {
        command.env(URL, url);
    }
    if let Some(point) = &orders.die_at {
        command.env(DIE_AT, point);
    }
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if line.starts_with("checked") {
            return (child, lines);
        }
        line.clear();
    }
    let status = child.wait().unwrap();
    panic!(
        "cycle {}: the store did not open or had lost something ({status})",
        orders.cycle
    );
}

/// The number of a complete line; a line that the kill cut short is no acknowledgement.
pub(crate) fn acknowledged(line: &str) -> Option<u64> {
    line.strip_suffix('\n')?.strip_prefix("acked ")?.parse().ok()
}

#[test]
#[ignore = "started by the other tests as a process of its own"]
fn commits_until_it_is_killed() {
    let Ok(parent) = std::env::var(DIRECTORY) else {
        return;
    };
    let cycle: u64 = std::env::var(CYCLE).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let store = open(&PathBuf::from(parent));
    let acked = std::fs::read_to_string(std::env::var(ACKED).unwrap()).unwrap();
    check(&store, &acked.lines().map(|line| line.parse().unwrap()).collect());
    writeln!(std::io::stdout(), "checked").unwrap();
    if cycle > 0 {
        runtime.block_on(load(&store, cycle));
        // As a vault does whose store failed: sled panics when it is dropped without its volume.
        std::process::exit(1);
    }
}

fn open(parent: &Path) -> Store {
    let mut options = StoreOptions {
        cache_bytes: MIN_CACHE_BYTES,
        ballast_bytes: 0,
        free_floor_bytes: 0,
        ..StoreOptions::new(parent.join("store"))
    };
    if let Ok(url) = std::env::var(URL) {
        options.engine = EngineChoice::Postgres(PostgresOptions::parse(&url, 2).unwrap());
    }
    let die_at = std::env::var(DIE_AT).ok();
    Store::open_with(&options, |options| {
        let inner: Arc<dyn Engine> = match &options.engine {
            EngineChoice::Sled => Arc::new(SledEngine::open(&options.directory, options.cache_bytes)?),
            EngineChoice::Postgres(postgres) => Arc::new(PostgresEngine::open(postgres)?),
        };
        Ok(match die_at {
            Some(point) => Arc::new(DyingEngine {
                inner,
                point,
                batches: AtomicU64::new(0),
            }),
            None => inner,
        })
    })
    .unwrap()
}

async fn load(store: &Store, cycle: u64) {
    let next = Arc::new(AtomicU64::new(cycle << 32));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let (store, next) = (store.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                match store.commit(move |txn| write(txn, number)).await {
                    Ok(written) => written.unwrap(),
                    // The volume is gone under a power cut: nothing more to acknowledge.
                    Err(_) => return,
                }
                let line = format!("acked {number}\n");
                if std::io::stdout().write_all(line.as_bytes()).is_err() {
                    return;
                }
            }
        });
    }
    tasks.join_all().await;
}

fn write(txn: &mut Txn<'_>, number: u64) -> Result<(), TxnError> {
    let records = records_of(number);
    for (tree, key, value) in &records {
        txn.put(*tree, key, value.clone())?;
    }
    let count = u8::try_from(records.len()).unwrap_or(u8::MAX);
    txn.put(Tree::Cards, &number.to_be_bytes(), vec![count])?;
    let hot = (number >> 32).to_be_bytes();
    let before = txn
        .get(Tree::Counters, &hot)?
        .map_or(0, |value| as_number(&value));
    txn.put(Tree::Counters, &hot, (before + 1).to_be_bytes().to_vec())
}

/// The records of a commit: everything about them follows from its number.
fn records_of(number: u64) -> Vec<(Tree, Vec<u8>, Vec<u8>)> {
    let mut random = Random::from(number);
    let count = random.between(2, 18);
    (0..count)
        .map(|index| {
            let tree = RECORD_TREES[usize::try_from(index).unwrap() % RECORD_TREES.len()];
            let length = random.between(100, 1100);
            let byte = u8::try_from(random.between(0, 256)).unwrap();
            // Spread over the key space, so that many pages change at once.
            let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            let key = [&spread[..], &number.to_be_bytes(), &index.to_be_bytes()].concat();
            (tree, key, vec![byte; usize::try_from(length).unwrap()])
        })
        .collect()
}

fn check(store: &Store, acked: &HashSet<u64>) {
    let manifests = all(store, Tree::Cards);
    let mut expected_records = 0;
    let mut per_cycle = std::collections::BTreeMap::<u64, u64>::new();
    let mut missing = acked.clone();
    for (key, count) in &manifests {
        let number = as_number(key);
        missing.remove(&number);
        *per_cycle.entry(number >> 32).or_default() += 1;
        let records = records_of(number);
        assert_eq!(
            usize::from(count[0]),
            records.len(),
            "commit {number}: its manifest is wrong"
        );
        expected_records += records.len();
        for (tree, key, value) in records {
            assert_eq!(
                store.get(tree, &key).unwrap(),
                Some(value),
                "commit {number} is half there"
            );
        }
    }
    assert!(
        missing.is_empty(),
        "{} of {} acknowledged commits are lost",
        missing.len(),
        acked.len()
    );
    let records: u64 = RECORD_TREES
        .iter()
        .map(|&tree| all(store, tree).len() as u64)
        .sum();
    assert_eq!(records, expected_records as u64, "records without their commit");
    let counters: Vec<(u64, u64)> = all(store, Tree::Counters)
        .iter()
        .map(|(key, value)| (as_number(key), as_number(value)))
        .collect();
    assert_eq!(
        counters,
        per_cycle.into_iter().collect::<Vec<_>>(),
        "a counter does not tell its commits"
    );
    let recount = store.recount().unwrap();
    assert_eq!(recount.expected, recount.found, "the commit record miscounts");
}

fn all(store: &Store, tree: Tree) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let last = entries.last().map(|(key, _)| key.clone());
        let from = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let page = store.scan(tree, b"", from, PAGE).unwrap();
        let end = page.len() < PAGE;
        entries.extend(page);
        if end {
            return entries;
        }
    }
}

fn as_number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

/// A sync takes some of these.
const IN_THE_MIDST: std::time::Duration = std::time::Duration::from_micros(200);

/// Ends its process with SIGKILL at a named point of a numbered batch.
struct DyingEngine {
    inner: Arc<dyn Engine>,
    point: String,
    batches: AtomicU64,
}

impl DyingEngine {
    fn pass(&self, point: &str) {
        if self.point == format!("{point}:{}", self.batches.load(Ordering::SeqCst)) {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
        }
    }
}

impl View for DyingEngine {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.inner.get(tree, key)
    }

    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, EngineError> {
        self.inner.scan(tree, prefix, from, limit)
    }
}

impl Engine for DyingEngine {
    fn count(&self, tree: Tree) -> Result<u64, EngineError> {
        self.inner.count(tree)
    }

    fn write(&self, batch: &Arc<Batch>) -> Result<(), EngineError> {
        self.pass("before-write");
        self.inner.write(batch)
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.pass("before-sync");
        std::thread::scope(|scope| {
            // In the midst of it: the disk is being waited for, or the server's word.
            scope.spawn(|| {
                std::thread::sleep(IN_THE_MIDST);
                self.pass("in-sync");
            });
            self.inner.sync()
        })?;
        self.pass("after-sync");
        Ok(())
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn snapshot(&self) -> Result<Box<dyn View>, EngineError> {
        self.inner.snapshot()
    }

    fn begin(&self) -> Result<Begun<'_>, EngineError> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        self.pass("before-begin");
        let begun = self.inner.begin()?;
        self.pass("after-begin");
        Ok(begun)
    }

    fn abandon(&self) {
        self.inner.abandon();
    }
}

/// Checks a store in a process of its own; panics if it found fault.
pub(crate) fn verify(parent: &Path, acked: &[u64], url: Option<&str>) {
    let (mut process, _lines) = start(&Orders {
        parent,
        acked,
        cycle: 0,
        die_at: None,
        url,
    });
    assert!(process.wait().unwrap().success(), "the check ended badly");
}
