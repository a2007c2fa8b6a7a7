//! Invariant 9 through the real door: what is wrong with structure, lengths or header is `INVALID_PAYLOAD`; from the key unwrap
//! on there is one uniform `CANT_DECRYPT_PAYLOAD`. And the rules of the two headers.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use deploy::actors::{CardDesk, ReceivingKey, VaultKey};
use josekit::jwe::alg::rsaes::RsaesJweAlgorithm;
use reqwest::Method;
use serde_json::{Value, json};

use crate::pair::{Holder, Pair, on_each_engine};

/// The five parts of a compact JWE.
#[derive(Clone)]
struct Parts([String; 5]);

impl Parts {
    fn of(jwe: &str) -> Result<Self> {
        let parts: Vec<String> = jwe.split('.').map(str::to_owned).collect();
        Ok(Self(parts.try_into().ok().context("five parts")?))
    }

    fn compact(&self) -> String {
        self.0.join(".")
    }

    fn header(mut self, header: &str) -> String {
        let [first, ..] = &mut self.0;
        *first = URL_SAFE_NO_PAD.encode(header);
        self.compact()
    }

    /// Rewrites the bytes of one part.
    fn bytes(mut self, part: usize, change: impl FnOnce(&mut Vec<u8>)) -> Result<String> {
        let text = self.0.get_mut(part).context("no such part")?;
        let mut bytes = URL_SAFE_NO_PAD.decode(&*text)?;
        change(&mut bytes);
        *text = URL_SAFE_NO_PAD.encode(bytes);
        Ok(self.compact())
    }
}

const ENCRYPTED_KEY: usize = 1;
const IV: usize = 2;
const CIPHERTEXT: usize = 3;
const TAG: usize = 4;

fn flip(bytes: &mut [u8]) {
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 1;
    }
}

async fn plastic(pair: &Pair) -> Result<Holder> {
    let holder = pair.holder().await?;
    holder.phone.cards().print(&holder.card).await?;
    Ok(holder)
}

/// Sends a payload as a PIN, under a proof that covers exactly it.
async fn set_pin(desk: &CardDesk<'_>, holder: &Holder, payload: &str) -> Result<deploy::answer::Answer> {
    let proof = desk
        .proof("set-pin", &holder.card)
        .await?
        .over(payload)
        .sign(desk.signer())?;
    desk.set_pin_with(&holder.card, payload, Some(&proof)).await
}

/// Headers that must never reach the key.
const HEADERS: [&str; 16] = [
    r#"{"alg":"none","enc":"A256GCM"}"#,
    r#"{"alg":"dir","enc":"A256GCM"}"#,
    r#"{"alg":"RSA1_5","enc":"A256GCM"}"#,
    r#"{"alg":"A256KW","enc":"A256GCM"}"#,
    r#"{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":1000000,"p2s":"AAAA"}"#,
    r#"{"alg":"ECDH-ES","enc":"A256GCM","epk":{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}}"#,
    r#"{"alg":"RSA-OAEP-256","enc":"A128GCM"}"#,
    r#"{"alg":"RSA-OAEP-256","enc":"A256CBC-HS512"}"#,
    r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","zip":"DEF"}"#,
    r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","crit":["exp"],"exp":1}"#,
    r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","crit":[]}"#,
    r#"{"alg":"RSA-OAEP-256","alg":"RSA-OAEP-256","enc":"A256GCM"}"#,
    r#"{"alg":"RSA-OAEP-256"}"#,
    r#"{"enc":"A256GCM"}"#,
    "[]",
    "{",
];

