//! Partner balances over the public doors: who may create, reload, watch and lock them.

use anyhow::{Context as _, Result, ensure};
use deploy::actors::Operator;
use reqwest::Method;
use serde_json::{Value, json};

use crate::money::{post, unique};
use crate::pair::{Pair, on_each_engine};

/// A partner balance of `partner` in this currency, by the platform.
async fn partner_balance(platform: &Operator, currency: &str, kind: &str) -> Result<u64> {
    let body = json!({ "partner": "partner", "kind": kind, "currency": currency });
    let made = platform
        .post("/admin/partner-balances", &body)
        .await?
        .expect(201)?;
    made.number_at("/id")
}

#[test]
fn a_partner_balance_takes_two_of_the_platforms_admins_and_credits_a_bank_transfer_once() {
    on_each_engine(async |pair| {
        let (first, second) = (
            pair.operator("admin", None).await?,
            pair.operator("admin", None).await?,
        );
        let own = pair.operator("admin", Some("partner")).await?;
        let stranger = pair.operator("admin", Some("other-partner")).await?;
        let id = partner_balance(&first, "SEK", "CREDIT").await?;
        let again = json!({ "partner": "partner", "kind": "DEPOSIT", "currency": "SEK" });
        first
            .post("/admin/partner-balances", &again)
            .await?
            .expect_refusal(409, "PARTNER_BALANCE_EXISTS")?;
        own.post("/admin/partner-balances", &again)
            .await?
            .expect_refusal(403, "PLATFORM_ONLY")?;
        let path = format!("/admin/partner-balances/{id}");
        stranger.get(&path).await?.expect_refusal(404, "NOT_FOUND")?;
        let wish = json!({ "amount": 500_000, "bankReference": unique("NB") });
        own.post(&format!("{path}/reload"), &wish)
            .await?
            .expect_refusal(403, "PLATFORM_ONLY")?;
        let proposed = first.post(&format!("{path}/reload"), &wish).await?.expect(202)?;
        ensure!(proposed.json()?["state"] == "PROPOSED");
        ensure!(
            first.get(&path).await?.expect(200)?.json()?["value"] == 0,
            "nothing moved yet"
        );
        let decide = format!("{path}/reloads/{}", proposed.number_at("/id")?);
        for what in ["approve", "reject"] {
            let alone = first.post(&format!("{decide}/{what}"), &json!({})).await?;
            alone.expect_refusal(403, "OWN_PROPOSAL")?;
            let partners = own.post(&format!("{decide}/{what}"), &json!({})).await?;
            partners.expect_refusal(403, "PLATFORM_ONLY")?;
        }
        let approved = second
            .post(&format!("{decide}/approve"), &json!({}))
            .await?
            .expect(200)?
            .json()?;
        ensure!(
            approved["reload"]["state"] == "APPROVED" && approved["balance"]["value"] == 500_000,
            "{approved}"
        );
        let late = second.post(&format!("{decide}/approve"), &json!({})).await?;
        late.expect_refusal(409, "RELOAD_DECIDED")?;
        let twice = second.post(&format!("{path}/reload"), &wish).await?;
        twice.expect_refusal(409, "BANK_REFERENCE_USED")?;
        let reloads = own.get(&format!("{path}/reloads")).await?.expect(200)?.json()?;
        ensure!(reloads["items"][0] == approved["reload"], "{reloads}");
        is_shown_and_summed(pair, &own, id).await
    });
}

/// The partner sees it, nobody but the platform sees the platform's own, and the wallet has it.
async fn is_shown_and_summed(pair: &Pair, own: &Operator, id: u64) -> Result<()> {
    let listed = pair
        .partner
        .door()
        .get("/secure/partner-balances")
        .await?
        .expect(200)?
        .json()?;
    let listed = listed["items"].as_array().context("no items")?.clone();
    ensure!(
        listed
            .iter()
            .any(|one| one["id"] == id && one["value"] == 500_000),
        "{listed:?}"
    );
    ensure!(
        listed.iter().all(|one| one["kind"] != "COMPANY"),
        "the platform's own: {listed:?}"
    );
    let summary = own.get("/admin/summary/balances").await?.expect(200)?.json()?;
    let sek = summary["summaries"].as_array().context("no summaries")?;
    let sek = sek
        .iter()
        .find(|one| one["currency"] == "SEK")
        .context("no SEK")?;
    ensure!(sek["users"] == 0 && sek["wallet"] == 500_000, "{summary}");
    Ok(())
}

#[test]
fn a_low_level_is_set_by_the_partners_admin_and_a_lock_by_the_platforms() {
    on_each_engine(async |pair| {
        let platform = pair.operator("admin", None).await?;
        let own = pair.operator("admin", Some("partner")).await?;
        let id = partner_balance(&platform, "DKK", "DEPOSIT").await?;
        let path = format!("/admin/partner-balances/{id}");
        let put = async |body: Value| {
            own.call(Method::PUT, &format!("{path}/low-level"))
                .json(&body)
                .send()
                .await
        };
        for bad in [
            json!({ "level": 5 }),
            json!({ "level": 5, "rearmLevel": 4 }),
            json!({ "level": 0, "rearmLevel": 4 }),
        ] {
            put(bad).await?.expect_refusal(422, "VALIDATION_FAILED")?;
        }
        let set = put(json!({ "level": 1000, "rearmLevel": 1500 }))
            .await?
            .expect(200)?
            .json()?;
        ensure!(
            set["lowLevel"] == json!({ "level": 1000, "rearmLevel": 1500, "isLow": true }),
            "{set}"
        );
        let off = put(json!({})).await?.expect(200)?.json()?;
        ensure!(off["lowLevel"].is_null(), "{off}");
        own.post(&format!("{path}/lock"), &json!({}))
            .await?
            .expect_refusal(403, "PLATFORM_ONLY")?;
        let locked = platform
            .post(&format!("{path}/lock"), &json!({}))
            .await?
            .expect(200)?
            .json()?;
        ensure!(locked["state"] == "LOCKED", "{locked}");
        platform
            .post(&format!("{path}/unlock"), &json!({}))
            .await?
            .expect(200)?;
        Ok(())
    });
}

#[test]
fn a_partner_creates_its_balance_where_its_program_allows_it() {
    on_each_engine(async |pair| {
        let body = json!({ "kind": "CREDIT", "currency": "NOK" });
        let refused = post(&pair.partner, "/secure/partner-balances", &unique("pb"), &body).await?;
        refused.expect_refusal(403, "NOT_OFFERED")?;
        let made = post(
            &pair.other_partner,
            "/secure/partner-balances",
            &unique("pb"),
            &body,
        )
        .await?;
        let id = made.expect(201)?.number_at("/id")?;
        let again = json!({ "kind": "DEPOSIT", "currency": "NOK" });
        let refused = post(
            &pair.other_partner,
            "/secure/partner-balances",
            &unique("pb"),
            &again,
        )
        .await?;
        refused.expect_refusal(409, "PARTNER_BALANCE_EXISTS")?;
        let own = pair.operator("admin", Some("other-partner")).await?;
        own.get(&format!("/admin/partner-balances/{id}"))
            .await?
            .expect(200)?;
        let stranger = pair.operator("admin", Some("partner")).await?;
        stranger
            .get(&format!("/admin/partner-balances/{id}"))
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        Ok(())
    });
}
