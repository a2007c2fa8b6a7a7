//! PostgreSQL as an engine: the contract, several processes, and connections that are lost at the worst moment.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::super::testing::{Home, Schema, execute};
use super::super::{CommitError, EngineChoice, Store, Tree, Txn, TxnError, contract_tests};
use super::{Engine, EngineError, PostgresEngine, PostgresOptions};

#[test]
fn postgres_keeps_the_engine_contract() {
    if Schema::make().is_none() {
        return;
    }
    let schemas: Mutex<HashMap<PathBuf, Schema>> = Mutex::default();
    contract_tests::holds_for(&|directory: &Path| {
        let mut schemas = schemas.lock().unwrap();
        let schema = schemas
            .entry(directory.to_owned())
            .or_insert_with(|| Schema::make().unwrap());
        Arc::new(PostgresEngine::open(&schema.options()).unwrap()) as Arc<dyn Engine>
    });
}

#[test]
fn a_url_of_something_else_is_refused() {
    for url in [
        "",
        "mysql://host/database",
        "/var/lib/store",
        "postgres://host:port/",
    ] {
        assert!(PostgresOptions::parse(url, 1).is_err(), "{url}");
    }
    let options = PostgresOptions::parse("postgres://user:secret@host/name?sslmode=verify-full", 0).unwrap();
    let printed = format!("{options:?}");
    assert!(
        !printed.contains("secret") && !printed.contains("user"),
        "{printed}"
    );
}

#[test]
fn a_server_that_is_not_there_is_told_as_unavailable() {
    let options = PostgresOptions::parse("postgres://nobody@127.0.0.1:9/none", 1).unwrap();
    let opened = PostgresEngine::open(&options).err();
    assert!(matches!(opened, Some(EngineError::Unavailable(_))), "{opened:?}");
}

fn count_up(txn: &mut Txn<'_>) -> Result<u32, TxnError> {
    let count = txn.get(Tree::Counters, b"n")?;
    let count = count.map_or(0, |value| u32::from_be_bytes(value.try_into().unwrap())) + 1;
    txn.put(Tree::Counters, b"n", count.to_be_bytes().to_vec())?;
    txn.put(Tree::Cards, &count.to_be_bytes(), b"made".to_vec())?;
    txn.set_audit_head([count.to_be_bytes()[3]; 32]);
    Ok(count)
}

/// Commit numbers, record counts and the audit head go on over all processes, and none counts the same number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_on_one_database_commit_one_after_the_other() {
    let Some(home) = Home::postgres() else { return };
    let stores: Vec<Store> = ["a", "b", "c"]
        .map(|process| Store::open(&home.options_of(process)).unwrap())
        .into();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..60 {
        let store = stores[number % stores.len()].clone();
        tasks.spawn(async move { store.commit(count_up).await.unwrap().unwrap() });
    }
    let mut counts = tasks.join_all().await;
    counts.sort_unstable();
    assert_eq!(counts, (1..=60).collect::<Vec<u32>>());
    for store in &stores {
        store.look().await.unwrap();
        assert_eq!(store.reached(), stores[0].reached());
    }
    let reached = stores[0].reached();
    assert_eq!((reached.records, reached.audit_head), (61, [60; 32]));
    let recount = stores[1].recount().unwrap();
    assert_eq!(recount.expected, recount.found);
    for store in stores {
        store.close().await;
    }
    // Each process has an anchor of its own; the others moved the store on beyond it.
    for process in ["a", "b", "c"] {
        drop(Store::open(&home.options_of(process)).unwrap());
    }
}

#[tokio::test]
async fn a_database_behind_its_anchor_does_not_open() {
    let Some(home) = Home::postgres() else { return };
    let store = home.open();
    store.commit(count_up).await.unwrap().unwrap();
    store.close().await;
    drop(store);
    execute(home.url().unwrap(), "DELETE FROM tessera_entries".to_owned());
    let opened = Store::open(&home.options()).map(drop);
    assert!(
        matches!(
            opened,
            Err(super::super::OpenError::TailMissing { store: 0, anchor: 1 })
        ),
        "{opened:?}"
    );
}

/// What the way to the server does with the next `COMMIT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Way {
    Open,
    /// The connection ends before the server hears of it.
    CutBefore,
    /// The server commits, and nobody hears the answer.
    CutBehind,
    /// The connection ends with the statement that writes.
    CutWrite,
    /// Nothing passes any more, on no connection.
    Down,
}

/// A way to the test server that can be cut.
struct Proxy {
    port: u16,
    way: Arc<AtomicU8>,
}

