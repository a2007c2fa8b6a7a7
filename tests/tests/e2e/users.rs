//! Rows 14, 15, 21 and 23 of the contract: users, KYC, pairing, sessions.

use anyhow::ensure;
use deploy::actors::NewUser;
use reqwest::Method;
use serde_json::json;

use crate::pair::on_each_engine;

#[test]
fn a_partner_registers_a_user_and_finds_it_again() {
    on_each_engine(async |pair| {
        let new = NewUser::sample()?;
        let created = pair.partner.create_user(&new).await?.expect(201)?;
        let user = created.number_at("/id")?;
        ensure!(created.text_at("/kycStatus")? == "NONE");
        let found = pair.partner.user(user).await?.expect(200)?.json()?;
        for member in ["email", "firstName", "lastName", "dateOfBirth", "nationality"] {
            ensure!(
                found.get(member) == new.body.get(member),
                "{member} came back as {:?}",
                found.get(member)
            );
        }
        Ok(())
    });
}

#[test]
fn ids_are_given_in_sequence_and_stay_small() {
    on_each_engine(async |pair| {
        let first = pair
            .partner
            .create_user(&NewUser::sample()?)
            .await?
            .number_at("/id")?;
        let second = pair
            .partner
            .create_user(&NewUser::sample()?)
            .await?
            .number_at("/id")?;
        ensure!(
            first > 1000 && second > first && second < 1 << 40,
            "{first}, {second}"
        );
        Ok(())
    });
}

