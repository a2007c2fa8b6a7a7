//! What commits promise: whole or not at all, answered when durable, bounded, and honest about failure.

use std::ops::Bound;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::faulty::{Fault, FaultyEngine, broken};
use super::testing::Home;
use super::{
    CommitError, Engine, MAX_TRANSACTION_BYTES, MAX_VALUE_BYTES, MIN_CACHE_BYTES, Patience, SledEngine,
    Store, StoreOptions, Tree, Txn, TxnError,
};

pub(super) fn options(parent: &Path) -> StoreOptions {
    StoreOptions {
        ballast_bytes: 0,
        free_floor_bytes: 0,
        cache_bytes: MIN_CACHE_BYTES,
        ..StoreOptions::new(parent.join("store"))
    }
}

fn open_faulty(options: &StoreOptions, fault: Fault) -> Store {
    Store::open_with(options, |options| {
        let sled = Arc::new(SledEngine::open(&options.directory, options.cache_bytes)?);
        Ok(Arc::new(FaultyEngine::failing_at(sled, fault)))
    })
    .unwrap()
}

pub(super) async fn put(store: &Store, key: &'static [u8], value: &'static [u8]) -> Result<(), CommitError> {
    store
        .commit(move |txn| txn.put(Tree::Cards, key, value.to_vec()))
        .await
        .map(Result::unwrap)
}

#[tokio::test]
async fn a_commit_is_read_back_and_survives_opening_again() {
    for home in Home::each() {
        let options = home.options();
        let store = Store::open(&options).unwrap();
        put(&store, b"key", b"value").await.unwrap();
        assert_eq!(store.get(Tree::Cards, b"key").unwrap(), Some(b"value".to_vec()));
        store.close().await;
        assert_eq!(put(&store, b"late", b"").await, Err(CommitError::Closed));
        drop(store);

        let store = Store::open(&options).unwrap();
        assert_eq!(
            store.scan(Tree::Cards, b"", Bound::Unbounded, 9).unwrap(),
            [(b"key".to_vec(), b"value".to_vec())]
        );
        assert_eq!((store.reached().number, store.reached().records), (1, 1));
        let recount = store.recount().unwrap();
        assert_eq!(recount.expected, recount.found);
    }
}

#[tokio::test]
async fn work_that_fails_or_panics_leaves_no_trace() {
    for home in Home::each() {
        let store = home.open();
        let failed = store.commit(|txn| {
            txn.put(Tree::Cards, b"failed", vec![1]).unwrap();
            Err::<(), _>("no")
        });
        let panicked = store.commit(|txn| -> Result<(), TxnError> {
            txn.put(Tree::Cards, b"panicked", vec![1])?;
            panic!("on purpose")
        });
        let fine = put(&store, b"fine", b"1");
        let (failed, panicked, fine) = tokio::join!(failed, panicked, fine);
        assert_eq!(failed, Ok(Err("no")));
        assert_eq!(panicked, Err(CommitError::Panicked));
        assert_eq!(fine, Ok(()));
        let keys = store.scan(Tree::Cards, b"", Bound::Unbounded, 9).unwrap();
        assert_eq!(keys, [(b"fine".to_vec(), b"1".to_vec())]);
    }
}

fn count_up(txn: &mut Txn<'_>) -> Result<u8, TxnError> {
    let count = txn.get(Tree::Counters, b"n")?.map_or(0, |value| value[0]) + 1;
    txn.put(Tree::Counters, b"n", vec![count])?;
    txn.put(Tree::Audit, &[count], vec![count])?;
    assert_eq!(
        txn.scan(Tree::Audit, b"", Bound::Unbounded, 1000)?.len(),
        usize::from(count)
    );
    Ok(count)
}

#[tokio::test]
async fn work_sees_the_writes_of_its_own_group() {
    for home in Home::each() {
        let store = home.open();
        let mut counts = Vec::new();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let store = store.clone();
            tasks.spawn(async move { store.commit(count_up).await.unwrap().unwrap() });
        }
        while let Some(count) = tasks.join_next().await {
            counts.push(count.unwrap());
        }
        counts.sort_unstable();
        assert_eq!(counts, (1..=100).collect::<Vec<u8>>());
        assert!(store.reached().number < 100, "no two commits shared a sync");
        assert_eq!(store.reached().records, 101);
    }
}

