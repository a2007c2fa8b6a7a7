use std::sync::LazyLock;

use josekit::jwe::alg::ecdh_es::EcdhEsJweAlgorithm;
use josekit::jwe::alg::rsaes::RsaesJweAlgorithm;
use josekit::jwe::{JweEncrypter, JweHeader};
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use proptest::prelude::*;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;
use crate::jose::base64url;
use crate::public_key::PublicKey;

const CONTENT: &[u8] = br#"{"pin":"1234"}"#;
const SEED_HEADER: &str = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#;

/// PKCS#8 of one 2048-bit key for all tests, and of another one.
static KEY: LazyLock<Zeroizing<Vec<u8>>> =
    LazyLock::new(|| RsaPrivateKey::generate(RsaKeySize::Bits2048).unwrap());
static OTHER: LazyLock<Zeroizing<Vec<u8>>> =
    LazyLock::new(|| RsaPrivateKey::generate(RsaKeySize::Bits2048).unwrap());

/// Opens with the first of them. Reading a private key checks its numbers, which is slow: done once.
static OPENER: LazyLock<Opener> = LazyLock::new(|| Opener::new(private(&KEY), Vec::new()));

fn private(pkcs8: &[u8]) -> RsaPrivateKey {
    RsaPrivateKey::from_pkcs8(pkcs8).unwrap()
}

fn seal_to(key: &PublicKey, content: &[u8]) -> String {
    Sealer::new(key).unwrap().seal(content).unwrap()
}

fn sealed() -> String {
    seal_to(public(), CONTENT)
}

fn public() -> &'static PublicKey {
    OPENER.public_keys().next().unwrap()
}

fn parse(text: &str) -> Result<CompactJwe, InvalidPayload> {
    CompactJwe::parse(text, AlgPolicy::Sha256Only)
}

fn open(text: &str) -> Result<Vec<u8>, OpenError> {
    OPENER
        .open(&CompactJwe::parse(text, AlgPolicy::Sha1Too)?)
        .map(|content| content.to_vec())
}

/// The token with one of its five parts replaced.
fn with_part(token: &str, at: usize, part: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[at] = part;
    parts.join(".")
}

fn with_header(header: &str) -> String {
    with_part(&sealed(), 0, &base64url::encode(header))
}

fn part_bytes(token: &str, at: usize) -> Vec<u8> {
    base64url::decode(token.split('.').nth(at).unwrap()).unwrap()
}

fn josekit_encrypt(header: &Value, encrypter: &dyn JweEncrypter) -> String {
    let header = JweHeader::from_bytes(header.to_string().as_bytes()).unwrap();
    josekit::jwe::serialize_compact(CONTENT, &header, encrypter).unwrap()
}

fn jwk_of(key: &PublicKey) -> Jwk {
    Jwk::from_bytes(key.to_jwk().to_string()).unwrap()
}

#[test]
fn what_is_sealed_opens_at_every_size_of_key_and_content() {
    for size in [RsaKeySize::Bits2048, RsaKeySize::Bits3072, RsaKeySize::Bits4096] {
        let key = private(&RsaPrivateKey::generate(size).unwrap());
        let sealer = Sealer::new(key.public_key()).unwrap();
        let opener = Opener::new(key, Vec::new());
        for length in [1, 2, 15, 16, 17, 1024, 4096] {
            let content = vec![0x5A; length];
            let jwe = parse(&sealer.seal(&content).unwrap()).unwrap();
            assert_eq!(opener.open(&jwe).unwrap().as_slice(), content);
        }
    }
}

#[test]
fn the_header_is_that_of_the_seed_and_nothing_repeats() {
    let (first, second) = (sealed(), sealed());
    assert_eq!(part_bytes(&first, 0), SEED_HEADER.as_bytes());
    for part in 1..5 {
        assert_ne!(part_bytes(&first, part), part_bytes(&second, part), "part {part}");
    }
}

#[test]
fn josekit_opens_what_we_seal_to_rsa() {
    let decrypter = RsaesJweAlgorithm::RsaOaep256
        .decrypter_from_der(KEY.as_slice())
        .unwrap();
    let (content, header) = josekit::jwe::deserialize_compact(&sealed(), &decrypter).unwrap();
    assert_eq!(content, CONTENT);
    assert_eq!(header.claims_set().len(), 2);
}

