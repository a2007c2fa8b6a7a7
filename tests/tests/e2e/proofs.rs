//! Invariant 2: with the gateway's own certificate and no enrolled holder key, nothing comes out and no card secret goes in.
//! Each test takes the gateway's place at the vault's door, or the place of a gateway that lies to a client.

use anyhow::{Context, Result, ensure};
use deploy::actors::{
    Card, CardDesk, Credentials, HolderProof, PartnerServer, ProofSigner, RawGateway, ReceivingKey, Trust,
    VaultKey, unverified_claims,
};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::vault_api::paths;

use crate::pair::{Holder, Pair, on_each_engine};

/// The operations that emit card data or take it in: the proof's `op`, the door's path, and what the payload holds.
fn operations(token: &str) -> Result<Vec<(&'static str, String, Option<Value>)>> {
    let token = token.parse()?;
    let address =
        json!({ "line1": "Thief Street 1", "city": "Warsaw", "postalCode": "00-001", "country": "PL" });
    Ok(vec![
        ("reveal", paths::reveal(&token), None),
        ("reset-cvv", paths::reset_cvv(&token), None),
        ("set-pin", paths::set_pin(&token), Some(json!({ "pin": "9999" }))),
        (
            "order",
            paths::print(&token),
            Some(json!({ "deliveryAddress": address })),
        ),
    ])
}

/// The body of an operation as the gateway would send it.
fn body(operation: &str, own: &ReceivingKey, payload: Option<&str>, proof: Option<&str>) -> Result<Value> {
    let mut body = json!({ "recipient": { "publicKey": own.public_jwk()? }, "actor": RawGateway::actor() });
    match (operation, payload) {
        ("order", Some(payload)) => body["destination"] = json!({ "kind": "sealed", "payload": payload }),
        (_, Some(payload)) => body["payload"] = payload.into(),
        (_, None) => {}
    }
    if let Some(proof) = proof {
        body["holderProof"] = proof.into();
    }
    Ok(body)
}

async fn printed_holder(pair: &Pair) -> Result<Holder> {
    let holder = pair.holder().await?;
    holder.phone.cards().print(&holder.card).await?;
    Ok(holder)
}

#[test]
fn without_a_proof_the_gateways_certificate_opens_nothing() {
    on_each_engine(async |pair| {
        let holder = printed_holder(pair).await?;
        let (raw, own) = (pair.stand.raw_gateway()?, ReceivingKey::p256()?);
        let key = holder.phone.cards().vault_key().await?;
        for (operation, path, content) in operations(&holder.card.token)? {
            let payload = content.map(|content| key.seal(&content)).transpose()?;
            let answer = raw
                .post(&path, &body(operation, &own, payload.as_deref(), None)?)
                .await?;
            answer
                .expect_refusal(403, "HOLDER_PROOF_REQUIRED")
                .context(operation)?;
        }
        Ok(())
    });
}

#[test]
fn a_proof_by_a_key_that_the_vault_never_enrolled_proves_nothing() {
    on_each_engine(async |pair| {
        let holder = printed_holder(pair).await?;
        let (raw, own, stranger) = (
            pair.stand.raw_gateway()?,
            ReceivingKey::p256()?,
            ProofSigner::device()?,
        );
        let desk = holder.phone.cards();
        let key = desk.vault_key().await?;
        for (operation, path, content) in operations(&holder.card.token)? {
            let payload = content.map(|content| key.seal(&content)).transpose()?;
            let mut proof = HolderProof::new(
                operation,
                &holder.card.token,
                &desk.card_nonce(&holder.card).await?,
                &own,
            )?;
            if let Some(payload) = &payload {
                proof = proof.over(payload);
            }
            let body = body(operation, &own, payload.as_deref(), Some(&proof.sign(&stranger)?))?;
            raw.post(&path, &body)
                .await?
                .expect_refusal(403, "HOLDER_PROOF_INVALID")
                .context(operation)?;
        }
        Ok(())
    });
}

