//! Rows 1, 5, 6, 7, 10, 11, 16 and 17 of the contract on both channels: what a card's life looks like from outside.

use anyhow::ensure;
use deploy::actors::{Card, PartnerServer, ReceivingKey};
use serde_json::json;
use shared::vault_api::processor::Outcome;

use crate::content::{FullCard, is_masked};
use crate::pair::on_each_engine;

#[test]
fn a_card_created_without_a_proof_is_masked_and_revealed_next() {
    on_each_engine(async |pair| {
        let (user, phone) = pair.user().await?;
        let prefix = PartnerServer::prefix(user);
        for desk in [phone.cards(), pair.partner.cards(&prefix)] {
            let created = desk.create(desk.first_balance().await?, "Groceries").await?;
            is_masked(&created.content)?;
            ensure!(created.text("type")? == "VIRTUAL" && created.text("state")? == "ACTIVE");
            ensure!(created.text("name")? == "Groceries");
            let full = desk.reveal(&Card::of(&created.content)?).await?;
            let shown = FullCard::of(&full.content)?;
            ensure!(shown.masked() == created.text("maskedCardNo")? && shown.exp == created.text("exp")?);
        }
        Ok(())
    });
}

#[test]
fn a_card_created_with_a_proof_shows_its_number_and_cvv() {
    on_each_engine(async |pair| {
        let (user, phone) = pair.user().await?;
        let prefix = PartnerServer::prefix(user);
        for desk in [phone.cards(), pair.partner.cards(&prefix)] {
            let created = desk.create_proven(desk.first_balance().await?, "Travel").await?;
            let shown = FullCard::of(&created.content)?;
            let again = FullCard::of(&desk.reveal(&Card::of(&created.content)?).await?.content)?;
            ensure!(again == shown, "two readings of one card differ");
            ensure!(pair.processor.cvv(&shown.pan, &shown.exp, &shown.cvv).await? == Outcome::Match);
        }
        Ok(())
    });
}

#[test]
fn an_answer_to_a_p256_key_comes_as_ecdh() {
    on_each_engine(async |pair| {
        let user = pair.partner.accepted_user().await?;
        let code = pair
            .partner
            .activation_code(user)
            .await?
            .text_at("/activationCode")?;
        let mut phone = pair.stand.phone_receiving(ReceivingKey::p256()?)?;
        phone.pair(&code).await?;
        let desk = phone.cards();
        let created = desk.create_proven(desk.first_balance().await?, "Small").await?;
        FullCard::of(&created.content)?;
        Ok(())
    });
}

#[test]
fn both_channels_see_the_same_card_and_no_list_shows_its_number() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let partner_desk = pair.partner.cards(&holder.prefix);
        let mine = FullCard::of(&holder.phone.cards().reveal(&holder.card).await?.content)?;
        let theirs = FullCard::of(&partner_desk.reveal(&holder.card).await?.content)?;
        ensure!(mine == theirs, "the channels show different cards");
        for desk in [holder.phone.cards(), partner_desk] {
            let list = desk.list().await?.expect(200)?.json()?;
            let [item] = list["items"].as_array().map(Vec::as_slice).unwrap_or_default() else {
                anyhow::bail!("not one card: {list}");
            };
            is_masked(item)?;
            ensure!(Card::of(item)? == holder.card);
            let balances = desk.balances().await?.expect(200)?;
            ensure!(!String::from_utf8_lossy(&balances.body).contains(&mine.pan));
            ensure!(
                balances.number_at("/items/0/cards/0/id")? == holder.card.id,
                "the balance does not name its card"
            );
        }
        Ok(())
    });
}

#[test]
fn a_reset_cvv_takes_the_place_of_the_old_one() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let old = FullCard::of(&desk.reveal(&holder.card).await?.content)?;
        let mut new = old.cvv.clone();
        while new == old.cvv {
            new = desk.reset_cvv(&holder.card).await?.text("cvv")?;
        }
        ensure!(
            pair.processor.cvv(&old.pan, &old.exp, &old.cvv).await? == Outcome::NoMatch,
            "the old CVV verifies"
        );
        ensure!(
            pair.processor.cvv(&old.pan, &old.exp, &new).await? == Outcome::Match,
            "the new CVV does not"
        );
        ensure!(FullCard::of(&desk.reveal(&holder.card).await?.content)?.cvv == new);
        Ok(())
    });
}

#[test]
fn plastic_of_a_virtual_card_keeps_its_number() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let before = FullCard::of(&desk.reveal(&holder.card).await?.content)?;
        let printed = desk.print(&holder.card).await?;
        is_masked(&printed.content)?;
        ensure!(
            printed.text("type")? == "DIGITAL_FIRST",
            "{}",
            printed.text("type")?
        );
        ensure!(FullCard::of(&desk.reveal(&holder.card).await?.content)? == before);
        Ok(())
    });
}

#[test]
fn plastic_goes_to_a_sealed_address_on_both_channels() {
    on_each_engine(async |pair| {
        let address =
            json!({ "line1": "Side Street 2", "city": "Kraków", "postalCode": "30-001", "country": "PL" });
        let holder = pair.holder().await?;
        holder.phone.cards().print_to(&holder.card, &address).await?;
        let other = pair.holder().await?;
        pair.partner
            .cards(&other.prefix)
            .print_to(&other.card, &address)
            .await?;
        Ok(())
    });
}

