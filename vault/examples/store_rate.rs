//! Group commit beside its floor: appending the same bytes to a file and syncing it once per group, on the same volume.
//! `cargo run --release -p vault --example store_rate [directory]`

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use vault::store::{Store, StoreOptions, Tree, TxnError};

/// What a commit writes: the tree, and how long key and value are.
type Shape = &'static [(Tree, usize, usize)];

/// One record, for comparison with what is published of storage engines.
const RECORD: Shape = &[(Tree::Cards, 16, 512)];

/// What one issue writes, roughly: record, wrapped key, fingerprint, idempotent answer, audit event.
const ISSUE: Shape = &[
    (Tree::Cards, 16, 600),
    (Tree::DataKeys, 16, 90),
    (Tree::Fingerprints, 32, 60),
    (Tree::Idempotency, 32, 1500),
    (Tree::Audit, 8, 500),
];

const RUN: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let directory = parent.join(format!("store-rate-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for (name, shape) in [("record", RECORD), ("issue", ISSUE)] {
        table(&runtime, &directory.join(name), shape)?;
    }
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

fn table(runtime: &Runtime, directory: &Path, shape: Shape) -> Result<(), Box<dyn std::error::Error>> {
    let bytes: usize = shape.iter().map(|(_, key, value)| key + value).sum();
    let mut out = io::stdout();
    std::fs::create_dir_all(directory)?;
    writeln!(
        out,
        "a commit of {bytes} bytes under {} keys, {} s a cell",
        shape.len(),
        RUN.as_secs()
    )?;
    writeln!(
        out,
        "writers   store/s  p50 µs  p99 µs  groups/s   append+fdatasync/s   ratio"
    )?;
    for writers in [1, 16, 64] {
        let floor = appends(&directory.join("floor"), writers, bytes)?;
        let store = runtime.block_on(commits(
            &directory.join(format!("store-{writers}")),
            writers,
            shape,
        ))?;
        let ratio = store.rate * 100 / floor.max(1);
        let Measured {
            rate,
            median,
            slow,
            groups,
        } = store;
        let (whole, rest) = (ratio / 100, ratio % 100);
        writeln!(
            out,
            "{writers:>7} {rate:>9} {median:>7} {slow:>7} {groups:>9} {floor:>20} {whole:>4}.{rest:02}"
        )?;
    }
    Ok(())
}

struct Measured {
    rate: u64,
    groups: u64,
    median: u128,
    slow: u128,
}

async fn commits(
    directory: &Path,
    writers: u64,
    shape: Shape,
) -> Result<Measured, Box<dyn std::error::Error>> {
    let store = Store::open(&StoreOptions {
        ballast_bytes: 0,
        ..StoreOptions::new(directory)
    })?;
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let store = store.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            let mut number = writer << 32;
            while started.elapsed() < RUN {
                number += 1;
                let began = Instant::now();
                store
                    .commit(move |txn| {
                        shape.iter().try_for_each(|&(tree, key, value)| {
                            let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
                            let key: Vec<u8> = random.iter().copied().cycle().take(key).collect();
                            txn.put(tree, &key, vec![random[0]; value])
                        })
                    })
                    .await
                    .map_err(|error| error.to_string())?
                    .map_err(|error: TxnError| error.to_string())?;
                times.push(began.elapsed().as_micros());
            }
            Ok::<_, String>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(one) = tasks.join_next().await {
        times.extend(one??);
    }
    let elapsed = started.elapsed().as_millis().max(1);
    times.sort_unstable();
    let at = |percent: usize| {
        times
            .get(times.len() * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    let per_second = |count: u64| u64::try_from(u128::from(count) * 1000 / elapsed).unwrap_or(u64::MAX);
    let measured = Measured {
        rate: per_second(times.len() as u64),
        groups: per_second(store.reached().number),
        median: at(50),
        slow: at(99),
    };
    store.close().await;
    Ok(measured)
}

/// The same number of writers hand their bytes to one thread, which appends what waits and syncs it once.
fn appends(path: &Path, writers: u64, bytes: usize) -> io::Result<u64> {
    let mut file = File::create(path)?;
    let (queue, waiting) = mpsc::channel::<(Vec<u8>, mpsc::Sender<()>)>();
    let done = AtomicU64::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..writers {
            let (queue, done) = (queue.clone(), &done);
            scope.spawn(move || {
                let (answer, answered) = mpsc::channel();
                while started.elapsed() < RUN {
                    if queue.send((vec![0x5a; bytes], answer.clone())).is_err() || answered.recv().is_err() {
                        return;
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        drop(queue);
        while let Ok(first) = waiting.recv() {
            let group: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
            let joined: Vec<u8> = group
                .iter()
                .flat_map(|(bytes, _)| bytes.iter().copied())
                .collect();
            file.write_all(&joined)?;
            file.sync_data()?;
            for (_, answer) in group {
                // A writer that is gone needs no answer.
                let _ = answer.send(());
            }
        }
        Ok(done.load(Ordering::Relaxed) * 1000
            / u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
    })
}