#[test]
fn a_genuine_proof_serves_no_other_key_payload_card_or_operation() {
    on_each_engine(async |pair| {
        let (holder, own) = (printed_holder(pair).await?, ReceivingKey::p256()?);
        let desk = holder.phone.cards();
        let (raw, key) = (pair.stand.raw_gateway()?, desk.vault_key().await?);
        let refused = async |path: &str, body: Value| -> Result<()> {
            raw.post(path, &body)
                .await?
                .expect_refusal(403, "HOLDER_PROOF_INVALID")
                .map(drop)
        };
        let token = holder.card.token.parse()?;
        let reveal = async || desk.proof("reveal", &holder.card).await?.sign(desk.signer());
        let swapped_key = body("reveal", &own, None, Some(&reveal().await?))?;
        refused(&paths::reveal(&token), swapped_key)
            .await
            .context("another recipient")?;
        let other_operation = body("reset-cvv", desk.receiving(), None, Some(&reveal().await?))?;
        refused(&paths::reset_cvv(&token), other_operation)
            .await
            .context("another operation")?;
        let second = Card::of(&desk.create(desk.first_balance().await?, "Second").await?.content)?;
        let other_card = body("reveal", desk.receiving(), None, Some(&reveal().await?))?;
        refused(&paths::reveal(&second.token.parse()?), other_card)
            .await
            .context("another card")?;
        let (mine, theirs) = (
            key.seal(&json!({ "pin": "4829" }))?,
            key.seal(&json!({ "pin": "9999" }))?,
        );
        let proof = desk
            .proof("set-pin", &holder.card)
            .await?
            .over(&mine)
            .sign(desk.signer())?;
        let swapped = body("set-pin", desk.receiving(), Some(&theirs), Some(&proof))?;
        refused(&paths::set_pin(&token), swapped)
            .await
            .context("another payload")?;
        let unbound = desk.proof("set-pin", &holder.card).await?.sign(desk.signer())?;
        let unbound = body("set-pin", desk.receiving(), Some(&theirs), Some(&unbound))?;
        refused(&paths::set_pin(&token), unbound)
            .await
            .context("a proof without bdh")?;
        Ok(())
    });
}

#[test]
fn a_proof_serves_once() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let proof = desk.proof("reveal", &holder.card).await?.sign(desk.signer())?;
        desk.reveal_with(&holder.card, Some(&proof)).await?.expect(200)?;
        desk.reveal_with(&holder.card, Some(&proof))
            .await?
            .expect_refusal(403, "HOLDER_PROOF_INVALID")?;
        let raw = pair.stand.raw_gateway()?;
        let replayed = raw
            .reveal(&holder.card.token, desk.receiving(), Some(&proof))
            .await?;
        replayed.expect_refusal(403, "HOLDER_PROOF_INVALID")?;
        Ok(())
    });
}

#[test]
fn bent_claims_are_refused_one_by_one() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let other = pair.holder().await?;
        let now = Clock::System.unix_seconds();
        let holder_nonce = desk.holder_nonce().await?;
        let foreign_nonce = other.phone.cards().card_nonce(&other.card).await?;
        let fresh = async || desk.proof("reveal", &holder.card).await;
        let mut mistyped = fresh().await?;
        mistyped.typ = "session-proof+jwt".to_owned();
        let bent = [
            (
                "a clock ten minutes behind",
                fresh().await?.with("iat", now - 600),
            ),
            ("a clock ten minutes ahead", fresh().await?.with("iat", now + 600)),
            (
                "a nonce that was never given",
                fresh().await?.with("nonce", "A".repeat(43)),
            ),
            ("a holder nonce", fresh().await?.with("nonce", holder_nonce)),
            (
                "a nonce of another card",
                fresh().await?.with("nonce", foreign_nonce),
            ),
            ("no nonce", fresh().await?.without("nonce")),
            ("no recipient", fresh().await?.without("rpk")),
            ("no jti", fresh().await?.without("jti")),
            ("a claim too many", fresh().await?.with("scope", "all")),
            (
                "a payload's hash without a payload",
                fresh().await?.over("a.b.c.d.e"),
            ),
            ("another type", mistyped),
        ];
        for (what, proof) in bent {
            let answer = desk
                .reveal_with(&holder.card, Some(&proof.sign(desk.signer())?))
                .await?;
            answer.expect_refusal(403, "HOLDER_PROOF_INVALID").context(what)?;
        }
        Ok(())
    });
}

#[test]
fn a_proof_that_is_no_jws_is_refused_and_not_repeated_back() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let good = desk.proof("reveal", &holder.card).await?.sign(desk.signer())?;
        let (signed, _) = good.rsplit_once('.').context("a JWS has dots")?;
        let (_, claims) = signed.split_once('.').context("a JWS has dots")?;
        let none = deploy::actors::base64url(br#"{"alg":"none","typ":"holder-proof+jwt"}"#);
        for bent in [
            "x".to_owned(),
            format!("{signed}."),
            format!("{none}.{claims}."),
            format!("{good}.x"),
        ] {
            let answer = desk.reveal_with(&holder.card, Some(&bent)).await?;
            ensure!(
                !String::from_utf8_lossy(&answer.body).contains(claims),
                "the proof is repeated back"
            );
            answer.expect_refusal(403, "HOLDER_PROOF_INVALID")?;
        }
        Ok(())
    });
}

