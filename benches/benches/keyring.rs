//! What the vault's keyring costs, one thread: `cargo bench -p benches --bench keyring`.

use std::hint::black_box;
use std::path::Path;

use anyhow::{Context, Result};
use criterion::Criterion;
use ring::rand::SystemRandom;
use shared::clock::Clock;
use shared::ids::{CardToken, ProgramName};
use shared::jwe::RsaKeySize;
use vault::environment::Environment;
use vault::keys::ceremony;
use vault::keys::data_key::Field;
use vault::keys::epoch::EpochFiles;
use vault::keys::jwe_keys::NewJweKey;
use vault::keys::keyring::Keyring;
use vault::keys::slot::make::RootKeeping;
use vault::keys::slot::{self, key_file};
use vault::store::{Store, StoreOptions, Tree};

/// A number of the test range.
const PAN: &[u8] = b"9999000000000017";
/// A card's record, about.
const RECORD: [u8; 512] = [7; 512];
const RECORD_KEY: &[u8] = b"crd_abcdefghijklmnopqrstuvwxyz";

fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let keyring = runtime.block_on(keyring(directory.path()))?;
    let mut criterion = Criterion::default().configure_from_args();
    records(&mut criterion, &keyring)?;
    cards(&mut criterion, &keyring)?;
    criterion.final_summary();
    Ok(())
}

/// The keyring of a new vault.
async fn keyring(directory: &Path) -> Result<Keyring> {
    let store_directory = directory.join("store");
    let options = StoreOptions {
        ballast_bytes: 0,
        free_floor_bytes: 0,
        ..StoreOptions::new(&store_directory)
    };
    let store = Store::open(&options)?;
    let epoch = EpochFiles::new(vec![directory.join("epoch")], &store_directory)?;
    let (environment, random) = (Environment::Development, SystemRandom::new());
    let slots = [RootKeeping::KeyFile(directory.join("key"))];
    let jwe = NewJweKey::generate(RsaKeySize::Bits2048)?;
    ceremony::initialise(&store, environment, &epoch, &slots, &jwe, &random, &Clock::System).await?;
    let slots = slot::load_all(&store)?;
    let root = key_file::open(environment, slots.first().context("no slot")?)?;
    let (epoch, now) = (epoch.load()?, Clock::System.unix_seconds());
    Ok(Keyring::open(environment, root, &epoch, &store, now, random)?)
}

fn records(criterion: &mut Criterion, keyring: &Keyring) -> Result<()> {
    let sealed = keyring.seal_record(Tree::Cards, RECORD_KEY, &RECORD)?;
    let mut group = criterion.benchmark_group("record of 512 bytes");
    group.bench_function("seal", |bench| {
        bench.iter(|| {
            keyring
                .seal_record(Tree::Cards, RECORD_KEY, black_box(&RECORD))
                .is_ok()
        });
    });
    group.bench_function("open", |bench| {
        bench.iter(|| {
            keyring
                .open_record(Tree::Cards, RECORD_KEY, black_box(&sealed))
                .is_ok()
        });
    });
    group.finish();
    Ok(())
}

fn cards(criterion: &mut Criterion, keyring: &Keyring) -> Result<()> {
    let program: ProgramName = "demo-eur".parse()?;
    let card = CardToken::from_random(&[1; 16]).context("no token")?;
    let (data_key, wrapped) = keyring.new_data_key(&program, &card)?;
    let sealed = data_key.seal(Field::Pan, 1, PAN)?;
    let mut group = criterion.benchmark_group("card");
    group.bench_function("make and wrap a data key", |bench| {
        bench.iter(|| keyring.new_data_key(&program, &card).is_ok());
    });
    group.bench_function("unwrap a data key", |bench| {
        bench.iter(|| {
            keyring
                .unwrap_data_key(&program, &card, black_box(&wrapped))
                .is_ok()
        });
    });
    group.bench_function("seal a PAN", |bench| {
        bench.iter(|| data_key.seal(Field::Pan, 1, black_box(PAN)).is_ok());
    });
    group.bench_function("open a PAN", |bench| {
        bench.iter(|| data_key.open(Field::Pan, 1, black_box(&sealed)).is_ok());
    });
    group.bench_function("fingerprint a PAN", |bench| {
        bench.iter(|| keyring.fingerprint(black_box(PAN)));
    });
    group.finish();
    Ok(())
}
