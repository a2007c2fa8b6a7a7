//! The column `/admin` of the contract's capability matrix: what an operator can do for a customer, and what none can.

use anyhow::{Context as _, Result, ensure};
use deploy::actors::{Card, NewUser, Operator};
use reqwest::Method;
use serde_json::{Value, json};
use shared::vault_api::processor::Outcome;

use crate::content::FullCard;
use crate::pair::on_each_engine;

fn card_path(card: &Card, action: &str) -> String {
    format!("/admin/cards/{}{action}", card.id)
}

/// What the trail says of one customer: action and outcome.
pub(crate) async fn trail(reader: &Operator, customer: u64) -> Result<Vec<String>> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = reader.get(&format!("/admin/audit?limit=100{cursor}")).await?;
        let page = page.expect(200)?.json()?;
        for entry in page["items"].as_array().into_iter().flatten() {
            if entry["customerId"] == customer {
                entries.push(format!(
                    "{} {}",
                    entry["action"].as_str().unwrap_or_default(),
                    entry["outcome"].as_str().unwrap_or_default()
                ));
            }
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(entries),
        }
    }
}

fn shows_no_card_data(content: &Value) -> Result<()> {
    let text = content.to_string();
    for member in ["cardNo\"", "\"cvv\"", "\"pan\""] {
        ensure!(!text.contains(member), "{member} in {text}");
    }
    Ok(())
}

#[test]
fn a_customer_is_found_by_what_is_known_of_them_and_by_their_own_partners_operators_only() {
    on_each_engine(async |pair| {
        let new = NewUser::sample()?;
        let mut body = new.body.clone();
        let external = new.body["email"]
            .as_str()
            .context("no email")?
            .replace(['@', '.'], "-");
        body["externalId"] = json!(external);
        let user = pair
            .partner
            .create_user(&NewUser { body: body.clone() })
            .await?
            .expect(201)?
            .number_at("/id")?;
        let desk = Box::pin(pair.desk()).await?;
        let email = body["email"].as_str().context("no email")?.replace('@', "%40");
        for query in [
            format!("email={email}"),
            format!("externalId={external}"),
            format!("id={user}"),
            format!("email={email}&phoneNumber=%2B48600000000&externalId={external}&id={user}&limit=1"),
        ] {
            let path = format!("/admin/customers?{query}");
            for operator in [&desk.admin, &desk.manager, &desk.employee, &desk.platform] {
                let found = operator.get(&path).await?.expect(200)?.json()?;
                ensure!(
                    found["items"].as_array().is_some_and(|items| items.len() == 1),
                    "{query}: {found}"
                );
                ensure!(found["items"][0]["id"] == user && found["items"][0]["partner"] == "partner");
            }
            let hidden = desk.other.get(&path).await?.expect(200)?.json()?;
            ensure!(hidden["items"] == json!([]), "{query}: {hidden}");
        }
        let page = desk
            .employee
            .get("/admin/customers?phoneNumber=%2B48600000000&limit=1")
            .await?;
        ensure!(
            page.expect(200)?.json()?["items"]
                .as_array()
                .is_some_and(|items| items.len() == 1)
        );
        for bad in ["name=x", "email=nobody", "id=x", "id=1&id=2"] {
            let refused = desk.employee.get(&format!("/admin/customers?{bad}")).await?;
            refused.expect_refusal(422, "VALIDATION_FAILED")?;
        }
        let path = format!("/admin/customers/{user}");
        let shown = desk.employee.get(&path).await?.expect(200)?.json()?;
        ensure!(shown["firstName"] == body["firstName"], "{shown}");
        desk.other.get(&path).await?.expect_refusal(404, "NOT_FOUND")?;
        let entries = trail(&desk.admin, user).await?;
        ensure!(entries == ["VIEW_CUSTOMERS DONE"], "{entries:?}");
        Ok(())
    });
}

#[test]
fn another_partners_operator_finds_nothing_at_any_door_to_a_customer() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let other = pair.operator("admin", Some("other-partner")).await?;
        let customer = format!("/admin/customers/{}", holder.user);
        let installation = holder.phone.installation().context("not paired")?;
        for path in ["", "/cards", "/balances", "/installations", "/balances/1001"] {
            let answer = other.get(&format!("{customer}{path}")).await?;
            answer.expect_refusal(404, "NOT_FOUND")?;
        }
        let answer = other.get(&card_path(&holder.card, "")).await?;
        answer.expect_refusal(404, "NOT_FOUND")?;
        for action in ["/lock", "/unlock"] {
            let answer = other
                .post(&card_path(&holder.card, action), &json!({ "reasonCode": 3 }))
                .await?;
            answer.expect_refusal(404, "NOT_FOUND")?;
        }
        for path in [card_path(&holder.card, "/cvv"), card_path(&holder.card, "/print")] {
            other
                .post_enc(&path, None)
                .await?
                .expect_refusal(404, "NOT_FOUND")?;
        }
        let wish = json!({ "balanceId": holder.phone.cards().first_balance().await? });
        let answer = other
            .post_enc(&format!("{customer}/cards/virtual"), Some(&wish))
            .await?;
        answer.expect_refusal(404, "NOT_FOUND")?;
        other
            .post(&format!("{customer}/balances"), &json!({}))
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        for path in [
            card_path(&holder.card, ""),
            format!("{customer}/installations/{installation}"),
        ] {
            let answer = other.call(Method::DELETE, &path).send().await?;
            answer.expect_refusal(404, "NOT_FOUND")?;
        }
        holder.phone.cards().list().await?.expect(200)?;
        Ok(())
    });
}

