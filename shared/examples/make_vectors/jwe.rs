//! `jwe.json`.

use josekit::jwe::JweHeader;
use josekit::jwe::alg::rsaes::RsaesJweAlgorithm;
use josekit::jwk::Jwk;
use serde_json::{Value, json};
use shared::jwe::Sealer;
use shared::public_key::PublicKey;

use crate::keys;
use crate::raw::{base64url, flipped, part, part_bytes, with_part};

const PLAINTEXT: &str = r#"{"pin":"1234"}"#;
const HEADER: &str = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#;

pub(crate) fn vectors() -> Value {
    let (rsa, rsa_entry) = keys::rsa();
    let (other, other_entry) = keys::rsa();
    let (_, p256_entry) = keys::p256();
    let p256 = PublicKey::from_jwk(&p256_entry["publicJwk"]).unwrap();
    let seal = |key: &PublicKey| Sealer::new(key).unwrap().seal(PLAINTEXT.as_bytes()).unwrap();
    let sealed = seal(rsa.public_key());
    let kid = rsa.thumbprint().to_string();

    let mut cases = vec![
        good("rsa-oaep-256", "rsa", &sealed),
        good(
            "rsa-oaep-256-with-kid",
            "rsa",
            &by_josekit(rsa.public_key(), "RSA-OAEP-256", &json!({ "kid": kid })),
        ),
        good(
            "rsa-oaep-256-with-typ-and-cty",
            "rsa",
            &by_josekit(
                rsa.public_key(),
                "RSA-OAEP-256",
                &json!({ "typ": "JOSE", "cty": "json" }),
            ),
        ),
        good(
            "rsa-oaep-sha1",
            "rsa",
            &by_josekit(rsa.public_key(), "RSA-OAEP", &json!({})),
        ),
        good("ecdh-es-p256", "p256", &seal(&p256)),
    ];
    cases.extend(bad_lengths(&sealed));
    cases.extend(bad_headers(&sealed));
    cases.extend(undecryptable(&sealed));
    cases.push(undecrypted("sealed-to-another-key", &seal(other.public_key())));
    cases.push(undecrypted(
        "kid-unknown",
        &by_josekit(rsa.public_key(), "RSA-OAEP-256", &json!({ "kid": "unknown" })),
    ));
    json!({
        "description": "JWE compact serialisation, RFC 7516. See README.md. Test keys: they protect nothing.",
        "keys": { "rsa": rsa_entry, "rsaOther": other_entry, "p256": p256_entry },
        "cases": cases,
    })
}

fn case(name: &str, key: &str, jwe: &str, result: &str) -> Value {
    json!({ "name": name, "key": key, "jwe": jwe, "result": result })
}

fn good(name: &str, key: &str, jwe: &str) -> Value {
    let mut case = case(name, key, jwe, "OK");
    case["plaintext"] = json!(PLAINTEXT);
    case
}

fn invalid(name: &str, jwe: &str) -> Value {
    case(name, "rsa", jwe, "INVALID_PAYLOAD")
}

fn undecrypted(name: &str, jwe: &str) -> Value {
    case(name, "rsa", jwe, "CANT_DECRYPT_PAYLOAD")
}

fn by_josekit(key: &PublicKey, alg: &str, members: &Value) -> String {
    let mut header = json!({ "alg": alg, "enc": "A256GCM" });
    header
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    let header = JweHeader::from_bytes(header.to_string().as_bytes()).unwrap();
    let jwk = Jwk::from_bytes(key.to_jwk().to_string()).unwrap();
    let algorithm = if alg == "RSA-OAEP" {
        RsaesJweAlgorithm::RsaOaep
    } else {
        RsaesJweAlgorithm::RsaOaep256
    };
    let encrypter = algorithm.encrypter_from_jwk(&jwk).unwrap();
    josekit::jwe::serialize_compact(PLAINTEXT.as_bytes(), &header, &encrypter).unwrap()
}

