//! A full volume: an error, nothing acknowledged lost, and a way back.

use std::fs::{self, File};
use std::io::Write;
use std::time::Duration;

use vault::store::{CommitError, MIN_CACHE_BYTES, Store, StoreOptions, Tree};

use crate::say;
use crate::volume::Volume;

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn a_full_volume_refuses_writes_and_the_ballast_opens_the_store_again() {
    let volume = match Volume::new(128) {
        Ok(volume) => volume,
        Err(why) => return say(&format!("SKIPPED: the store on a full volume: {why}")),
    };
    let mut options = StoreOptions {
        cache_bytes: MIN_CACHE_BYTES,
        ballast_bytes: 32 * MIB,
        free_floor_bytes: 0,
        ..StoreOptions::new(volume.path().join("store"))
    };
    let store = Store::open(&options).unwrap();
    let filler = volume.path().join("filler");
    fill(&filler, store.status().unwrap().free_bytes - 8 * MIB);
    let (mut acked, failure) = commit_until_refused(&store, 0).await;
    assert!(matches!(failure, CommitError::Failed(_)), "{failure}");
    assert!(acked > 0);
    store.close().await;
    drop(store);

    // Still full; what the store needs to open comes from the ballast. With a floor, it takes no more writes.
    fill(&volume.path().join("rest"), u64::MAX);
    options.free_floor_bytes = 48 * MIB;
    let store = Store::open(&options).unwrap();
    assert!(!fs::exists(volume.path().join("store.ballast")).unwrap());
    assert_holds(&store, acked);
    assert_eq!(
        commit_until_refused(&store, acked).await,
        (acked, CommitError::LowSpace)
    );

    // Room again, after a look at the volume: writes go on in the same process, down to the floor and no further.
    fs::remove_file(filler).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let failure;
    (acked, failure) = commit_until_refused(&store, acked).await;
    assert_eq!(failure, CommitError::LowSpace);
    assert_eq!(store.status().unwrap().failure, None);
    store.close().await;
    drop(store);
    assert_holds(&Store::open(&options).unwrap(), acked);
}

async fn commit_until_refused(store: &Store, from: u32) -> (u32, CommitError) {
    for number in from.. {
        let value = vec![0xa5; 5000];
        let commit = store.commit(move |txn| txn.put(Tree::Cards, &number.to_be_bytes(), value));
        match commit.await {
            Ok(written) => written.unwrap(),
            Err(failure) => return (number, failure),
        }
    }
    panic!("the volume never filled");
}

fn assert_holds(store: &Store, acked: u32) {
    for number in 0..acked {
        assert!(
            store.get(Tree::Cards, &number.to_be_bytes()).unwrap().is_some(),
            "commit {number} is lost"
        );
    }
}

/// Writes up to so many bytes, or as many as fit.
fn fill(path: &std::path::Path, bytes: u64) {
    let mut file = File::create(path).unwrap();
    let chunk = vec![0; usize::try_from(MIB / 4).unwrap()];
    for _ in 0..bytes / (MIB / 4) {
        if file.write_all(&chunk).is_err() {
            break;
        }
    }
    // A full volume may refuse even this; what counts is that the room is taken.
    let _ = file.sync_all();
}