impl Proxy {
    fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(AtomicU8::new(Way::Open as u8));
        let set = Arc::clone(&way);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, set, server) = (client.unwrap(), Arc::clone(&set), server.clone());
                thread::spawn(move || carry(&client, &TcpStream::connect(server).unwrap(), &set));
            }
        });
        Self { port, way }
    }

    fn set(&self, way: Way) {
        self.way.store(way as u8, Ordering::SeqCst);
    }

    fn is_open(&self) -> bool {
        self.way.load(Ordering::SeqCst) == Way::Open as u8
    }
}

fn carry(client: &TcpStream, server: &TcpStream, way: &Arc<AtomicU8>) {
    let cut = || {
        // Either may be gone already.
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    };
    let is = |wanted: Way| way.load(Ordering::SeqCst) == wanted as u8;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let length = (&mut &*server).read(&mut buffer).unwrap_or(0);
                if length == 0 || (&mut &*client).write_all(&buffer[..length]).is_err() {
                    return cut();
                }
            }
        });
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = (&mut &*client).read(&mut buffer).unwrap_or(0);
            let sent = &buffer[..length];
            let says = |words: &[u8]| sent.windows(words.len()).any(|window| window == words);
            let commits = says(b"COMMIT\0");
            let writes = says(b"gone AS") || says(b"made");
            if length == 0
                || is(Way::Down)
                || (is(Way::CutWrite) && writes)
                || (is(Way::CutBefore) && commits)
            {
                if !is(Way::Down) {
                    way.store(Way::Open as u8, Ordering::SeqCst);
                }
                return cut();
            }
            if is(Way::CutBehind) && commits {
                // The answer goes nowhere; the statement arrives.
                client.shutdown(Shutdown::Both).unwrap();
                (&mut &*server).write_all(sent).unwrap();
                way.store(Way::Open as u8, Ordering::SeqCst);
                return;
            }
            if (&mut &*server).write_all(sent).is_err() {
                return cut();
            }
        }
    });
}

/// A store whose way to the database can be cut.
fn behind_a_proxy(home: &Home) -> (Store, Proxy) {
    let url = home.url().unwrap();
    let (before, rest) = url.split_once('@').unwrap();
    let (server, path) = rest.split_once('/').unwrap();
    let proxy = Proxy::to(server.to_owned());
    let url = format!("{before}@127.0.0.1:{}/{path}", proxy.port);
    let mut options = home.options_of("behind");
    options.engine = EngineChoice::Postgres(PostgresOptions::parse(&url, 2).unwrap());
    (Store::open(&options).unwrap(), proxy)
}

#[tokio::test]
async fn a_connection_lost_before_the_commit_writes_nothing_and_ends_nothing() {
    let Some(home) = Home::postgres() else { return };
    let (store, proxy) = behind_a_proxy(&home);
    assert_eq!(store.commit(count_up).await.unwrap().unwrap(), 1);
    for way in [Way::CutWrite, Way::CutBefore] {
        let before = store.reached();
        proxy.set(way);
        let lost = store.commit(count_up).await;
        assert!(
            matches!(lost, Err(CommitError::Unavailable(_))),
            "{way:?}: {lost:?}"
        );
        assert!(proxy.is_open(), "{way:?} was never met");
        assert_eq!(store.reached(), before);
        assert_eq!(store.status().unwrap().failure, None);
        // The next one finds the store as it stands, over a new connection.
        let next = store.commit(count_up).await.unwrap().unwrap();
        assert_eq!(u64::from(next), before.number + 1);
    }
    assert_eq!(home.open().reached().number, 3);
}

#[tokio::test]
async fn a_connection_lost_in_the_commit_is_looked_for_and_found() {
    let Some(home) = Home::postgres() else { return };
    let (store, proxy) = behind_a_proxy(&home);
    let other = home.open();
    for round in 0..3 {
        proxy.set(Way::CutBehind);
        let count = store.commit(count_up).await.unwrap().unwrap();
        assert_eq!(count, 2 * round + 1);
        assert!(proxy.is_open(), "the commit went another way");
        assert_eq!(other.commit(count_up).await.unwrap().unwrap(), count + 1);
    }
    let recount = store.recount().unwrap();
    assert_eq!(recount.expected, recount.found);
}

#[tokio::test]
async fn a_database_that_is_away_is_told_and_found_again() {
    let Some(home) = Home::postgres() else { return };
    let (store, proxy) = behind_a_proxy(&home);
    store.commit(count_up).await.unwrap().unwrap();
    proxy.set(Way::Down);
    let away = store.commit(count_up).await;
    assert!(matches!(away, Err(CommitError::Unavailable(_))), "{away:?}");
    assert!(matches!(
        store.get(Tree::Counters, b"n"),
        Err(EngineError::Unavailable(_))
    ));
    proxy.set(Way::Open);
    assert_eq!(store.commit(count_up).await.unwrap().unwrap(), 2);
    assert!(store.get(Tree::Counters, b"n").unwrap().is_some());
}
