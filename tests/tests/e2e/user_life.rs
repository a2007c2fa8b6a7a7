//! Rows 21 and 23 further on: a user is found, changed, locked and unlocked; devices are listed and put out.

use anyhow::{Result, ensure};
use deploy::actors::{NewUser, Phone};
use deploy::answer::Answer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::trail;
use crate::pair::{Pair, on_each_engine};

fn items(answer: Answer) -> Result<Vec<Value>> {
    let listed = answer.expect(200)?.json()?;
    Ok(listed["items"].as_array().cloned().unwrap_or_default())
}

#[test]
fn a_partner_finds_its_own_users_by_what_it_knows_of_them() {
    on_each_engine(async |pair| {
        let mut new = NewUser::sample()?;
        let email = new.body["email"].as_str().unwrap_or_default().to_owned();
        let name = format!(
            "ext-{}",
            email.len() + email.bytes().map(usize::from).sum::<usize>()
        );
        new.body["externalId"] = json!(format!("{name}-{email}"));
        let user = pair
            .partner
            .create_user(&new)
            .await?
            .expect(201)?
            .number_at("/id")?;
        let external = format!("{name}-{email}").replace('@', "%40");
        let email = email.replace('@', "%40");
        for query in [
            format!("email={email}"),
            format!("externalId={external}"),
            format!("id={user}"),
            format!("email={email}&phoneNumber=%2B48600000000"),
        ] {
            let path = format!("/lifecycle/v1/users?{query}");
            let found = items(pair.partner.door().get(&path).await?)?;
            ensure!(found.len() == 1 && found[0]["id"] == user, "{query}: {found:?}");
            let found = items(pair.other_partner.door().get(&path).await?)?;
            ensure!(found.is_empty(), "another partner found {found:?} by {query}");
        }
        let door = pair.partner.door();
        let page = door.get("/lifecycle/v1/users?limit=1").await?.expect(200)?;
        ensure!(!page.text_at("/nextCursor")?.is_empty());
        let refused = door.get("/lifecycle/v1/users?name=Ada").await?;
        refused.expect_refusal(422, "VALIDATION_FAILED").map(drop)
    });
}

#[test]
fn contact_data_changes_and_an_established_identity_does_not() {
    on_each_engine(async |pair| {
        let new = NewUser::sample()?;
        let user = pair
            .partner
            .create_user(&new)
            .await?
            .expect(201)?
            .number_at("/id")?;
        pair.partner.set_kyc(user, "ACCEPTED").await?.expect(200)?;
        let mut moved = new.body.clone();
        moved["address"]["city"] = json!("Gdynia");
        let answer = pair.partner.update_user(user, &moved).await?.expect(200)?;
        ensure!(answer.text_at("/address/city")? == "Gdynia");
        ensure!(pair.partner.user(user).await?.text_at("/address/city")? == "Gdynia");
        let mut renamed = moved.clone();
        renamed["lastName"] = json!("Lovelace");
        let refused = pair.partner.update_user(user, &renamed).await?;
        refused.expect_refusal(409, "KYC_ACCEPTED")?;
        pair.partner.set_kyc(user, "REJECTED").await?.expect(200)?;
        pair.partner.update_user(user, &renamed).await?.expect(200)?;
        ensure!(pair.partner.user(user).await?.text_at("/lastName")? == "Lovelace");
        let stranger = pair.other_partner.update_user(user, &moved).await?;
        stranger.expect_refusal(404, "NOT_FOUND").map(drop)
    });
}