#[test]
fn a_key_that_the_gateway_slips_in_waits() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let (raw, stranger, desk) = (
            pair.stand.raw_gateway()?,
            ProofSigner::device()?,
            holder.phone.cards(),
        );
        let vault_holder = holder_of(pair, &holder).await?;
        let enrolled = raw
            .post(
                &paths::holder_keys(&vault_holder.parse()?),
                &json!({ "key": stranger.public_jwk()?, "actor": RawGateway::actor() }),
            )
            .await?
            .expect(201)?;
        ensure!(
            enrolled.text_at("/state")? == "PENDING",
            "{}",
            enrolled.text_at("/state")?
        );
        let own = ReceivingKey::p256()?;
        let proof = HolderProof::new(
            "reveal",
            &holder.card.token,
            &desk.card_nonce(&holder.card).await?,
            &own,
        )?;
        let refused = raw
            .reveal(&holder.card.token, &own, Some(&proof.sign(&stranger)?))
            .await?;
        refused.expect_refusal(403, "HOLDER_KEY_PENDING")?;
        let word = desk.reveal(&holder.card).await?.word.context("no Vault-Proof")?;
        ensure!(
            word.keys.active == 1 && word.keys.pending == 1,
            "the holder does not see it: {:?}",
            word.keys
        );
        Ok(())
    });
}

/// The vault's name of a holder, as the audit log tells it: what an attacker inside the gateway reads in its database.
async fn holder_of(pair: &Pair, holder: &Holder) -> Result<String> {
    let events = pair.stand.auditor()?.verify().await?.events;
    let event = events
        .iter()
        .rev()
        .find(|entry| entry.event.contains(&holder.card.token) && entry.event.contains("hld_"));
    let text = &event.context("the card is in no event with its holder")?.event;
    let at = text.find("hld_").context("no holder")?;
    Ok(text
        .get(at..at + 30)
        .context("a token is 30 characters")?
        .to_owned())
}

#[test]
fn pairing_again_never_makes_a_key_the_first_one_again() {
    on_each_engine(async |pair| {
        let mut holder = pair.holder().await?;
        holder.phone.reinstall()?;
        let code = pair
            .partner
            .activation_code(holder.user)
            .await?
            .expect(201)?
            .text_at("/activationCode")?;
        holder.phone.pair(&code).await?;
        let desk = holder.phone.cards();
        let proof = desk.proof("reveal", &holder.card).await?.sign(desk.signer())?;
        desk.reveal_with(&holder.card, Some(&proof))
            .await?
            .expect_refusal(403, "HOLDER_KEY_PENDING")?;
        Ok(())
    });
}

#[test]
fn a_partner_proves_with_its_own_registered_certificate_only() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = pair.partner.cards(&holder.prefix);
        let set = pair.stand.certificates();
        let partner = Credentials::from(&set.partner);
        let gateway = Credentials::from(&set.gateway_client);
        let signers = [
            (
                "the other partner",
                ProofSigner::certificate(&Credentials::from(&set.partner_named(&"other-partner".parse()?)))?,
            ),
            ("the gateway", ProofSigner::certificate(&gateway)?),
            (
                "a processor",
                ProofSigner::certificate(&Credentials::from(&set.processor))?,
            ),
            (
                "the gateway's key under the partner's certificate",
                ProofSigner::mixed(gateway.private_key()?, partner.chain()?),
            ),
            ("a key without certificate", ProofSigner::device()?),
        ];
        for (who, signer) in signers {
            let proof = desk.proof("reveal", &holder.card).await?.sign(&signer)?;
            let answer = desk.reveal_with(&holder.card, Some(&proof)).await?;
            answer.expect_refusal(403, "HOLDER_PROOF_INVALID").context(who)?;
        }
        desk.reveal(&holder.card).await?;
        Ok(())
    });
}

#[test]
fn challenges_are_many_and_none_voids_another() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let mut proofs = Vec::new();
        for _ in 0..8 {
            proofs.push(desk.proof("reveal", &holder.card).await?);
        }
        for proof in proofs {
            let answer = desk
                .reveal_with(&holder.card, Some(&proof.sign(desk.signer())?))
                .await?;
            desk.open(answer, 200, Some(&proof))?;
        }
        Ok(())
    });
}

