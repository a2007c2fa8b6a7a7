//! The timing of the two failures after the key unwrap: an RSA block that does not unwrap, and one that does before a tag that
//! does not fit. Whoever could tell them apart could ask about the RSA block (Bleichenbacher, Manger). Measured here and not
//! asserted in a test: `cargo bench -p benches --bench two_failures [pairs]`.
//!
//! The two kinds come in random order. Reported are the medians, their difference, and Welch's t over the faster 95 per cent
//! of each (Reparaz, Balasch, Verbauwhede: "dude, is my code constant time?"): beyond ±4.5 the two can be told apart with so
//! many tries.
#![expect(clippy::float_arithmetic, reason = "statistics over times")]

use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use shared::jwe::{AlgPolicy, CompactJwe, OpenError, Opener, RsaKeySize, RsaPrivateKey, Sealer};

/// Tries of each kind, unless the command line says otherwise.
const PAIRS: usize = 20_000;
/// Tokens of each kind that are used in turn, so that no cache knows one of them.
const TOKENS: usize = 64;
/// The slowest part is left out: interruptions, not cryptography.
const KEPT_PERCENT: usize = 95;
const PIN: &[u8] = br#"{"pin":"0000"}"#;
const ENCRYPTED_KEY: usize = 1;
const TAG: usize = 4;

fn main() -> Result<()> {
    let asked = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next();
    let pairs = asked.unwrap_or(PAIRS);
    let mut out = std::io::stdout();
    writeln!(
        out,
        "| key | tries of each | bad RSA block, median ns | bad tag, median ns | difference ns | Welch's t |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|")?;
    for (name, size, pairs) in [
        ("RSA-2048", RsaKeySize::Bits2048, pairs),
        ("RSA-4096", RsaKeySize::Bits4096, pairs / 8),
    ] {
        let (mut block, mut tag) = measure(size, pairs)?;
        let t = welch(kept(&mut block), kept(&mut tag));
        let (block, tag) = (median(&block), median(&tag));
        writeln!(
            out,
            "| {name} | {pairs} | {block} | {tag} | {} | {t:.2} |",
            block - tag
        )?;
    }
    Ok(())
}

/// Nanoseconds of each try, by kind.
fn measure(size: RsaKeySize, pairs: usize) -> Result<(Vec<i64>, Vec<i64>)> {
    let key = RsaPrivateKey::from_pkcs8(&RsaPrivateKey::generate(size)?)?;
    let sealer = Sealer::new(key.public_key())?;
    let tokens: Vec<String> = (0..TOKENS).map(|_| sealer.seal(PIN)).collect::<Result<_, _>>()?;
    let opener = Opener::new(key, Vec::new());
    let random = SystemRandom::new();
    let bad = |part| -> Result<Vec<CompactJwe>> { tokens.iter().map(|token| flipped(token, part)).collect() };
    let kinds = [bad(ENCRYPTED_KEY)?, bad(TAG)?];
    let mut times = [Vec::with_capacity(pairs), Vec::with_capacity(pairs)];
    let mut coin = [0; 2];
    while times.iter().any(|times| times.len() < pairs) {
        random.fill(&mut coin).map_err(|_| anyhow!("no randomness"))?;
        let [side, token] = coin.map(usize::from);
        let (side, token) = (side % 2, token % TOKENS);
        let jwe = kinds
            .get(side)
            .and_then(|kind| kind.get(token))
            .context("no such token")?;
        let began = Instant::now();
        let opened = black_box(opener.open(black_box(jwe)));
        let nanoseconds = i64::try_from(began.elapsed().as_nanos())?;
        ensure!(
            opened.err() == Some(OpenError::CantDecrypt),
            "a broken token that opens, or is refused before"
        );
        if let Some(times) = times.get_mut(side).filter(|times| times.len() < pairs) {
            times.push(nanoseconds);
        }
    }
    let [block, tag] = times;
    Ok((block, tag))
}

/// The token with one bit of a part flipped.
fn flipped(token: &str, part: usize) -> Result<CompactJwe> {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let text = parts.get_mut(part).context("a part is missing")?;
    let mut bytes = URL_SAFE_NO_PAD.decode(&*text)?;
    *bytes.last_mut().context("an empty part")? ^= 1;
    *text = URL_SAFE_NO_PAD.encode(bytes);
    Ok(CompactJwe::parse(&parts.join("."), AlgPolicy::Sha256Only)?)
}

/// The fastest part, sorted.
fn kept(times: &mut [i64]) -> &[i64] {
    times.sort_unstable();
    times.get(..times.len() * KEPT_PERCENT / 100).unwrap_or_default()
}

/// Of sorted times.
fn median(times: &[i64]) -> i64 {
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn welch(a: &[i64], b: &[i64]) -> f64 {
    let ((mean_a, error_a), (mean_b, error_b)) = (mean_and_error(a), mean_and_error(b));
    (mean_a - mean_b) / (error_a + error_b).sqrt()
}

/// The mean, and the square of its standard error.
fn mean_and_error(times: &[i64]) -> (f64, f64) {
    let count = times.len() as f64;
    let mean = times.iter().map(|time| *time as f64).sum::<f64>() / count;
    let squares = times
        .iter()
        .map(|time| (*time as f64 - mean).powi(2))
        .sum::<f64>();
    (mean, squares / (count - 1.0) / count)
}
