//! A snapshot is one state of the store, while writers go on.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::testing::Home;
use super::{Snapshot, Store, Tree, Txn, TxnError};

/// Sixteen cells always hold the same number; entries below it are in the audit tree, older ones are deleted.
const CELLS: u8 = 16;

fn step(txn: &mut Txn<'_>) -> Result<u32, TxnError> {
    let number = txn
        .get(Tree::Counters, &[0])?
        .map_or(0, |value| number_of(&value))
        + 1;
    for cell in 0..CELLS {
        txn.put(Tree::Counters, &[cell], number.to_be_bytes().to_vec())?;
    }
    txn.put(Tree::Audit, &number.to_be_bytes(), vec![1])?;
    if let Some(old) = number.checked_sub(40) {
        txn.delete(Tree::Audit, &old.to_be_bytes())?;
    }
    Ok(number)
}

fn number_of(value: &[u8]) -> u32 {
    u32::from_be_bytes(value.try_into().unwrap())
}

/// The number on which everything in the snapshot agrees.
fn read_consistently(snapshot: &Snapshot, page: usize) -> u32 {
    let mut numbers = Vec::new();
    for cell in 0..CELLS {
        let value = snapshot.get(Tree::Counters, &[cell]).unwrap();
        numbers.push(value.map_or(0, |value| number_of(&value)));
    }
    let mut audit: Vec<u32> = Vec::new();
    loop {
        let last = audit.last().map(|number| number.to_be_bytes());
        let from = last
            .as_ref()
            .map_or(Bound::Unbounded, |last| Bound::Excluded(&last[..]));
        let found = snapshot.scan(Tree::Audit, b"", from, page).unwrap();
        audit.extend(found.iter().map(|(key, _)| number_of(key)));
        if found.len() < page {
            break;
        }
    }
    let number = numbers[0];
    assert!(numbers.iter().all(|other| *other == number), "{numbers:?}");
    let expected: Vec<u32> = (number.saturating_sub(39).max(1)..=number).collect();
    assert_eq!(
        audit, expected,
        "the scan is of another state than the cells, {number}"
    );
    assert_eq!(snapshot.reached().number, u64::from(number));
    number
}

/// Reads the same snapshots again and again while a writer changes, adds and deletes.
async fn snapshots_hold_still(store: Store) {
    for _ in 0..50 {
        store.commit(step).await.unwrap().unwrap();
    }
    let ended = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, ended) = (store.clone(), Arc::clone(&ended));
        async move {
            let mut last = 0;
            while !ended.load(Ordering::Relaxed) {
                last = store.commit(step).await.unwrap().unwrap();
            }
            last
        }
    });
    let reader = tokio::task::spawn_blocking({
        let store = store.clone();
        move || {
            let mut last = 0;
            for page in [1, 3, 7, 1000, 2] {
                let before = store.reached().number;
                let snapshot = store.snapshot().unwrap();
                let number = read_consistently(&snapshot, page);
                assert!(u64::from(number) >= before && number >= last);
                for _ in 0..5 {
                    assert_eq!(read_consistently(&snapshot, page), number, "the snapshot moved");
                }
                last = number;
            }
            last
        }
    });
    let seen = reader.await.unwrap();
    ended.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    assert!(written > seen, "nothing was written meanwhile");
    assert_eq!(store.reached().number, u64::from(written));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_one_state_while_writers_go_on() {
    for home in Home::each() {
        snapshots_hold_still(home.open()).await;
    }
}

#[tokio::test]
async fn a_snapshot_of_an_empty_store_stays_empty() {
    for home in Home::each() {
        let store = home.open();
        let snapshot = store.snapshot().unwrap();
        store.commit(step).await.unwrap().unwrap();
        assert_eq!(snapshot.get(Tree::Counters, &[0]).unwrap(), None);
        assert_eq!(snapshot.scan(Tree::Audit, b"", Bound::Unbounded, 9).unwrap(), []);
        assert_eq!(snapshot.reached().number, 0);
        drop(store);
        let value = snapshot.get(Tree::Counters, &[0]).unwrap();
        assert_eq!(value, None, "after the store's last handle");
    }
}
