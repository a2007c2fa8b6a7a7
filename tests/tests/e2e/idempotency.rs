//! The same request again gives the first answer, byte for byte; another one under the same key is refused.

use anyhow::ensure;
use deploy::actors::{HolderProof, NewUser, ReceivingKey};
use reqwest::Method;
use serde_json::json;

use crate::pair::on_each_engine;

#[test]
fn a_repeated_registration_answers_the_same_bytes_and_makes_one_user() {
    on_each_engine(async |pair| {
        let body = NewUser::sample()?.body;
        let key = unique("user");
        let send = || {
            pair.partner
                .door()
                .call(Method::POST, "/lifecycle/v1/users")
                .idempotency_key(&key)
                .json(&body)
        };
        let (first, second) = (
            send().send().await?.expect(201)?,
            send().send().await?.expect(201)?,
        );
        ensure!(first.body == second.body, "another answer");
        Ok(())
    });
}

#[test]
fn a_repeated_creation_answers_the_same_jwe_and_makes_one_card() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let desk = phone.cards();
        let (balance, key) = (desk.first_balance().await?, unique("card"));
        let proof = HolderProof::new("issue", &key, &desk.holder_nonce().await?, desk.receiving())?
            .sign(desk.signer())?;
        let send = || {
            let call = desk
                .call(Method::POST, "/cards/virtual")
                .idempotency_key(&key)
                .enc(desk.receiving());
            call.header("Holder-Proof", &proof)
                .json(&json!({ "balanceId": balance }))
        };
        let (first, second) = (
            send().send().await?.expect(201)?,
            send().send().await?.expect(201)?,
        );
        ensure!(first.body == second.body, "another JWE");
        ensure!(
            first.header("Vault-Proof") == second.header("Vault-Proof")
                && first.header("Vault-Proof").is_some()
        );
        ensure!(
            desk.list().await?.json()?["items"].as_array().map(Vec::len) == Some(1),
            "two cards"
        );
        Ok(())
    });
}

#[test]
fn a_key_with_another_body_or_another_public_key_is_refused() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let desk = phone.cards();
        let (balance, key) = (desk.first_balance().await?, unique("card"));
        let send = |receiving: &ReceivingKey, name: &str| {
            let call = desk
                .call(Method::POST, "/cards/virtual")
                .idempotency_key(&key)
                .enc(receiving);
            call.json(&json!({ "balanceId": balance, "name": name }))
        };
        send(desk.receiving(), "One").send().await?.expect(201)?;
        send(desk.receiving(), "Two")
            .send()
            .await?
            .expect_refusal(422, "IDEMPOTENCY_KEY_REUSED")?;
        let other = ReceivingKey::p256()?;
        send(&other, "One")
            .send()
            .await?
            .expect_refusal(422, "IDEMPOTENCY_KEY_REUSED")?;
        Ok(())
    });
}

#[test]
fn keys_of_different_callers_do_not_meet() {
    on_each_engine(async |pair| {
        let key = unique("shared");
        let mut ids = Vec::new();
        for partner in [&pair.partner, &pair.other_partner] {
            let call = partner
                .door()
                .call(Method::POST, "/lifecycle/v1/users")
                .idempotency_key(&key);
            ids.push(
                call.json(&NewUser::sample()?.body)
                    .send()
                    .await?
                    .expect(201)?
                    .number_at("/id")?,
            );
        }
        ensure!(ids.first() != ids.last());
        Ok(())
    });
}

#[test]
fn many_at_once_under_one_key_make_one_card() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let desk = phone.cards();
        let (balance, key) = (desk.first_balance().await?, unique("race"));
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let call = desk
                .call(Method::POST, "/cards/virtual")
                .idempotency_key(&key)
                .enc(desk.receiving());
            calls.spawn(call.json(&json!({ "balanceId": balance })).send());
        }
        let mut created = Vec::new();
        while let Some(answer) = calls.join_next().await {
            let answer = answer??;
            match answer.status {
                201 => created.push(answer.body),
                _ => drop(answer.expect_refusal(409, "IDEMPOTENCY_IN_FLIGHT")?),
            }
        }
        ensure!(
            !created.is_empty() && created.windows(2).all(|two| two.first() == two.last()),
            "different answers"
        );
        ensure!(
            desk.list().await?.json()?["items"].as_array().map(Vec::len) == Some(1),
            "more than one card"
        );
        Ok(())
    });
}

#[test]
fn a_post_without_a_key_is_served_except_where_the_proof_names_it() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let desk = phone.cards();
        let proof = HolderProof::new("issue", "no-key", &desk.holder_nonce().await?, desk.receiving())?;
        let balance = desk.first_balance().await?;
        let call = desk.call(Method::POST, "/cards/virtual").enc(desk.receiving());
        let call = call
            .header("Holder-Proof", &proof.sign(desk.signer())?)
            .json(&json!({ "balanceId": balance }));
        let answer = call.send().await?;
        ensure!(matches!(answer.status, 400 | 403 | 422), "{answer}");
        Ok(())
    });
}

/// A key that no other test uses.
fn unique(purpose: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{purpose}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