#[test]
fn josekit_opens_what_we_seal_to_p256() {
    let pair = EcKeyPair::generate(EcCurve::P256).unwrap();
    let public: Value = serde_json::from_str(&pair.to_jwk_public_key().to_string()).unwrap();
    let token = seal_to(&PublicKey::from_jwk(&public).unwrap(), CONTENT);
    let decrypter = EcdhEsJweAlgorithm::EcdhEs
        .decrypter_from_jwk(&pair.to_jwk_private_key())
        .unwrap();
    let (content, header) = josekit::jwe::deserialize_compact(&token, &decrypter).unwrap();
    assert_eq!(content, CONTENT);
    let members: Vec<&String> = header.claims_set().keys().collect();
    assert_eq!(members, ["alg", "enc", "epk"]);
    assert_eq!(part_bytes(&token, 1), b"");
}

#[test]
fn what_josekit_encrypts_opens_with_both_algorithms_and_the_allowed_members() {
    for (algorithm, name) in [
        (RsaesJweAlgorithm::RsaOaep256, "RSA-OAEP-256"),
        (RsaesJweAlgorithm::RsaOaep, "RSA-OAEP"),
    ] {
        let encrypter = algorithm.encrypter_from_jwk(&jwk_of(public())).unwrap();
        for extra in [
            json!({}),
            json!({"kid": public().thumbprint()}),
            json!({"typ": "JOSE", "cty": "json"}),
        ] {
            let mut header = json!({"alg": name, "enc": "A256GCM"});
            header
                .as_object_mut()
                .unwrap()
                .extend(extra.as_object().unwrap().clone());
            assert_eq!(
                open(&josekit_encrypt(&header, &encrypter)).as_deref(),
                Ok(CONTENT),
                "{header}"
            );
        }
    }
}

#[test]
fn rsa_oaep_with_sha1_can_be_switched_off() {
    let encrypter = RsaesJweAlgorithm::RsaOaep
        .encrypter_from_jwk(&jwk_of(public()))
        .unwrap();
    let token = josekit_encrypt(&json!({"alg": "RSA-OAEP", "enc": "A256GCM"}), &encrypter);
    assert!(CompactJwe::parse(&token, AlgPolicy::Sha1Too).is_ok());
    assert!(CompactJwe::parse(&token, AlgPolicy::Sha256Only).is_err());
}

#[test]
fn every_other_algorithm_is_an_invalid_payload() {
    for alg in [
        "none",
        "dir",
        "RSA1_5",
        "RSA-OAEP-384",
        "RSA-OAEP-512",
        "A256KW",
        "A256GCMKW",
        "ECDH-ES",
        "ECDH-ES+A256KW",
        "PBES2-HS256+A128KW",
        "rsa-oaep-256",
        "RSA-OAEP-256 ",
        "",
        "RS256",
    ] {
        assert!(
            parse(&with_header(&json!({"alg": alg, "enc": "A256GCM"}).to_string())).is_err(),
            "{alg}"
        );
    }
    for enc in [
        "A128GCM",
        "A192GCM",
        "A256CBC-HS512",
        "A128CBC-HS256",
        "none",
        "a256gcm",
        "",
    ] {
        assert!(
            parse(&with_header(
                &json!({"alg": "RSA-OAEP-256", "enc": enc}).to_string()
            ))
            .is_err(),
            "{enc}"
        );
    }
}

