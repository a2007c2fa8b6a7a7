use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jose::base64url;

fn rsa_key(bits: u32) -> (PublicKey, Vec<u8>) {
    let spki = Rsa::generate(bits).unwrap().public_key_to_der().unwrap();
    (PublicKey::from_spki_der(&spki).unwrap(), spki)
}

fn p256_key() -> (PublicKey, Vec<u8>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let spki = PKey::from_ec_key(EcKey::generate(&group).unwrap())
        .unwrap()
        .public_key_to_der()
        .unwrap();
    (PublicKey::from_spki_der(&spki).unwrap(), spki)
}

/// A modulus of exactly `bits` bits, odd; nothing here needs it to have two prime factors.
fn modulus(bits: usize) -> Vec<u8> {
    let mut number = vec![0xAB; bits.div_ceil(8)];
    number[0] = 1 << ((bits - 1) % 8);
    *number.last_mut().unwrap() |= 1;
    number
}

fn rsa_jwk(modulus: &[u8], exponent: &[u8]) -> Value {
    json!({ "kty": "RSA", "n": base64url::encode(modulus), "e": base64url::encode(exponent) })
}

#[test]
fn the_header_takes_pem_der_and_jwk_in_every_base64() {
    for (key, spki) in [rsa_key(2048), p256_key()] {
        let pem = key.to_spki_pem();
        let crlf = pem.replace('\n', "\r\n");
        let jwk = key.to_jwk().to_string();
        for form in [
            spki.as_slice(),
            pem.as_bytes(),
            pem.trim_end().as_bytes(),
            crlf.as_bytes(),
            jwk.as_bytes(),
        ] {
            for header in [
                BASE64.encode(form),
                STANDARD_NO_PAD.encode(form),
                URL_SAFE.encode(form),
                URL_SAFE_NO_PAD.encode(form),
            ] {
                assert_eq!(PublicKey::from_header(&header), Ok(key.clone()), "{header}");
            }
        }
    }
}

#[test]
fn our_pem_and_der_are_those_of_openssl() {
    for (key, spki) in [rsa_key(2048), rsa_key(3072), p256_key()] {
        assert_eq!(key.to_spki_der(), spki);
        let pem = PKey::public_key_from_der(&spki)
            .unwrap()
            .public_key_to_pem()
            .unwrap();
        assert_eq!(key.to_spki_pem().as_bytes(), pem);
    }
}

#[test]
fn rsa_sizes_are_bounded_at_both_ends() {
    for bits in [2048, 2049, 3072, 4096, 8191, 8192] {
        let key = PublicKey::from_jwk(&rsa_jwk(&modulus(bits), &[1, 0, 1])).unwrap();
        let PublicKey::Rsa(rsa) = &key else {
            panic!("not RSA")
        };
        assert_eq!(rsa.bits(), bits);
        assert_eq!(PublicKey::from_spki_der(&key.to_spki_der()), Ok(key.clone()));
        let longest = BASE64.encode(key.to_spki_pem());
        assert!(longest.len() <= MAX_PUBLIC_KEY_HEADER_BYTES);
        assert_eq!(PublicKey::from_header(&longest), Ok(key));
    }
    for bits in [16, 512, 1024, 2047, 8193, 16384] {
        assert_eq!(
            PublicKey::from_jwk(&rsa_jwk(&modulus(bits), &[1, 0, 1])),
            Err(InvalidPublicKey),
            "{bits}"
        );
    }
}

#[test]
fn only_the_exponent_65537_and_odd_moduli_without_padding_are_taken() {
    let good = modulus(2048);
    for exponent in [
        &[1u8][..],
        &[3],
        &[17],
        &[0, 1, 0, 1],
        &[1, 0, 0],
        &[1, 0, 3],
        &[],
        &[1, 0, 0, 0, 1],
    ] {
        assert_eq!(
            PublicKey::from_jwk(&rsa_jwk(&good, exponent)),
            Err(InvalidPublicKey),
            "{exponent:?}"
        );
    }
    let mut even = good.clone();
    *even.last_mut().unwrap() &= 0xFE;
    assert_eq!(
        PublicKey::from_jwk(&rsa_jwk(&even, &[1, 0, 1])),
        Err(InvalidPublicKey)
    );
    let padded = [&[0], good.as_slice()].concat();
    assert_eq!(
        PublicKey::from_jwk(&rsa_jwk(&padded, &[1, 0, 1])),
        Err(InvalidPublicKey)
    );
}