#[test]
fn what_is_wrong_with_structure_or_header_is_an_invalid_payload() {
    on_each_engine(async |pair| {
        let holder = plastic(pair).await?;
        let desk = holder.phone.cards();
        let jwe = desk.vault_key().await?.seal(&json!({ "pin": "4829" }))?;
        let parts = Parts::of(&jwe)?;
        let mut abuses: Vec<(String, String)> = HEADERS
            .iter()
            .map(|header| ((*header).to_owned(), parts.clone().header(header)))
            .collect();
        let huge = format!(
            r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"{}"}}"#,
            "k".repeat(2000)
        );
        for (what, payload) in [
            ("a huge header", parts.clone().header(&huge)),
            ("nothing", String::new()),
            ("four parts", parts.0.get(..4).unwrap_or_default().join(".")),
            ("six parts", format!("{jwe}.AAAA")),
            ("padding", format!("{jwe}=")),
            ("an alphabet of another kind", jwe.replacen('.', "+.", 1)),
            (
                "a tag of 15 bytes",
                parts.clone().bytes(TAG, |tag| tag.truncate(15))?,
            ),
            (
                "a tag of one byte",
                parts.clone().bytes(TAG, |tag| tag.truncate(1))?,
            ),
            ("no tag", parts.clone().bytes(TAG, Vec::clear)?),
            ("no IV", parts.clone().bytes(IV, Vec::clear)?),
            (
                "an IV of 16 bytes",
                parts.clone().bytes(IV, |iv| iv.resize(16, 0))?,
            ),
            (
                "no encrypted key",
                parts.clone().bytes(ENCRYPTED_KEY, Vec::clear)?,
            ),
            (
                "far too long",
                parts
                    .clone()
                    .bytes(CIPHERTEXT, |text| text.resize(16 * 1024, 0))?,
            ),
        ] {
            abuses.push((what.to_owned(), payload));
        }
        for (what, payload) in abuses {
            // No proof: the shape is judged before one is asked for.
            let answer = desk.set_pin_with(&holder.card, &payload, None).await?;
            answer
                .expect_refusal(400, "INVALID_PAYLOAD")
                .with_context(|| what.clone())?;
        }
        Ok(())
    });
}

#[test]
fn an_encrypted_key_of_another_length_is_an_invalid_payload() {
    on_each_engine(async |pair| {
        let holder = plastic(pair).await?;
        let desk = holder.phone.cards();
        let parts = Parts::of(&desk.vault_key().await?.seal(&json!({ "pin": "4829" }))?)?;
        // Only the vault knows how long its key is, so this is judged after the proof.
        let payload = parts.bytes(ENCRYPTED_KEY, |key| key.truncate(128))?;
        set_pin(&desk, &holder, &payload)
            .await?
            .expect_refusal(400, "INVALID_PAYLOAD")?;
        Ok(())
    });
}