#[test]
fn every_other_header_member_is_an_invalid_payload() {
    let epk = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"});
    for (member, value) in [
        ("zip", json!("DEF")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("epk", epk),
        ("apu", json!("AA")),
        ("apv", json!("AA")),
        ("iat", json!(1)),
        ("jti", json!("x")),
        ("jwk", json!({})),
        ("jku", json!("https://x")),
        ("x5c", json!([])),
        ("x5u", json!("https://x")),
        ("p2c", json!(1)),
        ("b64", json!(false)),
        ("", json!(1)),
    ] {
        let mut header: Value = serde_json::from_str(SEED_HEADER).unwrap();
        header[member] = value;
        assert!(parse(&with_header(&header.to_string())).is_err(), "{header}");
    }
}

#[test]
fn a_header_that_is_not_exactly_one_object_is_an_invalid_payload() {
    for header in [
        "",
        "{}",
        "null",
        "[]",
        r#"["RSA-OAEP-256","A256GCM"]"#,
        r#"{"alg":"RSA-OAEP-256"}"#,
        r#"{"enc":"A256GCM"}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","alg":"RSA-OAEP-256"}"#,
        r#"{"alg":"dir","enc":"A256GCM","alg":"RSA-OAEP-256"}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","\u0061lg":"dir"}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":null}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":1}"#,
        r#"{"alg":["RSA-OAEP-256"],"enc":"A256GCM"}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}}"#,
        r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#,
    ] {
        assert!(parse(&with_header(header)).is_err(), "{header}");
    }
    assert!(parse(&with_part(&sealed(), 0, "")).is_err());
    assert!(parse(&with_part(&sealed(), 0, &base64url::encode(b"\xff\xfe"))).is_err());
}

#[test]
fn header_and_token_are_bounded() {
    let header_of = |bytes: usize| {
        let frame = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":""}"#.len();
        json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "k".repeat(bytes - frame)}).to_string()
    };
    assert!(parse(&with_header(&header_of(MAX_HEADER_BYTES))).is_ok());
    assert!(parse(&with_header(&header_of(MAX_HEADER_BYTES + 1))).is_err());
    let token = sealed();
    let room = (MAX_COMPACT_BYTES - token.len()) / 4 * 3 + part_bytes(&token, 3).len();
    assert!(parse(&with_part(&token, 3, &base64url::encode(vec![0; room]))).is_ok());
    assert!(parse(&with_part(&token, 3, &base64url::encode(vec![0; room + 3]))).is_err());
}