#[test]
fn a_point_off_the_curve_is_refused_in_every_form() {
    let (key, spki) = p256_key();
    let mut off_curve = spki;
    *off_curve.last_mut().unwrap() ^= 1;
    assert_eq!(PublicKey::from_spki_der(&off_curve), Err(InvalidPublicKey));
    let mut jwk = key.to_jwk();
    jwk["x"] = json!(base64url::encode([0xFF; 32]));
    assert_eq!(PublicKey::from_jwk(&jwk), Err(InvalidPublicKey));
    assert_eq!(HolderKey::from_jwk(&jwk), Err(InvalidPublicKey));
    assert_eq!(P256Point::from_uncompressed(&[4; 65]), Err(InvalidPublicKey));
    assert_eq!(P256Point::from_uncompressed(&[0]), Err(InvalidPublicKey));
}

#[test]
fn a_compressed_point_and_another_curve_are_refused() {
    let mut context = BigNumContext::new().unwrap();
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = EcKey::generate(&group).unwrap();
    let compressed = key
        .public_key()
        .to_bytes(&group, PointConversionForm::COMPRESSED, &mut context)
        .unwrap();
    assert_eq!(P256Point::from_uncompressed(&compressed), Err(InvalidPublicKey));
    for curve in [Nid::SECP384R1, Nid::SECP256K1] {
        let other = EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap();
        let spki = PKey::from_ec_key(other).unwrap().public_key_to_der().unwrap();
        assert_eq!(PublicKey::from_spki_der(&spki), Err(InvalidPublicKey));
    }
}

#[test]
fn another_der_encoding_of_a_good_key_is_refused() {
    let (_, spki) = rsa_key(2048);
    let trailing = [spki.as_slice(), &[0]].concat();
    assert_eq!(PublicKey::from_spki_der(&trailing), Err(InvalidPublicKey));
    // 30 82 01 22 … → 30 83 00 01 22 …: a length in more bytes than it needs.
    let long_length = [&[0x30, 0x83, 0], &spki[2..]].concat();
    assert_eq!(PublicKey::from_spki_der(&long_length), Err(InvalidPublicKey));
    for end in 0..spki.len() {
        assert_eq!(PublicKey::from_spki_der(&spki[..end]), Err(InvalidPublicKey));
    }
}

#[test]
fn private_and_unfitting_jwks_are_refused() {
    let (key, _) = rsa_key(2048);
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let mut jwk = key.to_jwk();
        jwk[private] = json!("AQAB");
        assert_eq!(PublicKey::from_jwk(&jwk), Err(InvalidPublicKey), "{private}");
    }
    for (member, value) in [
        ("use", "sig"),
        ("alg", "RSA1_5"),
        ("alg", "RS256"),
        ("kty", "oct"),
        ("kty", "EC"),
        ("crv", "P-256"),
    ] {
        let mut jwk = key.to_jwk();
        jwk[member] = json!(value);
        assert_eq!(
            PublicKey::from_jwk(&jwk),
            Err(InvalidPublicKey),
            "{member} {value}"
        );
    }
    for other in [
        json!(null),
        json!([]),
        json!("RSA"),
        json!({}),
        json!(["RSA", null, null, "n", "e"]),
    ] {
        assert_eq!(PublicKey::from_jwk(&other), Err(InvalidPublicKey), "{other}");
    }
}

#[test]
fn a_jwk_as_browsers_export_it_is_taken() {
    let (key, _) = rsa_key(2048);
    let mut jwk = key.to_jwk();
    jwk["alg"] = json!("RSA-OAEP-256");
    jwk["use"] = json!("enc");
    jwk["ext"] = json!(true);
    jwk["key_ops"] = json!(["encrypt"]);
    jwk["kid"] = json!("any");
    assert_eq!(PublicKey::from_header(&BASE64.encode(jwk.to_string())), Ok(key));
}