#[test]
fn a_locked_user_is_out_at_once_and_gets_nothing_new_on_any_channel() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let (user, mut phone) = (holder.user, holder.phone);
        let path = format!("/lifecycle/v1/users/{user}/lock");
        let locked = pair
            .partner
            .post(&path, &json!({ "reason": "phone stolen" }))
            .await?;
        let locked = locked.expect(200)?.json()?;
        ensure!(
            locked["standing"] == "LOCKED" && locked["lock"]["by"] == "PARTNER",
            "{locked}"
        );
        phone.kyc().await?.expect_refusal(401, "SESSION_REQUIRED")?;
        phone
            .try_log_in("4711")
            .await?
            .expect_refusal(409, "USER_LOCKED")?;
        let refused = phone.try_log_in("0000").await?;
        refused.expect_refusal(401, "AUTHENTICATION_FAILED")?;
        let refused = pair.partner.activation_code(user).await?;
        refused.expect_refusal(409, "USER_LOCKED")?;
        let desk = pair.partner.cards(&holder.prefix);
        desk.create_balance().await?.expect_refusal(409, "USER_LOCKED")?;
        let balance = desk.first_balance().await?;
        let call = desk.post("/cards/virtual")?.enc(desk.receiving());
        let refused = call.json(&json!({ "balanceId": balance })).send().await?;
        refused.expect_refusal(409, "USER_LOCKED")?;
        // What is there is looked at and taken away as ever.
        desk.list().await?.expect(200)?;
        desk.lock(&holder.card, 7).await?.expect(200)?;
        pair.partner.remove(user, &holder.card).await?.expect(204)?;

        pair.partner.set_locked(user, false).await?.expect(200)?;
        phone.log_in().await?;
        phone.kyc().await?.expect(200).map(drop)
    });
}

#[test]
fn an_operators_lock_is_lifted_by_operators_alone_and_stands_in_the_trail() {
    on_each_engine(async |pair| {
        let (user, mut phone) = pair.user().await?;
        let desk = pair.desk().await?;
        let path = |verb: &str| format!("/admin/customers/{user}/{verb}");
        let refused = desk.other.post(&path("lock"), &json!({})).await?;
        refused.expect_refusal(404, "NOT_FOUND")?;
        pair.partner.set_locked(user, true).await?.expect(200)?;
        let body = json!({ "reason": "case 7" });
        let taken = desk.employee.post(&path("lock"), &body).await?.expect(200)?;
        ensure!(taken.text_at("/lock/by")? == "OPERATOR" && taken.text_at("/lock/reason")? == "case 7");
        let refused = pair.partner.set_locked(user, false).await?;
        refused.expect_refusal(403, "LOCK_NOT_YOURS")?;
        ensure!(pair.partner.user(user).await?.text_at("/lock/by")? == "OPERATOR");
        desk.manager
            .post(&path("unlock"), &json!({}))
            .await?
            .expect(200)?;
        phone.log_in().await?;
        let entries = trail(&desk.admin, user).await?;
        for entry in ["LOCK_CUSTOMER DONE", "UNLOCK_CUSTOMER DONE"] {
            ensure!(entries.iter().any(|told| told.contains(entry)), "{entries:?}");
        }
        Ok(())
    });
}

async fn second_phone(pair: &Pair, user: u64) -> Result<Phone> {
    let code = pair.partner.activation_code(user).await?.expect(201)?;
    let mut phone = pair.stand.phone()?;
    phone.pair(&code.text_at("/activationCode")?).await?;
    Ok(phone)
}

fn device(listed: &[Value], phone: &Phone) -> Value {
    listed
        .iter()
        .find(|item| item["id"].as_u64() == phone.installation())
        .cloned()
        .unwrap_or_default()
}

#[test]
fn a_pending_key_is_seen_on_the_other_device_and_put_out_from_there() {
    on_each_engine(async |pair| {
        let (user, phone) = pair.user().await?;
        let thief = second_phone(pair, user).await?;
        let listed = items(phone.cards().call(Method::GET, "/installations").send().await?)?;
        let (own, other) = (device(&listed, &phone), device(&listed, &thief));
        ensure!(
            own["current"] == true && own["holderKey"]["state"] == "ACTIVE",
            "{own}"
        );
        ensure!(
            other["current"] == false && other["holderKey"]["state"] == "PENDING",
            "{other}"
        );
        ensure!(
            other["holderKey"]["maturesAt"].is_string() && other["deviceName"] == "Demo phone",
            "{other}"
        );

        let path = format!("/installations/{}", thief.installation().unwrap_or_default());
        let (stranger, _) = (pair.user().await?.1, ());
        let refused = stranger.cards().call(Method::DELETE, &path).send().await?;
        refused.expect_refusal(404, "NOT_FOUND")?;
        phone
            .cards()
            .call(Method::DELETE, &path)
            .send()
            .await?
            .expect(204)?;
        thief.kyc().await?.expect_refusal(401, "SESSION_REQUIRED")?;
        let listed = items(phone.cards().call(Method::GET, "/installations").send().await?)?;
        let other = device(&listed, &thief);
        ensure!(
            other["state"] == "REVOKED" && other["holderKey"]["state"] == "REVOKED",
            "{other}"
        );
        // Again is no harm; and the key never comes back.
        phone
            .cards()
            .call(Method::DELETE, &path)
            .send()
            .await?
            .expect(204)?;
        let code = pair
            .partner
            .activation_code(user)
            .await?
            .text_at("/activationCode")?;
        let mut thief = thief;
        thief
            .try_pair(&code, None)
            .await?
            .expect_refusal(409, "HOLDER_KEY_REVOKED")
            .map(drop)
    });
}