#[tokio::test]
async fn sizes_beyond_the_bounds_are_refused_even_if_the_work_goes_on() {
    for home in Home::each() {
        let store = home.open();
        let large = store
            .commit(|txn| txn.put(Tree::Cards, b"k", vec![0; MAX_VALUE_BYTES + 1]))
            .await;
        assert_eq!(
            large,
            Ok(Err(TxnError::ValueTooLarge {
                tree: "cards",
                bytes: MAX_VALUE_BYTES + 1
            }))
        );
        let long = store.commit(|txn| txn.put(Tree::Cards, &[0; 255], vec![])).await;
        assert_eq!(
            long,
            Ok(Err(TxnError::KeyTooLong {
                tree: "cards",
                bytes: 255
            }))
        );
        let many = store.commit(|txn| {
            (0..=255_u8)
                .try_for_each(|number| txn.put(Tree::Cards, &[number], vec![0; MAX_TRANSACTION_BYTES / 255]))
        });
        assert!(matches!(
            many.await,
            Ok(Err(TxnError::TransactionTooLarge { .. }))
        ));
        let own = store
            .commit(|txn| txn.put(Tree::Meta, b"store.commit", vec![]))
            .await;
        assert_eq!(own, Ok(Err(TxnError::ReservedKey)));
        let swallowed = store.commit(|txn| {
            txn.put(Tree::Cards, b"half", vec![])?;
            let _ = txn.put(Tree::Cards, &[0; 255], vec![]);
            Ok::<_, TxnError>(())
        });
        assert!(matches!(
            swallowed.await,
            Err(CommitError::Refused(TxnError::KeyTooLong { .. }))
        ));
        assert_eq!(store.reached().number, 0);
    }
}

#[tokio::test]
async fn a_failed_sync_is_told_poisons_the_store_and_loses_nothing_acknowledged() {
    for fault in [Fault::BeforeWrite(3), Fault::BeforeSync(3), Fault::AfterSync(3)] {
        let parent = tempfile::tempdir().unwrap();
        let options = options(parent.path());
        let store = open_faulty(&options, fault);
        put(&store, b"1", b"acknowledged").await.unwrap();
        put(&store, b"2", b"acknowledged").await.unwrap();
        assert_eq!(
            put(&store, b"3", b"unknown").await,
            Err(CommitError::Failed(broken()))
        );
        assert_eq!(
            put(&store, b"4", b"never").await,
            Err(CommitError::Poisoned(broken()))
        );
        assert_eq!(store.failed().await, broken());
        if fault == Fault::BeforeSync(3) {
            assert_eq!(
                store.get(Tree::Cards, b"3").unwrap(),
                None,
                "a reader was shown what no sync made durable"
            );
        }
        store.close().await;
        drop(store);

        let store = Store::open(&options).unwrap();
        for key in [b"1", b"2"] {
            assert_eq!(
                store.get(Tree::Cards, key).unwrap(),
                Some(b"acknowledged".to_vec())
            );
        }
        assert_eq!(store.get(Tree::Cards, b"4").unwrap(), None);
        put(&store, b"5", b"again").await.unwrap();
    }
}

#[tokio::test]
async fn a_failed_read_poisons_the_store() {
    let parent = tempfile::tempdir().unwrap();
    let sled = Mutex::new(None);
    let store = Store::open_with(&options(parent.path()), |options| {
        let inner = Arc::new(SledEngine::open(&options.directory, options.cache_bytes)?);
        let engine = Arc::new(FaultyEngine::new(inner, Box::new(|_| Ok(()))));
        *sled.lock().unwrap() = Some(Arc::clone(&engine));
        Ok(engine)
    })
    .unwrap();
    put(&store, b"1", b"fine").await.unwrap();
    sled.lock().unwrap().as_ref().unwrap().fail_reads();
    assert_eq!(store.get(Tree::Cards, b"1"), Err(broken()));
    assert_eq!(
        put(&store, b"2", b"never").await,
        Err(CommitError::Poisoned(broken()))
    );
}

#[tokio::test]
async fn a_full_queue_answers_busy_and_a_hanging_engine_stalled() {
    let parent = tempfile::tempdir().unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    // The engine hangs for as long as it takes all of them to end.
    let patience = Patience {
        place: Duration::from_millis(100),
        answer: Duration::from_millis(500),
    };
    let options = StoreOptions {
        patience,
        ..options(parent.path())
    };
    let store = Store::open_with(&options, |options| {
        let inner: Arc<dyn Engine> = Arc::new(SledEngine::open(&options.directory, options.cache_bytes)?);
        let hook = move |at| {
            if at == Fault::BeforeSync(1) {
                wait.lock().unwrap().recv().unwrap();
            }
            Ok(())
        };
        Ok(Arc::new(FaultyEngine::new(inner, Box::new(hook))))
    })
    .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    // One group in the thread's hands, a full queue, and some that find no place.
    for _ in 0..(256 + 1024 + 20) {
        let store = store.clone();
        tasks.spawn(async move { put(&store, b"k", b"v").await });
    }
    let (mut busy, mut stalled) = (0, 0);
    while let Some(outcome) = tasks.join_next().await {
        match outcome.unwrap() {
            Err(CommitError::Busy) => busy += 1,
            Err(CommitError::Stalled) => stalled += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(busy >= 20 && stalled >= 1024, "{busy} busy, {stalled} stalled");
    go.send(()).unwrap();
    store.close().await;
    assert_eq!(store.get(Tree::Cards, b"k").unwrap(), Some(b"v".to_vec()));
}

#[tokio::test]
async fn below_the_floor_of_free_space_nothing_is_written() {
    let parent = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreOptions {
        free_floor_bytes: u64::MAX,
        ..options(parent.path())
    })
    .unwrap();
    assert_eq!(put(&store, b"k", b"v").await, Err(CommitError::LowSpace));
    assert_eq!(store.get(Tree::Cards, b"k").unwrap(), None);
    assert_eq!(store.status().unwrap().failure, None);
}