#[test]
fn a_gateway_that_hands_out_its_own_key_is_noticed() {
    on_each_engine(async |pair| {
        let trust = pair.stand.trust()?;
        let genuine = pair
            .partner
            .door()
            .get("/lifecycle/v1/public-key")
            .await?
            .expect(200)?
            .json()?;
        trust.vault_key(&genuine)?;
        let own = ReceivingKey::rsa(2048)?;
        let own_pem = String::from_utf8(own.public_pem()?)?;
        let mut swapped = genuine.clone();
        swapped["pem"] = own_pem.clone().into();
        swapped["keys"][0] = own.public_jwk()?;
        ensure!(trust.vault_key(&swapped).is_err(), "a swapped key was believed");
        let gateway =
            ProofSigner::certificate(&Credentials::from(&pair.stand.certificates().gateway_client))?;
        let now = Clock::System.unix_seconds();
        let claims = json!({ "thumbprints": [VaultKey::unchecked(&own_pem)?.thumbprint()], "iat": now, "exp": now + 3600 });
        swapped["attestation"] = gateway.sign("key-attestation+jwt", &claims)?.into();
        ensure!(
            trust.vault_key(&swapped).is_err(),
            "an attestation by the gateway's certificate was believed"
        );
        Ok(())
    });
}

#[test]
fn a_forged_answer_is_noticed_by_the_client() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let opened = desk.reveal(&holder.card).await?;
        let word = opened
            .answer
            .header("Vault-Proof")
            .context("no Vault-Proof")?
            .to_owned();
        let trust = pair.stand.trust()?;
        trust.vault_proof(&word, Some(&opened.jwe))?;
        // The gateway knows the phone's public key and can seal whatever it likes to it.
        let forged = VaultKey::unchecked(&String::from_utf8(desk.receiving().public_pem()?)?)?;
        let forged = forged.seal(&json!({ "cardNo": "9999000000000000", "cvv": "000" }))?;
        ensure!(
            trust.vault_proof(&word, Some(&forged)).is_err(),
            "another answer passed under the vault's word"
        );
        forged_word_is_noticed(pair, &trust, &word, &forged)
    });
}

fn forged_word_is_noticed(pair: &Pair, trust: &Trust, word: &str, forged: &str) -> Result<()> {
    let (_, mut claims) = unverified_claims(word)?;
    claims["bdh"] = deploy::actors::sha256_base64url(forged).into();
    let set = pair.stand.certificates();
    let vault_chain = Credentials::from(&set.vault).chain()?;
    let gateway = Credentials::from(&set.gateway_client);
    for signer in [
        ProofSigner::certificate(&gateway)?,
        ProofSigner::mixed(gateway.private_key()?, vault_chain),
    ] {
        let forged_word = signer.sign("vault-proof+jwt", &claims)?;
        ensure!(
            trust.vault_proof(&forged_word, Some(forged)).is_err(),
            "a forged Vault-Proof was believed"
        );
    }
    Ok(())
}

#[test]
fn the_vault_refuses_card_data_in_the_gateways_members() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk: CardDesk<'_> = holder.phone.cards();
        let raw = pair.stand.raw_gateway()?;
        for member in ["cardNo", "cvv", "pin", "token", "maskedCardNo", "exp"] {
            let proof = desk.proof("reveal", &holder.card).await?.sign(desk.signer())?;
            let mut body = raw.operation(desk.receiving(), Some(&proof))?;
            body["recipient"]["members"] = json!({ member: "9999000000000000" });
            let answer = raw
                .post(&paths::reveal(&holder.card.token.parse()?), &body)
                .await?;
            ensure!((400..500).contains(&answer.status), "{member}: {answer}");
        }
        Ok(())
    });
}

#[test]
fn holders_of_another_partner_are_out_of_reach_for_a_partners_proof() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let raw = pair.stand.raw_gateway()?;
        let other = ProofSigner::certificate(&Credentials::from(
            &pair.stand.certificates().partner_named(&"other-partner".parse()?),
        ))?;
        let own = ReceivingKey::p256()?;
        let nonce = holder.phone.cards().card_nonce(&holder.card).await?;
        let proof = HolderProof::new("reveal", &holder.card.token, &nonce, &own)?.sign(&other)?;
        let refused = raw.reveal(&holder.card.token, &own, Some(&proof)).await?;
        refused.expect_refusal(403, "HOLDER_PROOF_INVALID")?;
        let prefix = PartnerServer::prefix(holder.user);
        pair.other_partner
            .cards(&prefix)
            .reveal_with(&holder.card, None)
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        Ok(())
    });
}