#[test]
fn a_partner_lists_and_puts_out_its_users_devices_and_no_others() {
    on_each_engine(async |pair| {
        let (user, phone) = pair.user().await?;
        let listed = items(pair.partner.installations(user).await?)?;
        let own = device(&listed, &phone);
        ensure!(
            own["holderKey"]["state"] == "ACTIVE" && own.get("current").is_none(),
            "{own}"
        );
        let refused = pair.other_partner.installations(user).await?;
        refused.expect_refusal(404, "NOT_FOUND")?;
        let id = phone.installation().unwrap_or_default();
        let path = format!("/lifecycle/v1/users/{user}/installations/{id}");
        let refused = pair
            .other_partner
            .door()
            .call(Method::DELETE, &path)
            .send()
            .await?;
        refused.expect_refusal(404, "NOT_FOUND")?;
        let revoked = pair.partner.door().call(Method::DELETE, &path).send().await?;
        revoked.expect(204)?;
        phone
            .kyc()
            .await?
            .expect_refusal(401, "SESSION_REQUIRED")
            .map(drop)
    });
}

#[test]
fn a_key_that_an_active_key_vouches_for_is_active_at_once() {
    on_each_engine(async |pair| {
        let (user, phone) = pair.user().await?;
        let mut second = pair.stand.phone()?;
        let code = pair.partner.activation_code(user).await?.expect(201)?;
        let desk = phone.cards();
        let proof = desk
            .enrolment_proof(&second.device().thumbprint()?)
            .await?
            .sign(phone.device())?;
        let paired = second
            .try_pair_vouched(&code.text_at("/activationCode")?, &proof)
            .await?
            .expect(201)?;
        ensure!(paired.text_at("/holderKey/state")? == "ACTIVE", "{paired}");
        ensure!(!paired.text_at("/holderKey/vaultProof")?.is_empty());
        let listed = items(second.cards().call(Method::GET, "/installations").send().await?)?;
        ensure!(
            device(&listed, &second)["holderKey"]["state"] == "ACTIVE",
            "{listed:?}"
        );
        Ok(())
    });
}

#[test]
fn an_export_holds_everything_about_the_user_and_no_card_number() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let full = holder.phone.cards().reveal(&holder.card).await?;
        let full = crate::content::FullCard::of(&full.content)?;
        let path = format!("/lifecycle/v1/users/{}/export", holder.user);
        let refused = pair.other_partner.door().get(&path).await?;
        refused.expect_refusal(404, "NOT_FOUND")?;
        let by_partner = pair.partner.door().get(&path).await?.expect(200)?.json()?;
        let own = holder.phone.cards().call(Method::GET, "/export").send().await?;
        let own = own.expect(200)?.json()?;
        for export in [&by_partner, &own] {
            ensure!(
                export["user"]["lastName"] == "Example" && export["user"]["id"] == holder.user,
                "{export}"
            );
            ensure!(export["kyc"][0]["status"] == "ACCEPTED" && export["kyc"][0]["reference"] == "case-1");
            ensure!(export["balances"][0]["currency"] == "EUR", "{export}");
            ensure!(
                export["cards"][0]["token"] == holder.card.token.as_str(),
                "{export}"
            );
            ensure!(
                export["installations"][0]["deviceName"] == "Demo phone",
                "{export}"
            );
            let kinds: Vec<_> = export["events"].as_array().into_iter().flatten().collect();
            ensure!(
                kinds.iter().any(|event| event["kind"] == "user.created"),
                "{export}"
            );
            ensure!(export["truncated"] == json!([]), "{export}");
            let text = export.to_string();
            ensure!(
                !text.contains(&full.pan) && !text.contains("cvv"),
                "card data in an export"
            );
        }
        ensure!(
            own["exports"][0]["askedBy"] == "PARTNER" && own["exports"][1]["askedBy"] == "USER",
            "{own}"
        );
        Ok(())
    });
}