#[test]
fn a_pin_is_set_on_plastic_and_verifies() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let full = FullCard::of(&desk.reveal(&holder.card).await?.content)?;
        desk.print(&holder.card).await?;
        let set = desk.set_pin(&holder.card, "4829").await?;
        ensure!(set.text("offlinePinSync")? == "PENDING" && !set.text("notice")?.is_empty());
        ensure!(pair.processor.pin(&full.pan, "4829").await?.outcome == Outcome::Match);
        ensure!(pair.processor.pin(&full.pan, "4828").await?.outcome == Outcome::NoMatch);
        desk.set_pin(&holder.card, "102938475610").await?;
        ensure!(
            pair.processor.pin(&full.pan, "102938475610").await?.outcome == Outcome::Match,
            "twelve digits"
        );
        Ok(())
    });
}

#[test]
fn a_card_without_plastic_has_no_pin_to_set() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let payload = desk.vault_key().await?.seal(&json!({ "pin": "4829" }))?;
        let proof = desk
            .proof("set-pin", &holder.card)
            .await?
            .over(&payload)
            .sign(desk.signer())?;
        let refused = desk.set_pin_with(&holder.card, &payload, Some(&proof)).await?;
        refused.expect_refusal(409, "PIN_NOT_AVAILABLE")?;
        Ok(())
    });
}

#[test]
fn a_program_without_digital_first_prints_nothing() {
    on_each_engine(async |pair| {
        let user = pair.other_partner.accepted_user().await?;
        let prefix = PartnerServer::prefix(user);
        let desk = pair.other_partner.cards(&prefix);
        let balance = desk.create_balance().await?.expect(201)?.number_at("/id")?;
        let card = Card::of(&desk.create(balance, "Plain").await?.content)?;
        let call = desk
            .post(&format!("/cards/{}/print", card.id))?
            .enc(desk.receiving());
        call.send().await?.expect_refusal(409, "NOT_DIGITAL_FIRST")?;
        Ok(())
    });
}

#[test]
fn a_removed_card_is_gone_for_good() {
    on_each_engine(async |pair| {
        for by_partner in [false, true] {
            let holder = pair.holder().await?;
            let desk = holder.phone.cards();
            let full = FullCard::of(&desk.reveal(&holder.card).await?.content)?;
            let removed = match by_partner {
                false => holder.phone.remove(&holder.card).await?,
                true => pair.partner.remove(holder.user, &holder.card).await?,
            };
            removed.expect(204)?;
            let verified = pair.processor.cvv(&full.pan, &full.exp, &full.cvv).await?;
            ensure!(verified == Outcome::NoMatch, "a closed card still verifies");
            desk.lock(&holder.card, 3)
                .await?
                .expect_refusal(409, "CARD_REMOVED")?;
            let raw = pair.stand.raw_gateway()?;
            let refused = raw.reveal(&holder.card.token, desk.receiving(), None).await?;
            ensure!(refused.status != 200, "{refused}");
        }
        Ok(())
    });
}

#[test]
fn another_users_card_does_not_exist() {
    on_each_engine(async |pair| {
        let (holder, other) = (pair.holder().await?, pair.holder().await?);
        let desk = other.phone.cards();
        let wrong_prefix = PartnerServer::prefix(other.user);
        for stranger in [
            desk,
            pair.partner.cards(&wrong_prefix),
            pair.other_partner.cards(&holder.prefix),
        ] {
            stranger
                .reveal_with(&holder.card, None)
                .await?
                .expect_refusal(404, "NOT_FOUND")?;
            stranger
                .lock(&holder.card, 3)
                .await?
                .expect_refusal(404, "NOT_FOUND")?;
            stranger
                .unlock(&holder.card)
                .await?
                .expect_refusal(404, "NOT_FOUND")?;
        }
        desk.reset_cvv_with(&holder.card, None)
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        other
            .phone
            .remove(&holder.card)
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        pair.partner
            .remove(other.user, &holder.card)
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        Ok(())
    });
}

#[test]
fn a_card_needs_a_balance_of_its_holder() {
    on_each_engine(async |pair| {
        let (holder, other) = (pair.holder().await?, pair.holder().await?);
        let desk = holder.phone.cards();
        let foreign = other.phone.cards().first_balance().await?;
        let call = desk.post("/cards/virtual")?.enc(desk.receiving());
        let refused = call.json(&json!({ "balanceId": foreign })).send().await?;
        refused.expect_refusal(404, "NOT_FOUND")?;
        Ok(())
    });
}

#[test]
fn without_a_balance_there_is_no_card_until_one_is_created() {
    on_each_engine(async |pair| {
        // The other partner's program creates no balances by itself.
        let user = pair.other_partner.accepted_user().await?;
        let prefix = PartnerServer::prefix(user);
        let desk = pair.other_partner.cards(&prefix);
        let call = desk.post("/cards/virtual")?.enc(desk.receiving());
        let refused = call.json(&json!({ "balanceId": 1 })).send().await?;
        refused.expect_refusal(409, "BALANCE_REQUIRED")?;
        let balance = desk.create_balance().await?.expect(201)?;
        ensure!(balance.text_at("/currency")? == "EUR" && balance.number_at("/value")? == 0);
        is_masked(&desk.create(balance.number_at("/id")?, "Plain").await?.content)
    });
}