fn bad_lengths(sealed: &str) -> Vec<Value> {
    let (iv, tag) = (part_bytes(sealed, 2), part_bytes(sealed, 4));
    let mut cases: Vec<Value> = (0..16)
        .map(|length| {
            invalid(
                &format!("tag-of-{length}-bytes"),
                &with_part(sealed, 4, &base64url(&tag[..length])),
            )
        })
        .collect();
    cases.extend([0, 8, 11].map(|length| {
        invalid(
            &format!("iv-of-{length}-bytes"),
            &with_part(sealed, 2, &base64url(&iv[..length])),
        )
    }));
    cases.push(invalid(
        "iv-of-16-bytes",
        &with_part(sealed, 2, &base64url([7; 16])),
    ));
    cases.push(invalid("encrypted-key-empty", &with_part(sealed, 1, "")));
    cases.push(invalid(
        "encrypted-key-of-another-modulus",
        &with_part(sealed, 1, &base64url([7; 384])),
    ));
    cases.push(invalid("content-empty", &with_part(sealed, 3, "")));
    cases.push(invalid("four-parts", sealed.rsplit_once('.').unwrap().0));
    cases.push(invalid("six-parts", &format!("{sealed}.AA")));
    cases.push(invalid("not-a-token", "payload"));
    cases.push(invalid("empty", ""));
    cases.push(invalid(
        "padded-base64",
        &with_part(sealed, 4, &format!("{}==", part(sealed, 4))),
    ));
    cases.push(invalid(
        "stray-bits-in-base64",
        &with_part(sealed, 4, &format!("{}B", &part(sealed, 4)[..21])),
    ));
    cases.push(invalid(
        "longer-than-8-kib",
        &with_part(sealed, 3, &base64url(vec![7; 8 * 1024])),
    ));
    cases
}

fn bad_headers(sealed: &str) -> Vec<Value> {
    let long_kid = json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "k".repeat(1024) }).to_string();
    let repeated = r#"{"alg":"dir","enc":"A256GCM","alg":"RSA-OAEP-256"}"#.to_owned();
    let mut headers = vec![
        ("header-of-more-than-1-kib".to_owned(), long_kid),
        ("header-member-twice".to_owned(), repeated),
        (
            "header-not-an-object".to_owned(),
            r#"["RSA-OAEP-256","A256GCM"]"#.to_owned(),
        ),
        (
            "header-without-enc".to_owned(),
            r#"{"alg":"RSA-OAEP-256"}"#.to_owned(),
        ),
    ];
    for alg in [
        "none",
        "dir",
        "RSA1_5",
        "RSA-OAEP-512",
        "A256KW",
        "ECDH-ES",
        "PBES2-HS256+A128KW",
    ] {
        headers.push((
            format!("alg-{alg}"),
            json!({ "alg": alg, "enc": "A256GCM" }).to_string(),
        ));
    }
    for enc in ["A128GCM", "A256CBC-HS512"] {
        headers.push((
            format!("enc-{enc}"),
            json!({ "alg": "RSA-OAEP-256", "enc": enc }).to_string(),
        ));
    }
    for (member, value) in [
        ("zip", json!("DEF")),
        ("crit", json!(["exp"])),
        ("epk", json!({})),
        ("jku", json!("https://example.com/")),
        ("unknown", json!(1)),
    ] {
        let mut header: Value = serde_json::from_str(HEADER).unwrap();
        header[member] = value;
        headers.push((format!("header-with-{member}"), header.to_string()));
    }
    headers
        .iter()
        .map(|(name, header)| invalid(name, &with_part(sealed, 0, &base64url(header))))
        .collect()
}

fn undecryptable(sealed: &str) -> Vec<Value> {
    let spaced = HEADER.replace(',', ", ");
    vec![
        undecrypted("tag-flipped", &flipped(sealed, 4, 15)),
        undecrypted("content-flipped", &flipped(sealed, 3, 0)),
        undecrypted("iv-flipped", &flipped(sealed, 2, 0)),
        undecrypted("encrypted-key-flipped", &flipped(sealed, 1, 255)),
        undecrypted(
            "encrypted-key-above-the-modulus",
            &with_part(sealed, 1, &base64url([0xFF; 256])),
        ),
        undecrypted(
            "header-written-otherwise",
            &with_part(sealed, 0, &base64url(spaced)),
        ),
        undecrypted(
            "header-of-the-other-oaep",
            &with_part(sealed, 0, &base64url(HEADER.replace("-256\"", "\""))),
        ),
    ]
}
