//! Who saw my card (row 26): on each channel, by which key, and nobody else's.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::pair::{Holder, Pair, on_each_engine};

async fn items(answer: deploy::answer::Answer) -> Result<Vec<Value>> {
    let page = answer.expect(200)?.json()?;
    page["items"].as_array().cloned().context("no items")
}

/// The holder's own view.
async fn mine(holder: &Holder, query: &str) -> Result<deploy::answer::Answer> {
    holder
        .phone
        .cards()
        .call(reqwest::Method::GET, &format!("/reveals{query}"))
        .send()
        .await
}

#[test]
fn each_answer_with_card_data_is_told_on_every_channel_with_the_key_that_proved_it() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        ensure!(
            items(mine(&holder, "").await?).await?.is_empty(),
            "nobody saw it yet"
        );

        let cards = holder.phone.cards();
        let revealed = cards.reveal(&holder.card).await?;
        let index = revealed
            .answer
            .header("Audit-Index")
            .context("no index")?
            .to_owned();
        cards.reset_cvv(&holder.card).await?;
        let proven = cards
            .create_proven(cards.first_balance().await?, "Second")
            .await?;
        let second = proven.content["id"].clone();

        let seen = items(mine(&holder, "").await?).await?;
        let told: Vec<_> = seen
            .iter()
            .map(|item| item["operation"].as_str().unwrap_or_default())
            .collect();
        ensure!(told == ["REVEAL", "RESET_CVV", "ISSUE"], "{seen:?}");
        let first = seen.first().context("nothing")?;
        ensure!(
            first["auditIndex"].as_u64() == index.parse().ok(),
            "{first} is not event {index}"
        );
        ensure!(
            first["provenBy"] == "USER"
                && first["cardId"] == holder.card.id
                && first["channel"] == "customers",
            "{first}"
        );
        ensure!(
            first["installationId"].is_u64() && first["keyThumbprint"].is_string(),
            "{first}"
        );

        let paged = mine(&holder, "?limit=2").await?.expect(200)?.json()?;
        let cursor = paged["nextCursor"].as_str().context("no next page")?;
        let rest = items(mine(&holder, &format!("?limit=2&cursor={cursor}")).await?).await?;
        ensure!(
            rest.len() == 1 && rest.first().is_some_and(|item| item["cardId"] == second),
            "{rest:?}"
        );
        let one = items(mine(&holder, &format!("?cardId={second}")).await?).await?;
        ensure!(one.len() == 1, "{one:?}");
        others(pair, &holder).await
    });
}

async fn others(pair: &Pair, holder: &Holder) -> Result<()> {
    let path = format!("{}/reveals", holder.prefix);
    ensure!(
        items(pair.partner.door().get(&path).await?).await?.len() == 3,
        "the partner's view"
    );
    pair.other_partner
        .door()
        .get(&path)
        .await?
        .expect_refusal(404, "NOT_FOUND")?;

    let path = format!("/admin/cards/{}/reveals", holder.card.id);
    let employee = pair.operator("employee", Some("partner")).await?;
    ensure!(
        items(employee.get(&path).await?).await?.len() == 2,
        "the operator's view"
    );
    let other = pair.operator("admin", Some("other-partner")).await?;
    other.get(&path).await?.expect_refusal(404, "NOT_FOUND")?;

    let stranger = pair.holder().await?;
    ensure!(
        items(mine(&stranger, "").await?).await?.is_empty(),
        "somebody else's"
    );
    let theirs = mine(&stranger, &format!("?cardId={}", holder.card.id)).await?;
    theirs.expect_refusal(404, "NOT_FOUND")?;
    Ok(())
}
