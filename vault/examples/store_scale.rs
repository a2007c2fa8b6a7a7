//! How a store of many cards behaves: fills one with records as large as a card's, through `Store::commit`, and reports
//! rate, bytes, memory, and the time to open it again.
//!
//! `cargo run --release -p vault --example store_scale -- DIRECTORY [CARDS] [URL]`: a million cards in an embedded store,
//! or on the PostgreSQL of the URL, which should be on this machine too.
#![expect(
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "a measurement tells its figures"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use vault::store::{EngineChoice, PostgresOptions, Store, StoreOptions, Tree, Txn, TxnError};

/// What a card leaves in the store: data key, record, fingerprint, an audit event, a remembered answer; some 2 kB.
const RECORDS: [(Tree, usize); 5] = [
    (Tree::DataKeys, 130),
    (Tree::Cards, 620),
    (Tree::Fingerprints, 90),
    (Tree::Audit, 420),
    (Tree::Idempotency, 780),
];
/// Writers at once: full groups, as under load.
const WRITERS: u64 = 64;
/// A line is printed after so many cards.
const REPORT_EVERY: u64 = 100_000;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().context("the first argument is a directory")?;
    let cards: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let url = arguments.next();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut options = StoreOptions::new(Path::new(&directory).join("store"));
    options.ballast_bytes = 0;
    if let Some(url) = &url {
        options.engine = EngineChoice::Postgres(PostgresOptions::parse(url, 8)?);
    }

    let store = Store::open(&options)?;
    let began = Instant::now();
    runtime.block_on(fill(&store, cards))?;
    let filled = began.elapsed();
    println!(
        "{cards} cards in {:.0} s: {:.0} cards/s, {} groups",
        filled.as_secs_f64(),
        cards as f64 / filled.as_secs_f64(),
        store.reached().number
    );
    memory("after filling")?;
    runtime.block_on(store.close());
    drop(store);
    if url.is_none() {
        let bytes = bytes_in(&options.directory)?;
        println!(
            "on disk: {} MiB, {} bytes a card",
            bytes >> 20,
            bytes / cards.max(1)
        );
    }

    for round in ["first", "second"] {
        let began = Instant::now();
        let store = Store::open(&options)?;
        let opened = began.elapsed();
        let found = read_some(&store, cards)?;
        println!(
            "opened ({round}) in {} ms; one of 2,000 records in {:.0} µs",
            opened.as_millis(),
            found.as_secs_f64() * 1e6
        );
        runtime.block_on(store.close());
    }
    memory("after opening twice more")
}

async fn fill(store: &Store, cards: u64) -> Result<()> {
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        tasks.spawn(async move {
            for number in (writer..cards).step_by(usize::try_from(WRITERS)?) {
                store.commit(move |txn| write(txn, number)).await??;
                if number % REPORT_EVERY == REPORT_EVERY - 1 {
                    println!("  {} at {:.0} s", number + 1, began.elapsed().as_secs_f64());
                    memory("  meanwhile")?;
                }
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

fn write(txn: &mut Txn<'_>, number: u64) -> Result<(), TxnError> {
    for (tree, length) in RECORDS {
        txn.put(tree, &key(tree, number), value(number, length))?;
    }
    Ok(())
}

/// Events and remembered answers come in order; tokens and fingerprints are spread over their trees.
fn key(tree: Tree, number: u64) -> Vec<u8> {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match tree {
        Tree::Audit => number.to_be_bytes().to_vec(),
        _ => [spread.to_be_bytes(), number.to_be_bytes()].concat(),
    }
}

/// Bytes that do not compress, as sealed ones do not.
fn value(number: u64, length: usize) -> Vec<u8> {
    let mut state = number | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn read_some(store: &Store, cards: u64) -> Result<Duration> {
    const READS: u32 = 2000;
    let began = Instant::now();
    for read in 0..u64::from(READS) {
        let number = read.wrapping_mul(0x2545_f491_4f6c_dd1d) % cards;
        let found = store.get(Tree::Cards, &key(Tree::Cards, number))?;
        found.context("a card is missing")?;
    }
    Ok(began.elapsed() / READS)
}

fn bytes_in(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => bytes_in(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

fn memory(when: &str) -> Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
            .unwrap_or_default()
    };
    println!("{when}: RSS {}, peak {}", of("VmRSS:"), of("VmHWM:"));
    Ok(())
}
