//! The single cost of each cryptographic step that a reveal must do, in CPU time, on all cores at once: as the server has to
//! take it, with whatever the cores share taken by the other.

use std::hint::black_box;
use std::thread;

use anyhow::{Result, anyhow};
use openssl::bn::BigNum;
use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey as PeerKey, agree_ephemeral};
use ring::digest::{SHA256, digest};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use rustix::time::{ClockId, clock_gettime};

/// Each step so often in a batch, and so many batches; the median batch counts.
const ROUNDS: u32 = 40;
const BATCHES: usize = 25;
/// What a proof's signature covers: header and claims in base64url.
const SIGNED_BYTES: usize = 420;
/// A record.
const RECORD_BYTES: usize = 512;
const RSA_BITS: u32 = 2048;

/// Microseconds of CPU time each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// ES256, verify: the Holder-Proof.
    pub es256_verify: f64,
    /// ES256, sign: the Vault-Proof.
    pub es256_sign: f64,
    /// RSA-OAEP-256 of a content key to a 2048-bit key that OpenSSL has ready.
    pub rsa_oaep_256: f64,
    /// The same to a key that is new to the vault and has to be made from its numbers first.
    pub rsa_oaep_256_new_key: f64,
    /// ECDH-ES on P-256: a key pair, an agreement, a hash.
    pub ecdh_es: f64,
    /// AES-256-GCM over a record of 512 bytes: key schedule, random nonce, seal.
    pub aes_gcm: f64,
}

impl Steps {
    /// Measures all of them.
    ///
    /// # Errors
    /// When a library fails.
    pub fn measure() -> Result<Self> {
        let cores = thread::available_parallelism()?.get();
        let threads: Vec<_> = (0..cores).map(|_| thread::spawn(Bench::measure_all)).collect();
        let mut found = Vec::with_capacity(cores);
        for thread in threads {
            found.push(
                thread
                    .join()
                    .map_err(|_| anyhow!("a measuring thread panicked"))??,
            );
        }
        let mean = |pick: fn(&Self) -> f64| found.iter().map(pick).sum::<f64>() / found.len().max(1) as f64;
        Ok(Self {
            es256_verify: mean(|steps| steps.es256_verify),
            es256_sign: mean(|steps| steps.es256_sign),
            rsa_oaep_256: mean(|steps| steps.rsa_oaep_256),
            rsa_oaep_256_new_key: mean(|steps| steps.rsa_oaep_256_new_key),
            ecdh_es: mean(|steps| steps.ecdh_es),
            aes_gcm: mean(|steps| steps.aes_gcm),
        })
    }
}

/// Keys and messages, ready.
struct Bench {
    random: SystemRandom,
    signer: EcdsaKeyPair,
    message: Vec<u8>,
    signature: Vec<u8>,
    rsa: Rsa<Private>,
    recipient: PKey<Public>,
}

impl Bench {
    fn new() -> Result<Self> {
        let random = SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(failed)?;
        let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random);
        let (signer, message) = (
            signer.map_err(|error| anyhow!("{error}"))?,
            vec![b'a'; SIGNED_BYTES],
        );
        let signature = signer.sign(&random, &message).map_err(failed)?.as_ref().to_vec();
        let rsa = Rsa::generate(RSA_BITS)?;
        let recipient = public_half(&rsa)?;
        Ok(Self {
            random,
            signer,
            message,
            signature,
            rsa,
            recipient,
        })
    }

    fn measure_all() -> Result<Steps> {
        let bench = Self::new()?;
        Ok(Steps {
            es256_verify: median_micros(|| bench.verify())?,
            es256_sign: median_micros(|| bench.sign())?,
            rsa_oaep_256: median_micros(|| wrap(&bench.recipient))?,
            rsa_oaep_256_new_key: median_micros(|| wrap(&public_half(&bench.rsa)?))?,
            ecdh_es: median_micros(|| bench.agree())?,
            aes_gcm: median_micros(|| bench.seal())?,
        })
    }

    fn verify(&self) -> Result<()> {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.signer.public_key());
        key.verify(black_box(&self.message), &self.signature)
            .map_err(failed)
    }

    fn sign(&self) -> Result<()> {
        black_box(
            self.signer
                .sign(&self.random, black_box(&self.message))
                .map_err(failed)?,
        );
        Ok(())
    }

    fn agree(&self) -> Result<()> {
        let own = EphemeralPrivateKey::generate(&ECDH_P256, &self.random).map_err(failed)?;
        black_box(own.compute_public_key().map_err(failed)?);
        let peer = PeerKey::new(&ECDH_P256, self.signer.public_key());
        let derived = agree_ephemeral(own, &peer, |secret| digest(&SHA256, secret)).map_err(failed)?;
        black_box(derived);
        Ok(())
    }

    fn seal(&self) -> Result<()> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, black_box(&[7; 32])).map_err(failed)?);
        let mut nonce = [0; 12];
        self.random.fill(&mut nonce).map_err(failed)?;
        let (nonce, mut record) = (Nonce::assume_unique_for_key(nonce), [7; RECORD_BYTES]);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(b"a record"), &mut record);
        let _sealed = black_box((tag.map_err(failed)?, record));
        Ok(())
    }
}

fn wrap(recipient: &PKey<Public>) -> Result<()> {
    let mut encrypter = Encrypter::new(recipient)?;
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    encrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
    encrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
    let key = [7; 32];
    let mut wrapped = vec![0; encrypter.encrypt_len(&key)?];
    encrypter.encrypt(black_box(&key), &mut wrapped)?;
    black_box(wrapped);
    Ok(())
}

fn public_half(rsa: &Rsa<Private>) -> Result<PKey<Public>> {
    let (n, e) = (rsa.n().to_vec(), rsa.e().to_vec());
    let rsa = Rsa::from_public_components(BigNum::from_slice(&n)?, BigNum::from_slice(&e)?)?;
    Ok(PKey::from_rsa(rsa)?)
}

/// The median over the batches, microseconds of this thread's CPU time.
fn median_micros(mut step: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut batches = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        let before = thread_nanos();
        for _ in 0..ROUNDS {
            step()?;
        }
        batches.push((thread_nanos() - before) as f64 / f64::from(ROUNDS) / 1_000.0);
    }
    batches.sort_by(f64::total_cmp);
    Ok(batches.get(BATCHES / 2).copied().unwrap_or_default())
}

fn thread_nanos() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn failed(_: Unspecified) -> anyhow::Error {
    anyhow!("the cryptographic library refused")
}