#[test]
fn whatever_fails_from_the_unwrap_on_is_one_answer() {
    on_each_engine(async |pair| {
        let holder = plastic(pair).await?;
        let desk = holder.phone.cards();
        let key = desk.vault_key().await?;
        let parts = Parts::of(&key.seal(&json!({ "pin": "4829" }))?)?;
        let stranger = same_size_key(&key)?.seal(&json!({ "pin": "4829" }))?;
        let mut answers: Vec<Value> = Vec::new();
        for (what, payload) in [
            (
                "a flipped key",
                parts.clone().bytes(ENCRYPTED_KEY, |bytes| flip(bytes))?,
            ),
            ("a flipped IV", parts.clone().bytes(IV, |bytes| flip(bytes))?),
            (
                "a flipped text",
                parts.clone().bytes(CIPHERTEXT, |bytes| flip(bytes))?,
            ),
            ("a flipped tag", parts.clone().bytes(TAG, |bytes| flip(bytes))?),
            (
                "another header",
                parts.clone().header(r#"{"alg":"RSA-OAEP-256", "enc":"A256GCM"}"#),
            ),
            (
                "another wrap",
                parts.clone().header(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#),
            ),
            ("another key", stranger),
        ] {
            let answer = set_pin(&desk, &holder, &payload).await?;
            let mut body = answer
                .expect_refusal(400, "CANT_DECRYPT_PAYLOAD")
                .context(what)?
                .json()?;
            body["traceId"] = Value::Null;
            answers.push(body);
        }
        ensure!(
            answers.windows(2).all(|two| two.first() == two.last()),
            "the answers differ: {answers:?}"
        );
        Ok(())
    });
}

/// A stranger's key of the same size, so that lengths do not tell.
fn same_size_key(key: &VaultKey) -> Result<VaultKey> {
    // The base64 of a 2048-bit key in PEM has 450 bytes, that of a 4096-bit key 800.
    let bits = if key.pem().len() < 600 { 2048 } else { 4096 };
    VaultKey::unchecked(&String::from_utf8(ReceivingKey::rsa(bits)?.public_pem()?)?)
}

#[test]
fn content_of_the_wrong_shape_is_an_invalid_payload_and_of_the_wrong_value_a_broken_rule() {
    on_each_engine(async |pair| {
        let holder = plastic(pair).await?;
        let desk = holder.phone.cards();
        let key = desk.vault_key().await?;
        let shapes = [
            "",
            "4829",
            "[]",
            "{",
            "{}",
            r#"{"pin":4829}"#,
            r#"{"pin":"4829","pin":"4829"}"#,
            r#"{"pin":"4829","x":1}"#,
        ];
        for content in shapes {
            let payload = key.seal_bytes(content.as_bytes(), RsaesJweAlgorithm::RsaOaep256)?;
            let answer = set_pin(&desk, &holder, &payload).await?;
            answer.expect_refusal(400, "INVALID_PAYLOAD").context(content)?;
        }
        for pin in ["", "123", "1234567890123", "12a4", "１２３４"] {
            let answer = set_pin(&desk, &holder, &key.seal(&json!({ "pin": pin }))?).await?;
            ensure!(
                pin.is_empty() || !String::from_utf8_lossy(&answer.body).contains(pin),
                "the PIN is repeated back"
            );
            answer.expect_refusal(422, "VALIDATION_FAILED").context(pin)?;
        }
        Ok(())
    });
}

#[test]
fn the_seeds_older_key_wrap_is_taken() {
    on_each_engine(async |pair| {
        let holder = plastic(pair).await?;
        let desk = holder.phone.cards();
        let payload = desk
            .vault_key()
            .await?
            .seal_bytes(br#"{"pin":"4829"}"#, RsaesJweAlgorithm::RsaOaep)?;
        set_pin(&desk, &holder, &payload).await?.expect(200)?;
        Ok(())
    });
}

#[test]
fn an_encrypted_endpoint_demands_its_headers() {
    on_each_engine(async |pair| {
        let holder = plastic(pair).await?;
        let desk = holder.phone.cards();
        let card = format!("/cards/{}", holder.card.id);
        let key = desk.receiving().header();
        desk.call(Method::GET, &card)
            .send()
            .await?
            .expect_refusal(400, "ENCRYPTION_REQUIRED")?;
        let no_key = desk.call(Method::GET, &card).header("Encrypted-Request", "false");
        no_key.send().await?.expect_refusal(400, "ENCRYPTION_REQUIRED")?;
        let no_flag = desk.call(Method::GET, &card).header("Public-Key", key);
        no_flag.send().await?.expect_refusal(400, "ENCRYPTION_REQUIRED")?;
        let plain_pin = desk
            .post(&format!("{card}/pin"))?
            .enc(desk.receiving())
            .json(&json!({ "pin": "4829" }));
        plain_pin
            .send()
            .await?
            .expect_refusal(400, "ENCRYPTION_REQUIRED")?;
        for body in [
            json!({}),
            json!({ "payload": 7 }),
            json!({ "payload": "x", "more": 1 }),
            json!({ "pin": "4829" }),
        ] {
            let call = desk
                .post(&format!("{card}/pin"))?
                .header("Public-Key", key)
                .header("Encrypted-Request", "true");
            call.json(&body)
                .send()
                .await?
                .expect_refusal(400, "INVALID_PAYLOAD")
                .context(body.to_string())?;
        }
        Ok(())
    });
}

#[test]
fn a_public_key_that_cannot_be_sealed_to_is_refused() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let small = ReceivingKey::rsa(1024)?;
        let private = STANDARD.encode(r#"{"kty":"oct","k":"AAAA"}"#);
        for key in [
            "",
            "AAAA",
            "not base64!",
            small.header(),
            &private,
            &"A".repeat(6000),
        ] {
            let call = desk.call(Method::GET, &format!("/cards/{}", holder.card.id));
            let answer = call
                .header("Public-Key", key)
                .header("Encrypted-Request", "false")
                .send()
                .await?;
            answer
                .expect_refusal(400, "INVALID_PUBLIC_KEY")
                .with_context(|| key.chars().take(20).collect::<String>())?;
        }
        Ok(())
    });
}

#[test]
fn all_forms_of_a_public_key_are_taken() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let receiving = desk.receiving();
        let (pem, jwk) = (receiving.public_pem()?, receiving.public_jwk()?.to_string());
        for key in [
            receiving.header().to_owned(),
            STANDARD.encode(pem),
            STANDARD.encode(&jwk),
            URL_SAFE_NO_PAD.encode(jwk),
        ] {
            let proof = desk.proof("reveal", &holder.card).await?;
            let call = desk
                .call(Method::GET, &format!("/cards/{}", holder.card.id))
                .header("Public-Key", &key);
            let call = call
                .header("Encrypted-Request", "false")
                .header("Holder-Proof", &proof.sign(desk.signer())?);
            desk.open(call.send().await?, 200, Some(&proof))?;
        }
        Ok(())
    });
}

