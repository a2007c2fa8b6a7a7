//! What every engine must do, as one suite: an engine that passes may stand behind the committer.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use super::batch::Batch;
use super::engine::{Engine, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use super::tree::Tree;

/// Opens the engine whose files are in the directory; called again after the former handle was dropped.
type Open<'a> = &'a dyn Fn(&Path) -> Arc<dyn Engine>;

/// Runs the whole suite, each check on a store of its own.
pub(super) fn holds_for(open: Open<'_>) {
    for check in [
        a_new_store_is_empty,
        trees_are_apart,
        scans_go_in_order_within_their_bounds,
        a_batch_shows_whole_or_not_at_all,
        a_group_reads_what_is_durable_and_may_be_abandoned,
        a_snapshot_stays_where_it_was_taken,
        what_was_synced_is_there_after_opening_again,
        the_largest_sizes_fit,
        any_history_reads_like_a_sorted_map,
    ] {
        let directory = tempfile::tempdir().unwrap();
        check(&|| open(directory.path()));
    }
}

/// A key and its new value; `None` deletes.
type Put<'a> = (Tree, &'a [u8], Option<&'a [u8]>);

type Reopen<'a> = &'a dyn Fn() -> Arc<dyn Engine>;

fn batch(engine: &dyn Engine, changes: &[Put<'_>]) -> Arc<Batch> {
    let mut batch = Batch::default();
    for (tree, key, value) in changes {
        batch
            .set(*tree, key, value.map(<[u8]>::to_vec), || engine.get(*tree, key))
            .unwrap();
    }
    Arc::new(batch)
}

fn apply(engine: &dyn Engine, changes: &[Put<'_>]) {
    engine.begin().unwrap();
    engine.write(&batch(engine, changes)).unwrap();
    engine.sync().unwrap();
}

fn keys(engine: &dyn Engine, tree: Tree, prefix: &[u8], from: Bound<&[u8]>, limit: usize) -> Vec<Vec<u8>> {
    engine
        .scan(tree, prefix, from, limit)
        .unwrap()
        .into_iter()
        .map(|(key, _)| key)
        .collect()
}

fn a_new_store_is_empty(open: Reopen<'_>) {
    let engine = open();
    for tree in Tree::ALL {
        assert_eq!(engine.get(tree, b"any").unwrap(), None);
        assert_eq!(engine.scan(tree, b"", Bound::Unbounded, 10).unwrap(), []);
        assert_eq!(engine.count(tree).unwrap(), 0);
    }
}

fn trees_are_apart(open: Reopen<'_>) {
    let engine = open();
    for tree in Tree::ALL {
        apply(
            &*engine,
            &[
                (tree, b"key", Some(tree.name().as_bytes())),
                (tree, &[0xff], Some(b"")),
            ],
        );
    }
    for tree in Tree::ALL {
        assert_eq!(
            engine.get(tree, b"key").unwrap(),
            Some(tree.name().as_bytes().to_vec())
        );
        assert_eq!(
            keys(&*engine, tree, b"", Bound::Unbounded, 9),
            [b"key".to_vec(), vec![0xff]]
        );
        assert_eq!(engine.count(tree).unwrap(), 2);
    }
}

fn scans_go_in_order_within_their_bounds(open: Reopen<'_>) {
    let engine = open();
    let tree = Tree::Cards;
    for key in ["b", "a1", "a", "a3", "a2", "c"] {
        apply(&*engine, &[(tree, key.as_bytes(), Some(b"x"))]);
    }
    let scan = |prefix: &str, from, limit| {
        let found = keys(&*engine, tree, prefix.as_bytes(), from, limit);
        found
            .into_iter()
            .map(|key| String::from_utf8(key).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(scan("", Bound::Unbounded, 9), ["a", "a1", "a2", "a3", "b", "c"]);
    assert_eq!(scan("a", Bound::Unbounded, 9), ["a", "a1", "a2", "a3"]);
    assert_eq!(scan("a", Bound::Unbounded, 2), ["a", "a1"]);
    assert_eq!(scan("a", Bound::Excluded(b"a1"), 9), ["a2", "a3"]);
    assert_eq!(scan("a", Bound::Included(b"a1"), 1), ["a1"]);
    assert_eq!(scan("a", Bound::Included(b"Z"), 1), ["a"]);
    assert_eq!(scan("a", Bound::Excluded(b"b"), 9), [""; 0]);
    assert_eq!(scan("", Bound::Unbounded, 0), [""; 0]);
}

fn a_batch_shows_whole_or_not_at_all(open: Reopen<'_>) {
    let engine = open();
    apply(
        &*engine,
        &[
            (Tree::Cards, b"kept", Some(b"old")),
            (Tree::Audit, b"gone", Some(b"old")),
        ],
    );
    let second = batch(
        &*engine,
        &[
            (Tree::Cards, b"kept", Some(b"new")),
            (Tree::Audit, b"gone", None),
            (Tree::Holders, b"made", Some(b"new")),
        ],
    );
    let state = || {
        let kept = engine.get(Tree::Cards, b"kept").unwrap();
        let gone = keys(&*engine, Tree::Audit, b"", Bound::Unbounded, 9).is_empty();
        let made = keys(&*engine, Tree::Holders, b"", Bound::Unbounded, 9) == [b"made"];
        (kept == Some(b"new".to_vec()), gone, made)
    };
    assert_eq!(state(), (false, false, false));
    engine.begin().unwrap();
    engine.write(&second).unwrap();
    assert!(matches!(state(), (true, true, true) | (false, false, false)));
    engine.sync().unwrap();
    assert_eq!(state(), (true, true, true));
}

fn a_group_reads_what_is_durable_and_may_be_abandoned(open: Reopen<'_>) {
    let engine = open();
    for round in 0..3_u8 {
        let begun = engine.begin().unwrap();
        assert_eq!(begun.record.is_some(), engine.is_shared());
        let key = round.checked_sub(1).map(|before| vec![before]);
        let expected: Vec<Vec<u8>> = key.into_iter().collect();
        let from = Bound::Included(&[round.saturating_sub(1)][..]);
        let found = begun.view.scan(Tree::Cards, b"", from, 9).unwrap();
        assert_eq!(
            found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(),
            expected
        );
        engine.abandon();
        apply(&*engine, &[(Tree::Cards, &[round], Some(b"x"))]);
    }
}

fn a_snapshot_stays_where_it_was_taken(open: Reopen<'_>) {
    let engine = open();
    let tree = Tree::Cards;
    apply(
        &*engine,
        &[
            (tree, b"a", Some(b"1")),
            (tree, b"b", Some(b"1")),
            (tree, b"c", Some(b"1")),
        ],
    );
    let snapshot = engine.snapshot().unwrap();
    apply(
        &*engine,
        &[
            (tree, b"a", Some(b"2")),
            (tree, b"b", None),
            (tree, b"bb", Some(b"2")),
        ],
    );
    apply(&*engine, &[(tree, b"a", None), (Tree::Audit, b"new", Some(b"2"))]);
    let entry = |key: &[u8]| (key.to_vec(), b"1".to_vec());
    for page in [1, 2, 3] {
        let first = snapshot.scan(tree, b"", Bound::Unbounded, page).unwrap();
        assert_eq!(first, [entry(b"a"), entry(b"b"), entry(b"c")][..page]);
    }
    let rest = snapshot.scan(tree, b"", Bound::Excluded(b"a"), 9).unwrap();
    assert_eq!(rest, [entry(b"b"), entry(b"c")]);
    assert_eq!(
        snapshot.scan(tree, b"b", Bound::Unbounded, 9).unwrap(),
        [entry(b"b")]
    );
    assert_eq!(snapshot.get(tree, b"a").unwrap(), Some(b"1".to_vec()));
    assert_eq!(snapshot.get(tree, b"bb").unwrap(), None);
    assert_eq!(snapshot.get(Tree::Audit, b"new").unwrap(), None);
    assert_eq!(
        keys(&*engine, tree, b"", Bound::Unbounded, 9),
        [b"bb".to_vec(), b"c".to_vec()]
    );
}

fn what_was_synced_is_there_after_opening_again(open: Reopen<'_>) {
    for round in 0_u8..5 {
        let engine = open();
        for earlier in 0..round {
            assert_eq!(
                engine.get(Tree::Keks, &[earlier]).unwrap(),
                Some(vec![earlier; 100])
            );
        }
        apply(&*engine, &[(Tree::Keks, &[round], Some(&[round; 100]))]);
    }
}

fn the_largest_sizes_fit(open: Reopen<'_>) {
    let engine = open();
    let value = vec![0xa5; MAX_VALUE_BYTES];
    let name = |number: u16| {
        let mut key = vec![0xff; MAX_KEY_BYTES];
        key.splice(..2, number.to_be_bytes());
        key
    };
    for number in 0..200 {
        apply(&*engine, &[(Tree::Idempotency, &name(number), Some(&value))]);
    }
    drop(engine);
    let engine = open();
    for number in 0..200 {
        assert_eq!(
            engine.get(Tree::Idempotency, &name(number)).unwrap().as_ref(),
            Some(&value)
        );
    }
}

/// Steps of a history: a batch of puts and deletes over two trees, or opening the store again.
#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<(Tree, Vec<u8>, Option<Vec<u8>>)>),
    Reopen,
}

fn any_history_reads_like_a_sorted_map(open: Reopen<'_>) {
    let tree = prop_oneof![Just(Tree::Cards), Just(Tree::DataKeys)];
    // Few distinct keys, so that histories overwrite, delete and make neighbours merge.
    let key = proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(7), Just(0xff)], 0..5);
    let value = proptest::option::weighted(0.6, proptest::collection::vec(any::<u8>(), 0..300));
    let changes = proptest::collection::vec((tree, key, value), 1..60).prop_map(Step::Batch);
    let step = prop_oneof![9 => changes, 1 => Just(Step::Reopen)];
    let history = proptest::collection::vec(step, 1..30);

    let mut runner = TestRunner::new(Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&history, |history| {
            let mut engine = open();
            let mut model = read_all(&*engine);
            for step in history {
                match step {
                    Step::Reopen => {
                        drop(engine);
                        engine = open();
                    }
                    Step::Batch(changes) => {
                        let borrowed: Vec<_> = changes
                            .iter()
                            .map(|(tree, key, value)| (*tree, &key[..], value.as_deref()))
                            .collect();
                        apply(&*engine, &borrowed);
                        for (tree, key, value) in changes {
                            match value {
                                Some(value) => model.insert((tree, key), value),
                                None => model.remove(&(tree, key)),
                            };
                        }
                    }
                }
                assert_eq!(read_all(&*engine), model);
            }
            Ok(())
        })
        .unwrap();
}

fn read_all(engine: &dyn Engine) -> BTreeMap<(Tree, Vec<u8>), Vec<u8>> {
    let mut all = BTreeMap::new();
    for tree in [Tree::Cards, Tree::DataKeys] {
        let entries = engine.scan(tree, b"", Bound::Unbounded, usize::MAX).unwrap();
        assert_eq!(engine.count(tree).unwrap(), entries.len() as u64);
        for (key, value) in entries {
            assert_eq!(engine.get(tree, &key).unwrap().as_ref(), Some(&value));
            all.insert((tree, key), value);
        }
    }
    all
}
