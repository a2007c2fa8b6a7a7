//! The parts of a proof and of a sealed message, one thread: `cargo bench -p benches --bench jose`.

use std::hint::black_box;

use anyhow::{Context, Result, anyhow};
use criterion::{BatchSize, Criterion};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use shared::ids::{CardToken, Nonce};
use shared::jwe::{AlgPolicy, CompactJwe, Opener, RsaKeySize, RsaPrivateKey, Sealer, SealerCache};
use shared::jws::HolderSigner;
use shared::jws::holder_proof::{HolderProof, HolderProofClaims, Op};
use shared::public_key::{HolderKey, PublicKey};

/// About what a reveal answers.
const ANSWER: &[u8] = br#"{"id":1001,"type":"VIRTUAL","state":"ACTIVE","token":"crd_abcdefghijklmnopqrstuvwxyz","exp":"2029-01-31","cardNo":"9999000000000017","cvv":"012"}"#;
/// What a PIN set sends.
const PIN: &[u8] = br#"{"pin":"0000"}"#;

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    proofs(&mut criterion)?;
    sealing(&mut criterion)?;
    opening(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn signer() -> Result<HolderSigner> {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    Ok(HolderSigner::from_pkcs8(
        pkcs8.map_err(|_| anyhow!("no randomness"))?.as_ref(),
    )?)
}

fn claims(rpk: &PublicKey) -> Result<HolderProofClaims> {
    let card = CardToken::from_random(&[1; 16]).context("no token")?;
    Ok(HolderProofClaims {
        op: Op::Reveal,
        card: card.to_string(),
        nonce: Nonce::from_random(&[2; 32]),
        iat: 1_800_000_000,
        jti: "bench".to_owned(),
        rpk: rpk.thumbprint(),
        bdh: None,
    })
}

fn by_holder(text: &str, keys: &[HolderKey]) -> Result<HolderProofClaims> {
    match HolderProof::parse(text)? {
        HolderProof::ByHolder(proof) => Ok(proof.verify_with(keys)?.claims),
        HolderProof::ByPartner(_) => Err(anyhow!("a proof without certificate")),
    }
}

/// ES256 both ways, inside the tokens that it is used in.
fn proofs(criterion: &mut Criterion) -> Result<()> {
    let (signer, recipient) = (signer()?, rsa(RsaKeySize::Bits2048)?);
    let (claims, key) = (claims(recipient.public_key())?, signer.public_key()?);
    let text = claims.sign(&signer)?;
    let mut group = criterion.benchmark_group("holder proof");
    group.bench_function("sign (ES256)", |bench| bench.iter(|| claims.sign(&signer)));
    group.bench_function("parse", |bench| {
        bench.iter(|| HolderProof::parse(black_box(&text)).is_ok());
    });
    let keys = [key];
    by_holder(&text, &keys)?;
    group.bench_function("parse and verify (ES256)", |bench| {
        bench.iter(|| by_holder(black_box(&text), &keys).is_ok());
    });
    group.finish();
    Ok(())
}

fn rsa(size: RsaKeySize) -> Result<RsaPrivateKey> {
    Ok(RsaPrivateKey::from_pkcs8(&RsaPrivateKey::generate(size)?)?)
}

/// To a key that the vault never saw, and to one whose sealer it kept.
fn sealing(criterion: &mut Criterion) -> Result<()> {
    let (rsa, p256) = (rsa(RsaKeySize::Bits2048)?, signer()?.public_key()?);
    let keys = [
        ("RSA-2048", rsa.public_key().clone()),
        ("P-256", PublicKey::P256(p256.point().clone())),
    ];
    let mut group = criterion.benchmark_group("seal an answer");
    for (name, key) in keys {
        let header = key.to_spki_pem();
        group.bench_function(format!("{name}, read the public key"), |bench| {
            bench.iter(|| PublicKey::from_spki_pem(black_box(&header)));
        });
        Sealer::new(&key)?.seal(ANSWER)?;
        group.bench_function(format!("{name}, never seen"), |bench| {
            bench.iter(|| Sealer::new(black_box(&key)).and_then(|sealer| sealer.seal(ANSWER)));
        });
        let cache = SealerCache::new(16);
        group.bench_function(format!("{name}, cached"), |bench| {
            bench.iter(|| cache.get(black_box(&key)).and_then(|sealer| sealer.seal(ANSWER)));
        });
    }
    group.finish();
    Ok(())
}

fn opening(criterion: &mut Criterion) -> Result<()> {
    let mut group = criterion.benchmark_group("open a payload");
    for (name, size) in [
        ("RSA-2048", RsaKeySize::Bits2048),
        ("RSA-4096", RsaKeySize::Bits4096),
    ] {
        let key = rsa(size)?;
        let text = Sealer::new(key.public_key())?.seal(PIN)?;
        let opener = Opener::new(key, Vec::new());
        let parse = || CompactJwe::parse(black_box(&text), AlgPolicy::Sha256Only);
        opener.open(&parse()?)?;
        group.bench_function(format!("{name}, strict parse alone"), |bench| {
            bench.iter(|| parse().is_ok());
        });
        group.bench_function(format!("{name}, open"), |bench| {
            bench.iter_batched(
                parse,
                |jwe| jwe.is_ok_and(|jwe| opener.open(&jwe).is_ok()),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    Ok(())
}