#[test]
fn five_parts_no_more_no_fewer_and_none_truncated() {
    let token = sealed();
    let parts: Vec<&str> = token.split('.').collect();
    for count in 0..5 {
        assert!(parse(&parts[..count].join(".")).is_err(), "{count}");
    }
    for other in [
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.AA"),
        "....".to_owned(),
        String::new(),
    ] {
        assert!(parse(&other).is_err(), "{other}");
    }
    for at in 0..5 {
        assert!(parse(&with_part(&token, at, "")).is_err(), "part {at} is empty");
    }
    for end in 0..token.len() {
        assert!(open(&token[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn base64url_has_one_form() {
    let token = sealed();
    for at in 0..5 {
        let part = token.split('.').nth(at).unwrap();
        for other in [
            format!("{part}="),
            format!("{part} "),
            format!(" {part}"),
            format!("{part}\n"),
        ] {
            assert!(
                parse(&with_part(&token, at, &other)).is_err(),
                "part {at}: {other:?}"
            );
        }
    }
    // 16 bytes leave four bits of the last symbol unused: a second text for the same tag.
    let tag = token.split('.').nth(4).unwrap();
    let stray = format!("{}{}", &tag[..21], if tag.ends_with('A') { 'B' } else { 'x' });
    assert!(parse(&with_part(&token, 4, &stray)).is_err());
}

#[test]
fn a_tag_of_any_length_but_sixteen_is_an_invalid_payload() {
    let token = sealed();
    let tag = part_bytes(&token, 4);
    for length in (0..16).chain([17, 32]) {
        let other: Vec<u8> = tag.iter().copied().cycle().take(length).collect();
        assert_eq!(
            open(&with_part(&token, 4, &base64url::encode(other))),
            Err(OpenError::InvalidPayload),
            "{length}"
        );
    }
}

#[test]
fn an_iv_of_any_length_but_twelve_is_an_invalid_payload() {
    for length in (0..12).chain([13, 16]) {
        let token = with_part(&sealed(), 2, &base64url::encode(vec![0; length]));
        assert_eq!(open(&token), Err(OpenError::InvalidPayload), "{length}");
    }
}

#[test]
fn an_encrypted_key_of_another_length_than_the_modulus_is_an_invalid_payload() {
    for length in [1, 255, 257, 384, 512, 1024, 1025] {
        let token = with_part(&sealed(), 1, &base64url::encode(vec![1; length]));
        assert_eq!(open(&token), Err(OpenError::InvalidPayload), "{length}");
    }
}

#[test]
fn from_the_unwrap_on_every_failure_is_the_same() {
    let token = sealed();
    let flipped = |at: usize, byte: usize| {
        let mut bytes = part_bytes(&token, at);
        bytes[byte] ^= 1;
        with_part(&token, at, &base64url::encode(bytes))
    };
    let encrypter = RsaesJweAlgorithm::RsaOaep256
        .encrypter_from_jwk(&jwk_of(public()))
        .unwrap();
    let short_cek = encrypter
        .encrypt(&[7; 16], &JweHeader::new(), &mut JweHeader::new())
        .unwrap()
        .unwrap();
    let spaced_header = base64url::encode(SEED_HEADER.replace(',', ", "));
    for (what, token) in [
        ("tag", flipped(4, 15)),
        ("content", flipped(3, 0)),
        ("iv", flipped(2, 0)),
        ("encrypted key", flipped(1, 255)),
        (
            "encrypted key above the modulus",
            with_part(&token, 1, &base64url::encode([0xFF; 256])),
        ),
        (
            "encrypted key zero",
            with_part(&token, 1, &base64url::encode([0; 256])),
        ),
        (
            "content key of 128 bits",
            with_part(&token, 1, &base64url::encode(short_cek)),
        ),
        ("algorithm", with_header(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#)),
        ("header bytes", with_part(&token, 0, &spaced_header)),
        ("key", seal_to(private(&OTHER).public_key(), CONTENT)),
    ] {
        assert_eq!(open(&token), Err(OpenError::CantDecrypt), "{what}");
    }
}

#[test]
fn keys_in_grace_open_and_a_kid_picks_one_key() {
    let (new, old) = (private(&KEY), private(&OTHER));
    let (new_public, old_public) = (new.public_key().clone(), old.public_key().clone());
    let opener = Opener::new(new, vec![old]);
    assert_eq!(
        opener.public_keys().collect::<Vec<_>>(),
        [&new_public, &old_public]
    );
    let with_kid = |key: &PublicKey, kid: &str| {
        let encrypter = RsaesJweAlgorithm::RsaOaep256
            .encrypter_from_jwk(&jwk_of(key))
            .unwrap();
        let token = josekit_encrypt(
            &json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid}),
            &encrypter,
        );
        opener
            .open(&parse(&token).unwrap())
            .map(|content| content.to_vec())
    };
    for key in [&new_public, &old_public] {
        assert_eq!(
            opener
                .open(&parse(&seal_to(key, CONTENT)).unwrap())
                .unwrap()
                .as_slice(),
            CONTENT
        );
        assert_eq!(
            with_kid(key, &key.thumbprint().to_string()).as_deref(),
            Ok(CONTENT)
        );
        assert_eq!(with_kid(key, "unknown"), Err(OpenError::CantDecrypt));
    }
    assert_eq!(
        with_kid(&new_public, &old_public.thumbprint().to_string()),
        Err(OpenError::CantDecrypt)
    );
}

#[test]
fn only_whole_rsa_keys_of_allowed_sizes_are_taken_as_private_keys() {
    let small = openssl::pkey::PKey::from_rsa(openssl::rsa::Rsa::generate(1024).unwrap()).unwrap();
    assert!(RsaPrivateKey::from_pkcs8(&small.private_key_to_pkcs8().unwrap()).is_err());
    let ec = EcKeyPair::generate(EcCurve::P256).unwrap().to_der_private_key();
    assert!(RsaPrivateKey::from_pkcs8(&ec).is_err());
    assert!(RsaPrivateKey::from_pkcs8(&[]).is_err());
    assert!(RsaKeySize::try_from(1024).is_err());
    assert_eq!(RsaKeySize::try_from(3072), Ok(RsaKeySize::Bits3072));
}

#[test]
fn the_body_hash_is_that_of_the_text() {
    let token = sealed();
    let jwe = parse(&token).unwrap();
    assert_eq!(jwe.as_str(), token);
    let expected = base64url::encode(ring::digest::digest(&ring::digest::SHA256, token.as_bytes()));
    assert_eq!(jwe.bdh().to_string(), expected);
    assert_eq!(expected.parse(), Ok(jwe.bdh()));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,300}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_five_parts_make_the_opener_panic(
        kid in proptest::option::of("\\PC{0,8}"), key in 250usize..260, iv in 0usize..20, content in 0usize..40, tag in 0usize..20,
    ) {
        let header = kid.map_or(SEED_HEADER.to_owned(), |kid| {
            json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid}).to_string()
        });
        let parts = [key, iv, content, tag].map(|length| base64url::encode(vec![3; length]));
        let token = format!("{}.{}", base64url::encode(header), parts.join("."));
        prop_assert!(open(&token).is_err());
    }

    #[test]
    fn a_token_with_any_byte_changed_does_not_open(at in 0usize..440, symbol in "[A-Za-z0-9_.=-]") {
        let token = sealed();
        prop_assume!(at < token.len() && token[at..=at] != symbol);
        let changed = format!("{}{symbol}{}", &token[..at], &token[at + 1..]);
        prop_assert!(open(&changed).is_err());
    }
}