#[test]
fn every_broken_rule_of_a_registration_is_told_at_once() {
    on_each_engine(async |pair| {
        let mut user = NewUser::sample()?;
        for (member, value) in [
            ("email", json!("no address")),
            ("phoneNumber", json!(12)),
            ("dateOfBirth", json!("1990-02-30")),
            ("nationality", json!("XX9")),
            ("surprise", json!(true)),
        ] {
            user.body[member] = value;
        }
        let refused = pair
            .partner
            .create_user(&user)
            .await?
            .expect_refusal(422, "VALIDATION_FAILED")?
            .json()?;
        let fields: Vec<&str> = refused["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|e| e["field"].as_str())
            .collect();
        for field in ["email", "phoneNumber", "dateOfBirth", "nationality", "surprise"] {
            ensure!(fields.contains(&field), "{field} is missing in {fields:?}");
        }
        Ok(())
    });
}

#[test]
fn another_partners_user_does_not_exist() {
    on_each_engine(async |pair| {
        let user = pair.partner.accepted_user().await?;
        let stranger = &pair.other_partner;
        stranger.user(user).await?.expect_refusal(404, "NOT_FOUND")?;
        stranger
            .set_kyc(user, "REJECTED")
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        stranger
            .activation_code(user)
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        let prefix = deploy::actors::PartnerServer::prefix(user);
        stranger
            .cards(&prefix)
            .balances()
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        ensure!(pair.partner.user(user).await?.text_at("/kycStatus")? == "ACCEPTED");
        Ok(())
    });
}

#[test]
fn acceptance_brings_a_balance_in_the_programs_currency_once() {
    on_each_engine(async |pair| {
        let user = pair
            .partner
            .create_user(&NewUser::sample()?)
            .await?
            .number_at("/id")?;
        let prefix = deploy::actors::PartnerServer::prefix(user);
        let desk = pair.partner.cards(&prefix);
        ensure!(
            desk.balances().await?.expect(200)?.json()?["items"] == json!([]),
            "a balance before KYC"
        );
        for _ in 0..2 {
            pair.partner.set_kyc(user, "ACCEPTED").await?;
        }
        let balances = desk.balances().await?.expect(200)?;
        ensure!(balances.json()?["items"].as_array().map(Vec::len) == Some(1));
        ensure!(
            balances.text_at("/items/0/currency")? == "EUR"
                && balances.text_at("/items/0/state")? == "ACTIVE"
        );
        ensure!(balances.number_at("/items/0/value")? == 0 && balances.number_at("/items/0/available")? == 0);
        Ok(())
    });
}

#[test]
fn a_user_without_kyc_gets_no_balance_and_no_card() {
    on_each_engine(async |pair| {
        let user = pair
            .partner
            .create_user(&NewUser::sample()?)
            .await?
            .number_at("/id")?;
        let code = pair
            .partner
            .activation_code(user)
            .await?
            .expect(201)?
            .text_at("/activationCode")?;
        let mut phone = pair.stand.phone()?;
        phone.pair(&code).await?;
        let prefix = deploy::actors::PartnerServer::prefix(user);
        for desk in [phone.cards(), pair.partner.cards(&prefix)] {
            desk.create_balance().await?.expect_refusal(409, "KYC_REQUIRED")?;
            let call = desk.post("/cards/virtual")?.enc(desk.receiving());
            call.json(&json!({ "balanceId": 1001 }))
                .send()
                .await?
                .expect_refusal(409, "KYC_REQUIRED")?;
        }
        Ok(())
    });
}

#[test]
fn kyc_begun_on_the_phone_is_followed_there() {
    on_each_engine(async |pair| {
        let user = pair
            .partner
            .create_user(&NewUser::sample()?)
            .await?
            .number_at("/id")?;
        let code = pair
            .partner
            .activation_code(user)
            .await?
            .text_at("/activationCode")?;
        let mut phone = pair.stand.phone()?;
        phone.pair(&code).await?;
        ensure!(phone.kyc().await?.expect(200)?.text_at("/kycStatus")? == "NONE");
        let begun = phone.register(&json!({})).await?;
        ensure!((200..300).contains(&begun.status), "{begun}");
        ensure!(phone.kyc().await?.text_at("/kycStatus")? == "IN_PROGRESS");
        pair.partner.set_kyc(user, "ACCEPTED").await?.expect(200)?;
        ensure!(phone.kyc().await?.text_at("/kycStatus")? == "ACCEPTED");
        Ok(())
    });
}

#[test]
fn an_activation_code_pairs_once() {
    on_each_engine(async |pair| {
        let user = pair.partner.accepted_user().await?;
        let code = pair
            .partner
            .activation_code(user)
            .await?
            .text_at("/activationCode")?;
        pair.stand.phone()?.pair(&code).await?;
        let again = pair.stand.phone()?;
        let call = again
            .door()
            .call(Method::POST, "/customers/pair")
            .idempotency_key("another-phone");
        call.json(&again.pairing(&code)?)
            .send()
            .await?
            .expect_refusal(401, "ACTIVATION_CODE_INVALID")?;
        Ok(())
    });
}

#[test]
fn pairing_the_same_device_again_ends_the_former_installation() {
    on_each_engine(async |pair| {
        let (user, mut phone) = pair.user().await?;
        let former = phone.session().map(str::to_owned).unwrap_or_default();
        phone.reinstall()?;
        let code = pair
            .partner
            .activation_code(user)
            .await?
            .text_at("/activationCode")?;
        phone.pair(&code).await?;
        let old = phone
            .door()
            .call(Method::GET, "/customers/me/kyc")
            .bearer(&former)
            .send()
            .await?;
        old.expect_refusal(401, "SESSION_REQUIRED")?;
        phone.kyc().await?.expect(200)?;
        Ok(())
    });
}

#[test]
fn a_login_needs_the_device_key_and_the_app_pin() {
    on_each_engine(async |pair| {
        let (_, mut phone) = pair.user().await?;
        phone
            .try_log_in("0000")
            .await?
            .expect_refusal(401, "AUTHENTICATION_FAILED")?;
        phone.log_in().await?;
        phone.kyc().await?.expect(200)?;
        let installation = phone.installation();
        let stranger = deploy::actors::ProofSigner::device()?;
        let challenge = phone
            .login_challenge()
            .await?
            .expect(201)?
            .text_at("/challenge")?;
        let claims = json!({ "challenge": challenge, "installationId": installation });
        let proof = stranger.sign("session-proof+jwt", &claims)?;
        let body = json!({ "installationId": installation, "proof": proof, "appPin": "4711" });
        let call = phone
            .door()
            .call(Method::POST, "/customers/sessions")
            .idempotency_key("stranger");
        call.json(&body)
            .send()
            .await?
            .expect_refusal(401, "AUTHENTICATION_FAILED")?;
        Ok(())
    });
}

#[test]
fn a_login_challenge_serves_once() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        let installation = phone.installation();
        let challenge = phone.login_challenge().await?.text_at("/challenge")?;
        let claims = json!({ "challenge": challenge, "installationId": installation });
        let proof = phone.device().sign("session-proof+jwt", &claims)?;
        let body = json!({ "installationId": installation, "proof": proof, "appPin": "4711" });
        let call = |key: &str| {
            phone
                .door()
                .call(Method::POST, "/customers/sessions")
                .idempotency_key(key)
                .json(&body)
        };
        call("first").send().await?.expect(201)?;
        call("second")
            .send()
            .await?
            .expect_refusal(401, "AUTHENTICATION_FAILED")?;
        Ok(())
    });
}

#[test]
fn a_session_ends_when_the_user_ends_it() {
    on_each_engine(async |pair| {
        let (_, phone) = pair.user().await?;
        phone.log_out().await?.expect(204)?;
        phone.kyc().await?.expect_refusal(401, "SESSION_REQUIRED")?;
        Ok(())
    });
}