#[test]
fn a_card_is_created_from_an_encrypted_body_too() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let desk = phone.cards();
        let content = json!({ "balanceId": desk.first_balance().await?, "name": "Sealed" });
        let payload = desk.vault_key().await?.seal(&content)?;
        let answer = desk
            .post("/cards/virtual")?
            .enc_sealed(desk.receiving(), &payload)
            .send()
            .await?;
        ensure!(desk.open(answer, 201, None)?.text("name")? == "Sealed");
        Ok(())
    });
}

#[test]
fn checks_come_in_the_order_of_the_contract() {
    on_each_engine(async |pair| {
        let (holder, stranger) = (pair.holder().await?, pair.holder().await?);
        let card = format!("/customers/me/cards/{}/pin", holder.card.id);
        let door = holder.phone.door();
        let own = holder.phone.session().context("no session")?;
        let other = stranger.phone.session().context("no session")?;
        let key = holder.phone.cards().receiving().header().to_owned();
        let bad_body = br#"{"payload":"no jwe"}"#;
        let post = || {
            door.call(Method::POST, &card)
                .body("application/json", bad_body.as_slice())
        };
        // Session before headers, headers before ownership, ownership before the body, the body before the proof.
        post().send().await?.expect_refusal(401, "SESSION_REQUIRED")?;
        post()
            .bearer(other)
            .send()
            .await?
            .expect_refusal(400, "ENCRYPTION_REQUIRED")?;
        let with_headers = |session| {
            post()
                .bearer(session)
                .header("Public-Key", &key)
                .header("Encrypted-Request", "true")
        };
        with_headers(other)
            .send()
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        with_headers(own)
            .send()
            .await?
            .expect_refusal(400, "INVALID_PAYLOAD")?;
        let desk = holder.phone.cards();
        let unopenable = Parts::of(&desk.vault_key().await?.seal(&json!({ "pin": "4829" }))?)?;
        let unopenable = unopenable.bytes(TAG, |bytes| flip(bytes))?;
        // The proof before opening, opening before the state (this card has no plastic).
        desk.set_pin_with(&holder.card, &unopenable, None)
            .await?
            .expect_refusal(403, "HOLDER_PROOF_REQUIRED")?;
        set_pin(&desk, &holder, &unopenable)
            .await?
            .expect_refusal(400, "CANT_DECRYPT_PAYLOAD")?;
        let sound = desk.vault_key().await?.seal(&json!({ "pin": "4829" }))?;
        set_pin(&desk, &holder, &sound)
            .await?
            .expect_refusal(409, "PIN_NOT_AVAILABLE")?;
        Ok(())
    });
}