#[test]
fn an_operator_creates_a_card_and_sees_it_masked_even_with_the_holders_proof() {
    on_each_engine(async |pair| {
        let (user, phone) = pair.user().await?;
        let manager = pair.operator("manager", Some("partner")).await?;
        let admin = pair.operator("admin", Some("partner")).await?;
        let path = format!("/admin/customers/{user}/cards/virtual");
        let wish = json!({ "balanceId": phone.cards().first_balance().await?, "name": "Desk" });
        let created = manager.open(manager.post_enc(&path, Some(&wish)).await?, 201)?;
        ensure!(
            created["state"] == "ACTIVE" && created["maskedCardNo"].is_string(),
            "{created}"
        );
        shows_no_card_data(&created)?;
        let card = Card::of(&created)?;
        ensure!(phone.cards().reveal(&card).await?.content["cardNo"].is_string());

        // A proof that the holder made for this very operator's key opens nothing for the operator.
        let key = "an-issue-key";
        let nonce = phone.cards().holder_nonce().await?;
        let proof = deploy::actors::HolderProof::new("issue", key, &nonce, admin.receiving())?;
        let call = admin
            .call(Method::POST, &path)
            .enc(admin.receiving())
            .idempotency_key(key);
        let call = call.header("Holder-Proof", &proof.sign(phone.device())?);
        let masked = admin.open(call.json(&wish).send().await?, 201)?;
        shows_no_card_data(&masked)?;

        let list = manager
            .get(&format!("/admin/customers/{user}/cards"))
            .await?
            .expect(200)?
            .json()?;
        ensure!(list["items"].as_array().is_some_and(|items| items.len() == 2));
        shows_no_card_data(&list)?;
        for (operator, removes) in [
            (&manager, true),
            (&pair.operator("employee", Some("partner")).await?, false),
        ] {
            let shown = operator.get(&card_path(&card, "")).await?.expect(200)?.json()?;
            let actions = shown["allowedActions"].as_array().cloned().unwrap_or_default();
            ensure!(actions.contains(&json!("REMOVE")) == removes, "{shown}");
            ensure!(
                !actions.contains(&json!("REVEAL")) && actions.contains(&json!("LOCK")),
                "{shown}"
            );
        }
        let entries = trail(&admin, user).await?;
        let count = |entry: &str| entries.iter().filter(|found| *found == entry).count();
        ensure!(count("CREATE_CARD DONE") == 2, "{entries:?}");
        Ok(())
    });
}

#[test]
fn no_door_shows_an_operator_a_card_number() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let admin = pair.operator("admin", None).await?;
        let proof = holder.phone.cards().proof("reveal", &holder.card).await?;
        let proof = proof.sign(holder.phone.device())?;
        for path in [
            card_path(&holder.card, ""),
            card_path(&holder.card, "/full"),
            card_path(&holder.card, "/reveal"),
            format!("/admin/customers/{}/cards/{}", holder.user, holder.card.id),
        ] {
            let call = admin.call(Method::GET, &path).enc(admin.receiving());
            let answer = call.header("Holder-Proof", &proof).send().await?;
            if path == card_path(&holder.card, "") {
                shows_no_card_data(&answer.expect(200)?.json()?)?;
            } else {
                answer.expect_refusal(404, "NOT_FOUND")?;
            }
        }
        let full = FullCard::of(&holder.phone.cards().reveal(&holder.card).await?.content)?;
        for path in ["/admin/customers", "/admin/audit"] {
            let text = String::from_utf8(admin.get(path).await?.expect(200)?.body)?;
            ensure!(!text.contains(&full.pan), "{path} shows the number");
        }
        Ok(())
    });
}

