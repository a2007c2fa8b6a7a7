//! Rows 3 and 4 of the contract: the code table, who may lift what, and that some locks stay.

use anyhow::ensure;
use serde_json::json;
use shared::vault_api::processor::Outcome;

use crate::content::FullCard;
use crate::pair::on_each_engine;

/// The codes that can be lifted, and those that cannot.
const REVERSIBLE: [u8; 4] = [3, 4, 6, 7];
const IRREVERSIBLE: [u8; 4] = [1, 2, 5, 8];

#[test]
fn each_channel_lifts_its_own_reversible_locks() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        for desk in [holder.phone.cards(), pair.partner.cards(&holder.prefix)] {
            for code in REVERSIBLE {
                let locked = desk.lock(&holder.card, code).await?.expect(200)?;
                ensure!(locked.json()?["lock"]["reasonCode"] == code, "{}", locked.json()?);
                let open = desk.unlock(&holder.card).await?.expect(200)?.json()?;
                ensure!(open["lock"].is_null(), "{open}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_user_does_not_lift_the_partners_lock_and_the_partner_lifts_the_users() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let (phone, partner) = (holder.phone.cards(), pair.partner.cards(&holder.prefix));
        partner.lock(&holder.card, 7).await?.expect(200)?;
        phone
            .unlock(&holder.card)
            .await?
            .expect_refusal(403, "LOCK_NOT_YOURS")?;
        partner.unlock(&holder.card).await?.expect(200)?;
        phone.lock(&holder.card, 3).await?.expect(200)?;
        partner.unlock(&holder.card).await?.expect(200)?;
        Ok(())
    });
}

#[test]
fn an_irreversible_lock_stays_in_gateway_and_vault() {
    on_each_engine(async |pair| {
        for code in IRREVERSIBLE {
            let holder = pair.holder().await?;
            let desk = holder.phone.cards();
            let full = FullCard::of(&desk.reveal(&holder.card).await?.content)?;
            desk.lock(&holder.card, code).await?.expect(200)?;
            for owner in [desk, pair.partner.cards(&holder.prefix)] {
                owner
                    .unlock(&holder.card)
                    .await?
                    .expect_refusal(409, "LOCK_IRREVERSIBLE")?;
            }
            let proof = desk.proof("reset-cvv", &holder.card).await?.sign(desk.signer())?;
            let refused = desk.reset_cvv_with(&holder.card, Some(&proof)).await?;
            refused.expect_refusal(409, "LOCK_IRREVERSIBLE")?;
            let verified = pair.processor.cvv(&full.pan, &full.exp, &full.cvv).await?;
            ensure!(
                verified == Outcome::NoMatch,
                "code {code}: the vault still verifies"
            );
        }
        Ok(())
    });
}

#[test]
fn a_lock_is_raised_to_irreversible_and_never_back() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        desk.lock(&holder.card, 3).await?.expect(200)?;
        desk.lock(&holder.card, 2).await?.expect(200)?;
        desk.lock(&holder.card, 3)
            .await?
            .expect_refusal(409, "LOCK_IRREVERSIBLE")?;
        Ok(())
    });
}

#[test]
fn a_reason_is_demanded_and_must_be_in_the_table() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        for body in [
            json!({}),
            json!({ "reasonCode": 0 }),
            json!({ "reasonCode": 9 }),
            json!({ "reasonCode": "7" }),
        ] {
            let call = desk.post(&format!("/cards/{}/lock", holder.card.id))?.json(&body);
            call.send().await?.expect_refusal(422, "VALIDATION_FAILED")?;
        }
        Ok(())
    });
}

#[test]
fn lifting_code_six_gives_the_pin_tries_back_but_not_to_a_user_who_placed_it() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let full = FullCard::of(&desk.reveal(&holder.card).await?.content)?;
        desk.print(&holder.card).await?;
        desk.set_pin(&holder.card, "4829").await?;
        let mut outcome = Outcome::NoMatch;
        while outcome == Outcome::NoMatch {
            outcome = pair.processor.pin(&full.pan, "0000").await?.outcome;
        }
        ensure!(outcome == Outcome::TriesExceeded);
        ensure!(
            pair.processor.pin(&full.pan, "4829").await?.outcome == Outcome::TriesExceeded,
            "compared all the same"
        );
        desk.lock(&holder.card, 6).await?.expect(200)?;
        desk.unlock(&holder.card).await?.expect(200)?;
        ensure!(
            pair.processor.pin(&full.pan, "4829").await?.outcome == Outcome::TriesExceeded,
            "a user gave the tries back to themselves"
        );
        let partner = pair.partner.cards(&holder.prefix);
        partner.lock(&holder.card, 6).await?.expect(200)?;
        partner.unlock(&holder.card).await?.expect(200)?;
        ensure!(pair.processor.pin(&full.pan, "4829").await?.outcome == Outcome::Match);
        Ok(())
    });
}