#[test]
fn a_duplicate_member_is_refused() {
    let (key, _) = p256_key();
    let twice = key.to_jwk().to_string().replacen('{', r#"{"kty":"RSA","#, 1);
    assert_eq!(
        PublicKey::from_header(&BASE64.encode(twice)),
        Err(InvalidPublicKey)
    );
}

#[test]
fn headers_that_are_empty_too_long_or_not_keys_are_refused() {
    let (key, spki) = rsa_key(2048);
    let private = Rsa::generate(2048).unwrap().private_key_to_der().unwrap();
    let too_long = BASE64.encode(format!(
        "{}{}",
        key.to_jwk(),
        " ".repeat(MAX_PUBLIC_KEY_HEADER_BYTES)
    ));
    let two_keys = format!("{0}{0}", key.to_spki_pem());
    let mislabelled = key.to_spki_pem().replace("PUBLIC KEY", "RSA PUBLIC KEY");
    for header in [
        String::new(),
        "=".to_owned(),
        "AAAA".to_owned(),
        "not base64!".to_owned(),
        key.to_spki_pem(),
        too_long,
        BASE64.encode(private),
        BASE64.encode(two_keys),
        BASE64.encode(mislabelled),
        format!("{} ", BASE64.encode(&spki)),
    ] {
        assert_eq!(PublicKey::from_header(&header), Err(InvalidPublicKey), "{header}");
    }
}

/// RFC 7638 §3.1.
#[test]
fn the_thumbprint_is_that_of_the_standard() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
             tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbI\
             SD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let key = PublicKey::from_jwk(
        &json!({ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RSA-OAEP", "kid": "2011-04-29" }),
    )
    .unwrap();
    assert_eq!(
        key.thumbprint().to_string(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
}

#[test]
fn keys_travel_as_jwk_and_print_without_their_numbers() {
    for (key, _) in [rsa_key(2048), p256_key()] {
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<PublicKey>(&text).unwrap(), key);
        let kind = if matches!(key, PublicKey::Rsa(_)) {
            "RSA-2048"
        } else {
            "P-256"
        };
        assert_eq!(
            format!("{key:?}"),
            format!("PublicKey({kind} {})", key.thumbprint())
        );
    }
    let (key, spki) = p256_key();
    let holder = HolderKey::from_uncompressed(&spki[spki.len() - 65..]).unwrap();
    assert_eq!(holder.thumbprint(), key.thumbprint());
    assert_eq!(
        serde_json::from_value::<HolderKey>(serde_json::to_value(&holder).unwrap()).unwrap(),
        holder
    );
}

#[test]
fn a_key_for_one_role_is_refused_in_the_other() {
    let (rsa, _) = rsa_key(2048);
    assert_eq!(HolderKey::from_jwk(&rsa.to_jwk()), Err(InvalidPublicKey));
    let (key, _) = p256_key();
    for (member, for_signing, for_sealing) in [("use", "sig", "enc"), ("alg", "ES256", "ECDH-ES")] {
        let mut jwk = key.to_jwk();
        jwk[member] = json!(for_signing);
        assert!(HolderKey::from_jwk(&jwk).is_ok() && PublicKey::from_jwk(&jwk).is_err());
        jwk[member] = json!(for_sealing);
        assert!(HolderKey::from_jwk(&jwk).is_err() && PublicKey::from_jwk(&jwk).is_ok());
    }
}

#[test]
fn a_key_of_openssl_has_the_numbers_it_says() {
    let generated = Rsa::generate(2048).unwrap();
    let key = PublicKey::from_spki_der(&generated.public_key_to_der().unwrap()).unwrap();
    let PublicKey::Rsa(rsa) = key else {
        panic!("not RSA")
    };
    assert_eq!(
        BigNum::from_slice(rsa.modulus()).unwrap(),
        generated.n().to_owned().unwrap()
    );
}

proptest! {
    #[test]
    fn no_header_makes_the_parser_panic(header in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = PublicKey::from_header(&header);
        let _ = PublicKey::from_header(&BASE64.encode(&bytes));
        let _ = PublicKey::from_spki_der(&bytes);
    }

    #[test]
    fn a_damaged_key_is_refused_or_is_another_key(at in 0usize..294, bit in 0u8..8) {
        let der = tests_fixture();
        let mut damaged = der.clone();
        damaged[at] ^= 1 << bit;
        if let Ok(key) = PublicKey::from_spki_der(&damaged) {
            prop_assert_ne!(key.to_spki_der(), der);
        }
    }
}

/// One RSA-2048 SPKI for all cases of a property.
fn tests_fixture() -> Vec<u8> {
    let key = PublicKey::from_jwk(&rsa_jwk(&modulus(2048), &[1, 0, 1])).unwrap();
    key.to_spki_der()
}