#[test]
fn operators_lock_as_operators_and_lift_every_lock_that_can_be_lifted() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let (phone, partner) = (holder.phone.cards(), pair.partner.cards(&holder.prefix));
        for role in ["admin", "manager", "employee"] {
            let operator = pair.operator(role, Some("partner")).await?;
            let lock = |code: u8| json!({ "reasonCode": code });
            let path = |action| card_path(&holder.card, action);
            let locked = operator
                .post(&path("/lock"), &lock(7))
                .await?
                .expect(200)?
                .json()?;
            ensure!(locked["lock"]["placedBy"] == "OPERATOR", "{locked}");
            for other in [phone, partner] {
                other
                    .unlock(&holder.card)
                    .await?
                    .expect_refusal(403, "LOCK_NOT_YOURS")?;
            }
            operator.post(&path("/unlock"), &json!({})).await?.expect(200)?;
            for desk in [phone, partner] {
                desk.lock(&holder.card, 4).await?.expect(200)?;
                operator.post(&path("/unlock"), &json!({})).await?.expect(200)?;
            }
            for body in [json!({}), lock(9)] {
                let refused = operator.post(&path("/lock"), &body).await?;
                refused.expect_refusal(422, "VALIDATION_FAILED")?;
            }
        }
        let admin = pair.operator("admin", Some("partner")).await?;
        let path = card_path(&holder.card, "/lock");
        admin
            .post(&path, &json!({ "reasonCode": 1 }))
            .await?
            .expect(200)?;
        let unlock = admin
            .post(&card_path(&holder.card, "/unlock"), &json!({}))
            .await?;
        unlock.expect_refusal(409, "LOCK_IRREVERSIBLE")?;
        let entries = trail(&admin, holder.user).await?;
        let count = |entry: &str| entries.iter().filter(|found| *found == entry).count();
        ensure!(
            count("LOCK_CARD DONE") == 4 && count("UNLOCK_CARD DONE") == 9,
            "{entries:?}"
        );
        Ok(())
    });
}

#[test]
fn a_cvv_is_reset_unseen_and_the_holder_sees_the_new_one() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let before = FullCard::of(&holder.phone.cards().reveal(&holder.card).await?.content)?;
        let path = card_path(&holder.card, "/cvv");
        let employee = pair.operator("employee", Some("partner")).await?;
        let plain = employee.post(&path, &json!({})).await?;
        plain.expect_refusal(400, "ENCRYPTION_REQUIRED")?;
        let call = || {
            employee
                .call(Method::POST, &path)
                .enc(employee.receiving())
                .idempotency_key("reset")
        };
        let answer = call().send().await?;
        let again = call().send().await?;
        ensure!(answer.body == again.body, "a replay is another answer");
        let told = employee.open(answer, 200)?;
        ensure!(
            told["id"] == holder.card.id && told["maskedCardNo"].is_string(),
            "{told}"
        );
        shows_no_card_data(&told)?;
        let after = FullCard::of(&holder.phone.cards().reveal(&holder.card).await?.content)?;
        let old = pair.processor.cvv(&before.pan, &before.exp, &before.cvv).await?;
        let new = pair.processor.cvv(&after.pan, &after.exp, &after.cvv).await?;
        ensure!(new == Outcome::Match, "the new CVV does not verify");
        ensure!(
            before.cvv == after.cvv || old == Outcome::NoMatch,
            "the old CVV verifies"
        );
        let admin = pair.operator("admin", Some("partner")).await?;
        let entries = trail(&admin, holder.user).await?;
        ensure!(entries == ["RESET_CVV ASKED", "RESET_CVV DONE"], "{entries:?}");
        Ok(())
    });
}

#[test]
fn plastic_goes_to_the_address_on_file_and_to_no_other() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let path = card_path(&holder.card, "/print");
        let employee = pair.operator("employee", None).await?;
        let address = json!({ "deliveryAddress": { "line1": "Elsewhere 1", "city": "X", "postalCode": "1", "country": "PL" } });
        let elsewhere = employee.post_enc(&path, Some(&address)).await?;
        elsewhere.expect_refusal(422, "VALIDATION_FAILED")?;
        let sealed = holder.phone.cards().vault_key().await?.seal(&address)?;
        let call = employee
            .call(Method::POST, &path)
            .enc_sealed(employee.receiving(), &sealed);
        call.send().await?.expect_refusal(400, "INVALID_PAYLOAD")?;
        let printed = employee.open(employee.post_enc(&path, None).await?, 201)?;
        ensure!(printed["type"] == "DIGITAL_FIRST", "{printed}");
        shows_no_card_data(&printed)?;
        Ok(())
    });
}

#[test]
fn a_removed_card_is_gone_and_the_trail_says_who_removed_it() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let path = card_path(&holder.card, "");
        let employee = pair.operator("employee", Some("partner")).await?;
        let refused = employee.call(Method::DELETE, &path).send().await?;
        refused.expect_refusal(403, "ROLE_FORBIDDEN")?;
        let admin = pair.operator("admin", Some("partner")).await?;
        for _ in 0..2 {
            admin.call(Method::DELETE, &path).send().await?.expect(204)?;
        }
        let list = holder.phone.cards().list().await?.expect(200)?.json()?;
        ensure!(list["items"] == json!([]), "{list}");
        let entries = trail(&admin, holder.user).await?;
        ensure!(entries == ["REMOVE_CARD DONE"], "{entries:?}");
        Ok(())
    });
}
