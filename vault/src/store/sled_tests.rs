use std::fs;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::batch::Batch;
use super::contract_tests;
use super::engine::{Engine, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use super::sled::{MIN_CACHE_BYTES, SledEngine};
use super::tree::Tree;

fn open(directory: &Path) -> Arc<dyn Engine> {
    Arc::new(SledEngine::open(directory, MIN_CACHE_BYTES).unwrap())
}

fn put(engine: &dyn Engine, tree: Tree, key: &[u8], value: Option<Vec<u8>>) {
    let mut batch = Batch::default();
    batch.set(tree, key, value, || engine.get(tree, key)).unwrap();
    engine.write(&Arc::new(batch)).unwrap();
}

#[test]
fn sled_keeps_the_engine_contract() {
    contract_tests::holds_for(&open);
}

#[test]
fn an_engine_waits_for_whoever_is_about_to_let_go_of_its_file() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let holder = fs::File::open(directory.path().join("db")).unwrap();
    holder.lock().unwrap();
    let (opened, told) = mpsc::channel();
    let path = directory.path().to_owned();
    let opener = thread::spawn(move || opened.send(SledEngine::open(&path, MIN_CACHE_BYTES).is_ok()));
    assert_eq!(
        told.recv_timeout(Duration::from_millis(100)),
        Err(mpsc::RecvTimeoutError::Timeout),
        "it does not wait"
    );
    drop(holder);
    assert!(told.recv().unwrap());
    opener.join().unwrap().unwrap();
}

#[test]
fn readers_see_a_write_only_after_its_sync() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path());
    put(&*engine, Tree::Cards, b"a", Some(b"old".to_vec()));
    put(&*engine, Tree::Cards, b"b", Some(b"old".to_vec()));
    engine.sync().unwrap();

    let scan = || engine.scan(Tree::Cards, b"", Bound::Unbounded, 1).unwrap();
    put(&*engine, Tree::Cards, b"a", None);
    assert_eq!(engine.get(Tree::Cards, b"a").unwrap(), Some(b"old".to_vec()));
    assert_eq!(scan(), [(b"a".to_vec(), b"old".to_vec())]);
    engine.sync().unwrap();
    assert_eq!(engine.get(Tree::Cards, b"a").unwrap(), None);
    assert_eq!(scan(), [(b"b".to_vec(), b"old".to_vec())]);

    put(&*engine, Tree::Cards, b"a", Some(b"new".to_vec()));
    assert_eq!(engine.get(Tree::Cards, b"a").unwrap(), None);
    assert_eq!(scan(), [(b"b".to_vec(), b"old".to_vec())]);
    engine.sync().unwrap();
    assert_eq!(scan(), [(b"a".to_vec(), b"new".to_vec())]);
}

/// sled writes a page above its threshold to a file that it never syncs. The largest values in pages as full as splits
/// and merges make them must not reach that threshold.
#[test]
fn no_page_of_largest_values_becomes_an_unsynced_blob() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path());
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for step in 0..3000_u64 {
        let mut key = vec![0xff; MAX_KEY_BYTES];
        key[..8].copy_from_slice(&(next(300) * 0x0101_0101).to_be_bytes());
        // Phases of growth and of deletion, so that pages split, shrink and merge.
        let deletes = if step / 500 % 2 == 0 { 1 } else { 4 };
        let value = (next(5) >= deletes).then(|| vec![step.to_le_bytes()[0]; MAX_VALUE_BYTES]);
        put(&*engine, Tree::Idempotency, &key, value);
    }
    engine.sync().unwrap();
    let blobs: Vec<_> = fs::read_dir(directory.path().join("blobs")).unwrap().collect();
    assert!(blobs.is_empty(), "{} pages became blobs", blobs.len());
}

#[test]
fn a_second_handle_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _first = open(directory.path());
    assert!(SledEngine::open(directory.path(), MIN_CACHE_BYTES).is_err());
}
