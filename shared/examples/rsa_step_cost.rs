//! What the key step of a JWE to a never-seen 2048-bit key costs by each way that was weighed for `jwe::seal`.
//! Run with `cargo run -p shared --example rsa_step_cost --release`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that prints, on keys of its own"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwe::alg::rsaes::RsaesJweAlgorithm;
use josekit::jwe::{JweEncrypter as _, JweHeader};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::{Padding, Rsa};

fn time(what: &str, mut step: impl FnMut()) {
    let mut samples: Vec<Duration> = (0..2_000)
        .map(|_| {
            let start = Instant::now();
            step();
            start.elapsed()
        })
        .collect();
    samples.sort_unstable();
    println!("{what:<58} p50 {:>4} µs", samples[samples.len() / 2].as_micros());
}

fn oaep(key: &PKey<Public>, cek: &[u8]) -> Vec<u8> {
    let mut encrypter = Encrypter::new(key).unwrap();
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
    encrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
    encrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
    let mut out = vec![0; encrypter.encrypt_len(cek).unwrap()];
    let written = encrypter.encrypt(cek, &mut out).unwrap();
    out.truncate(written);
    out
}

fn main() {
    for bits in [2048, 4096] {
        rsa_steps(bits);
    }
    point_checks();
}

fn rsa_steps(bits: u32) {
    let cek = [7u8; 32];
    let private = Rsa::generate(bits).unwrap();
    let (n, e) = (private.n().to_vec(), private.e().to_vec());
    let spki = private.public_key_to_der().unwrap();
    let jwk = josekit::jwk::Jwk::from_bytes(format!(
        r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#,
        URL_SAFE_NO_PAD.encode(&n),
        URL_SAFE_NO_PAD.encode(&e)
    ))
    .unwrap();
    let build = || {
        Rsa::from_public_components(BigNum::from_slice(&n).unwrap(), BigNum::from_slice(&e).unwrap()).unwrap()
    };
    println!("RSA-{bits}");
    time("josekit: encrypter_from_jwk alone", || {
        black_box(RsaesJweAlgorithm::RsaOaep256.encrypter_from_jwk(&jwk).unwrap());
    });
    let header = JweHeader::new();
    time("josekit: from JWK and encrypt", || {
        let e = RsaesJweAlgorithm::RsaOaep256.encrypter_from_jwk(&jwk).unwrap();
        black_box(e.encrypt(&cek, &header, &mut header.clone()).unwrap());
    });
    let kept = RsaesJweAlgorithm::RsaOaep256.encrypter_from_jwk(&jwk).unwrap();
    time("josekit: key kept", || {
        black_box(kept.encrypt(&cek, &header, &mut header.clone()).unwrap());
    });
    time("openssl: SPKI decoder alone", || {
        black_box(PKey::public_key_from_der(&spki).unwrap());
    });
    time("openssl: from n and e, EVP OAEP", || {
        black_box(oaep(&PKey::from_rsa(build()).unwrap(), &cek));
    });
    let kept = PKey::from_rsa(build()).unwrap();
    time("openssl: n and e kept, EVP OAEP", || {
        black_box(oaep(&kept, &cek));
    });
    let mut block = vec![1u8; n.len()];
    block[0] = 0;
    time("openssl: from n and e, bare RSA (own OAEP block)", || {
        let mut out = vec![0; n.len()];
        build().public_encrypt(&block, &mut out, Padding::NONE).unwrap();
        black_box(out);
    });
    let kept = build();
    time("openssl: n and e kept, bare RSA (own OAEP block)", || {
        let mut out = vec![0; n.len()];
        kept.public_encrypt(&block, &mut out, Padding::NONE).unwrap();
        black_box(out);
    });
    time("openssl: from n and e, EVP OAEP SHA-1", || {
        let mut out = vec![0; n.len()];
        build()
            .public_encrypt(&cek, &mut out, Padding::PKCS1_OAEP)
            .unwrap();
        black_box(out);
    });
}

fn point_checks() {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let ec = EcKey::generate(&group).unwrap();
    let mut ctx = BigNumContext::new().unwrap();
    let point = ec
        .public_key()
        .to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut ctx)
        .unwrap();
    time("P-256 point check, new group", || {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let mut ctx = BigNumContext::new().unwrap();
        black_box(EcPoint::from_bytes(&group, &point, &mut ctx).unwrap());
    });
    time("P-256 point check, group kept", || {
        let mut ctx = BigNumContext::new().unwrap();
        black_box(EcPoint::from_bytes(&group, &point, &mut ctx).unwrap());
    });
}
