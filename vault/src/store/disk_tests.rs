//! The store and what lies on the disk: lock, anchor, ballast, damage.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::open::beside;
use super::tests::{options, put};
use super::{AnchorRule, CommitRecord, EngineError, OpenError, Store, StoreOptions, Tree, anchor};

#[tokio::test]
async fn one_process_has_the_store_at_a_time() {
    let parent = tempfile::tempdir().unwrap();
    let options = options(parent.path());
    let _store = Store::open(&options).unwrap();
    assert!(matches!(Store::open(&options), Err(OpenError::InUse)));
}

#[tokio::test]
async fn a_store_behind_its_anchor_does_not_open() {
    let parent = tempfile::tempdir().unwrap();
    let options = options(parent.path());
    let store = Store::open(&options).unwrap();
    for _ in 0..3 {
        store
            .commit(|txn| {
                txn.set_audit_head([7; 32]);
                txn.put(Tree::Audit, b"event", vec![])
            })
            .await
            .unwrap()
            .unwrap();
    }
    store.close().await;
    drop(store);
    let anchored = anchor::read(&options.anchor).unwrap().unwrap();
    assert_eq!(
        (anchored.number, anchored.records, anchored.audit_head),
        (3, 1, [7; 32])
    );

    // The same store vouched for by a later anchor, by another history, by none.
    anchor::write(
        &options.anchor,
        CommitRecord {
            number: 4,
            ..anchored
        },
    )
    .unwrap();
    assert!(matches!(
        Store::open(&options),
        Err(OpenError::TailMissing { store: 3, anchor: 4 })
    ));
    anchor::write(
        &options.anchor,
        CommitRecord {
            audit_head: [8; 32],
            ..anchored
        },
    )
    .unwrap();
    assert!(matches!(
        Store::open(&options),
        Err(OpenError::TailMissing { store: 3, anchor: 3 })
    ));
    fs::remove_file(&options.anchor).unwrap();
    assert!(matches!(
        Store::open(&options),
        Err(OpenError::AnchorMissing { store: 3 })
    ));
    fs::write(&options.anchor, "tessera store anchor 1\ncommit x").unwrap();
    assert!(matches!(Store::open(&options), Err(OpenError::Io(_))));

    let reset = StoreOptions {
        anchor_rule: AnchorRule::Reset,
        ..options.clone()
    };
    drop(Store::open(&reset).unwrap());
    assert_eq!(Store::open(&options).unwrap().anchored_at(), Some(anchored));
}

#[tokio::test]
async fn the_anchor_follows_within_its_interval() {
    let parent = tempfile::tempdir().unwrap();
    let options = options(parent.path());
    let store = Store::open(&options).unwrap();
    put(&store, b"k", b"v").await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while anchor::read(&options.anchor).unwrap() != Some(store.reached()) {
        assert!(Instant::now() < deadline, "the anchor stayed behind");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn damage_is_refused_and_a_cut_log_is_noticed() {
    let parent = tempfile::tempdir().unwrap();
    let options = options(parent.path());
    let store = Store::open(&options).unwrap();
    for number in 0..200_u8 {
        store
            .commit(move |txn| txn.put(Tree::Cards, &[number], vec![number; 2000]))
            .await
            .unwrap()
            .unwrap();
    }
    store.close().await;
    drop(store);
    // The engine takes a torn end of its log for a crash and opens without a word: only the anchor knows better.
    let log = options.directory.join("db");
    let bytes = fs::read(&log).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0 && byte != 0xfe).unwrap();
    let file = fs::File::options().write(true).open(&log).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![0; 8000], end as u64 - 8000).unwrap();
    for snapshot in fs::read_dir(&options.directory).unwrap().map(Result::unwrap) {
        if snapshot.file_name().to_string_lossy().starts_with("snap.") {
            fs::remove_file(snapshot.path()).unwrap();
        }
    }
    match Store::open(&options) {
        Err(OpenError::TailMissing { store, anchor: 200 }) => assert!(store < 200),
        Err(OpenError::Engine(EngineError::Corrupt(_) | EngineError::Failed(_))) => {}
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("a store without its tail opened"),
    }
}

/// Bits rot anywhere in the files: the store refuses to open, or refuses the read, or has everything. It never answers
/// with other bytes, and never without those that it lost.
#[tokio::test]
async fn a_flipped_bit_is_never_served() {
    let parent = tempfile::tempdir().unwrap();
    let original = options(parent.path());
    let store = Store::open(&original).unwrap();
    for number in 0..100_u8 {
        store
            .commit(move |txn| txn.put(Tree::Cards, &[number], vec![number; 1500]))
            .await
            .unwrap()
            .unwrap();
    }
    store.close().await;
    drop(store);
    let log = fs::read(original.directory.join("db")).unwrap();
    let used = log.iter().rposition(|&byte| byte != 0).unwrap();
    let (mut refused, mut whole) = (0, 0);
    for trial in 0..24_usize {
        let copy = tempfile::tempdir().unwrap();
        let options = options(copy.path());
        copy_files(&original.directory, &options.directory);
        fs::copy(&original.anchor, &options.anchor).unwrap();
        let mut rotten = log.clone();
        // Spread over the whole log, at odd places.
        rotten[used * trial / 24 + trial * 7 % 90] ^= 1 << (trial % 8);
        fs::write(options.directory.join("db"), rotten).unwrap();
        let Ok(store) = Store::open(&options) else {
            refused += 1;
            continue;
        };
        let mut readable = true;
        for number in 0..100_u8 {
            match store.get(Tree::Cards, &[number]) {
                Ok(value) => assert_eq!(value, Some(vec![number; 1500]), "trial {trial}: record {number}"),
                Err(_) => readable = false,
            }
        }
        if readable { whole += 1 } else { refused += 1 }
    }
    assert!(
        refused > 0,
        "no flip reached anything that is checked; {whole} harmless"
    );
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_files(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn the_ballast_takes_its_room_and_stays() {
    let parent = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        ballast_bytes: 1 << 20,
        ..options(parent.path())
    };
    for _ in 0..2 {
        let store = Store::open(&options).unwrap();
        assert_eq!(
            fs::metadata(beside(&options.directory, "ballast")).unwrap().len(),
            1 << 20
        );
        store.close().await;
    }
}
