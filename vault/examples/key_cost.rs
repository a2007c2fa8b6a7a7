//! What the keyring's operations cost, one thread: `cargo run --release -p vault --example key_cost`.
#![expect(clippy::print_stdout, reason = "an example that reports to its terminal")]

use std::hint::black_box;
use std::time::Instant;

use ring::rand::SystemRandom;
use shared::clock::Clock;
use shared::ids::CardToken;
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

const ROUNDS: u32 = 20_000;

fn measure(what: &str, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work()?;
    }
    let nanoseconds = start.elapsed().as_nanos() / u128::from(ROUNDS);
    println!(
        "{what:40} {:>4}.{:02} µs",
        nanoseconds / 1000,
        nanoseconds % 1000 / 10
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let store_directory = directory.path().join("store");
    let options = StoreOptions {
        ballast_bytes: 0,
        free_floor_bytes: 0,
        ..StoreOptions::new(&store_directory)
    };
    let store = Store::open(&options)?;
    let epoch = EpochFiles::new(vec![directory.path().join("epoch")], &store_directory)?;
    let (environment, rng) = (Environment::Development, SystemRandom::new());
    let slots = [RootKeeping::KeyFile(directory.path().join("key"))];
    let jwe = NewJweKey::generate(RsaKeySize::Bits2048)?;
    ceremony::initialise(&store, environment, &epoch, &slots, &jwe, &rng, &Clock::System).await?;
    let slots = slot::load_all(&store)?;
    let slot = slots.first().ok_or_else(|| anyhow::anyhow!("no slot"))?;
    let root = key_file::open(environment, slot)?;
    let keyring = Keyring::open(
        environment,
        root,
        &epoch.load()?,
        &store,
        Clock::System.unix_seconds(),
        rng,
    )?;

    let (program, key, plaintext) = ("demo-eur".parse()?, b"crd_abcdefghijklmnopqrstuvwxyz", [7; 512]);
    let card = CardToken::from_random(&[1; 16]).ok_or_else(|| anyhow::anyhow!("no token"))?;
    let sealed = keyring.seal_record(Tree::Cards, key, &plaintext)?;
    let (data_key, wrapped) = keyring.new_data_key(&program, &card)?;
    let pan = data_key.seal(Field::Pan, 1, b"9999000000000017")?;

    measure("seal a record of 512 bytes", || {
        black_box(keyring.seal_record(Tree::Cards, key, &plaintext)?);
        Ok(())
    })?;
    measure("open a record of 512 bytes", || {
        black_box(keyring.open_record(Tree::Cards, key, &sealed)?);
        Ok(())
    })?;
    measure("make and wrap a data key", || {
        black_box(keyring.new_data_key(&program, &card)?);
        Ok(())
    })?;
    measure("unwrap a data key", || {
        black_box(keyring.unwrap_data_key(&program, &card, &wrapped)?);
        Ok(())
    })?;
    measure("seal a PAN", || {
        black_box(data_key.seal(Field::Pan, 1, b"9999000000000017")?);
        Ok(())
    })?;
    measure("open a PAN", || {
        black_box(data_key.open(Field::Pan, 1, &pan)?);
        Ok(())
    })?;
    measure("fingerprint a PAN", || {
        black_box(keyring.fingerprint(b"9999000000000017"));
        Ok(())
    })
}
