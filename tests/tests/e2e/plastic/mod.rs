//! Rows 8, 9, 10 and 12 of the contract: plastic from the order to the holder's hand, with the real bureau's door in between.
//! Pairs of their own: the bureau takes whatever waits, and days pass.

mod doors;
mod kills;
mod late;
mod orders;
mod renewed;
mod replaced;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use deploy::actors::{Bureau, Card, CardDesk, Opened, PartnerServer};
use deploy::answer::Answer;
use deploy::stand::StandOptions;
use serde_json::{Value, json};
use shared::vault_api::processor::{Outcome, OutsideOutcome};
use tokio::time::{Instant, sleep};

use crate::content::is_masked;
use crate::pair::{Pair, engines, finished, run, scratch};

const PROGRAM: &str = "demo-eur";
/// For what the vault tells to arrive at the gateway, restarts of one of them included.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

fn address() -> Value {
    json!({ "line1": "1 Harbour Street", "city": "Vilnius", "postalCode": "LT-01001", "country": "LT" })
}

/// Orders a card through a desk.
async fn order(desk: CardDesk<'_>, name: &str) -> Result<Opened> {
    desk.order_physical(desk.first_balance().await?, name, &address())
        .await
}

/// The line of a card's order among those of a batch.
fn line_of<'a>(lines: &'a [Value], masked: &str) -> Result<&'a Value> {
    let tail = &masked[masked.len() - 4..];
    let of = |line: &&Value| {
        let pan = line["cardNo"].as_str().unwrap_or_default();
        pan.ends_with(tail) && pan.starts_with(&masked[..6])
    };
    lines.iter().find(of).context("the batch lacks the order")
}

fn token_of(line: &Value) -> Result<&str> {
    line["order"].as_str().context("a line without its order")
}

/// What the partner is shown of the order.
async fn delivery(pair: &Pair, prefix: &str, order: &str) -> Result<Value> {
    let listed = pair.partner.cards(prefix).orders().await?.expect(200)?.json()?;
    let items = listed["items"].as_array().context("no items")?;
    let found = items.iter().find(|item| item["order"] == order);
    found
        .cloned()
        .with_context(|| format!("{order} is not listed: {listed}"))
}

/// Waits until the order is in that state at the gateway.
async fn arrives(pair: &Pair, prefix: &str, order: &str, state: &str) -> Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = delivery(pair, prefix, order).await?;
        if seen["state"] == state {
            return Ok(seen);
        }
        ensure!(Instant::now() < deadline, "still {seen}, not {state}");
        sleep(LOOK_AGAIN).await;
    }
}

async fn is_shown(desk: CardDesk<'_>, card: &Card) -> Result<Option<Value>> {
    let listed = desk.list().await?.expect(200)?.json()?;
    let items = listed["items"].as_array().context("no items")?;
    Ok(items.iter().find(|item| item["id"] == card.id).cloned())
}

async fn said(bureau: &Bureau, order: &str, verb: &str, body: Value) -> Result<()> {
    bureau.say(order, verb, &body).await?.expect(200).map(drop)
}

fn refused(answer: &Answer, status: u16, code: &str) -> Result<()> {
    ensure!(
        answer.refusal() == (status, code.to_owned()),
        "not {code}: {answer}"
    );
    Ok(())
}

#[test]
fn plastic_goes_from_the_order_to_the_holders_hand() {
    run(async {
        let outcome = async {
            for database in engines("plastic").await? {
                let mut options = StandOptions::for_tests(&scratch("plastic")?)?;
                options.database = database;
                let mut pair = Pair::with(options).await?;
                a_card_is_made_sent_and_activated(&pair).await?;
                what_is_locked_on_its_way_arrives_locked(&pair).await?;
                what_fails_leaves_nobody_with_half_a_card(&pair).await?;
                digital_first_is_followed_too(&pair).await?;
                orders::a_bad_order_is_no_order(&pair).await?;
                orders::operators_order_and_activate(&pair).await?;
                doors::the_bureaus_door_is_the_bureaus(&pair).await?;
                replaced::a_lost_card_is_ordered_anew_in_its_place_once(&pair).await?;
                replaced::a_manager_replaces_what_is_worn(&pair).await?;
                late::a_late_bureau_is_told_of_and_still_links(&pair).await?;
                pair.stand.auditor()?.verify().await?;
                pair.stand.stop().await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

async fn a_card_is_made_sent_and_activated(pair: &Pair) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let (user, phone) = pair.user().await?;
    let prefix = PartnerServer::prefix(user);
    for desk in [phone.cards(), pair.partner.cards(&prefix)] {
        let ordered = order(desk, "Ada O'Brien").await?;
        is_masked(&ordered.content)?;
        ensure!(ordered.text("type")? == "PHYSICAL" && ordered.text("state")? == "ORDERED");
        ensure!(
            ordered.content["allowedActions"] == json!([]),
            "{}",
            ordered.content
        );
        let card = Card::of(&ordered.content)?;
        // Nobody is shown a card that is not made; what is ordered the partner sees.
        ensure!(
            is_shown(desk, &card).await?.is_none(),
            "an ordered card is listed"
        );
        refused(&desk.activate(&card).await?, 404, "NOT_FOUND")?;
        refused(&desk.reveal_with(&card, None).await?, 404, "NOT_FOUND")?;
        refused(&desk.lock(&card, 3).await?, 404, "NOT_FOUND")?;

        let lines = bureau.take_all(PROGRAM).await?;
        let line = line_of(&lines, &ordered.text("maskedCardNo")?)?;
        let token = token_of(line)?;
        ensure!(line["embossedName"] == "ADA O'BRIEN" && line["deliveryAddress"] == address());
        ensure!(line["kind"] == "PHYSICAL" && line["exp"] == ordered.text("exp")?);
        let [pan, exp, cvv] = ["cardNo", "exp", "cvv2"].map(|name| line[name].as_str().unwrap_or_default());
        ensure!(
            pair.processor.cvv(pan, exp, cvv).await? == Outcome::Match,
            "another CVV2"
        );
        arrives(pair, &prefix, token, "IN_PRODUCTION").await?;
        refused(&bureau.say(token, "ship", &json!({})).await?, 409, "ORDER_STATE")?;

        said(&bureau, token, "confirm", json!({})).await?;
        arrives(pair, &prefix, token, "CONFIRMED").await?;
        let shown = is_shown(desk, &card)
            .await?
            .context("a linked card is not listed")?;
        is_masked(&shown)?;
        ensure!(
            shown["state"] == "INACTIVE" && shown["delivery"]["state"] == "CONFIRMED",
            "{shown}"
        );
        ensure!(shown["delivery"]["overdue"] == false, "{shown}");
        refused(
            &bureau.say(token, "confirm", &json!({})).await?,
            409,
            "ORDER_STATE",
        )?;

        sent_returned_and_sent_again(pair, desk, &card, (&prefix, token)).await?;

        let activated = desk.activate(&card).await?.expect(200)?.json()?;
        is_masked(&activated)?;
        ensure!(activated["state"] == "ACTIVE", "{activated}");
        refused(&desk.activate(&card).await?, 409, "ALREADY_ACTIVE")?;
        let full = desk.reveal(&card).await?;
        ensure!(full.text("cardNo")? == pan, "the plastic has another number");
    }
    Ok(())
}

async fn sent_returned_and_sent_again(
    pair: &Pair,
    desk: CardDesk<'_>,
    card: &Card,
    (prefix, token): (&str, &str),
) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let letter = json!({ "carrier": "Post", "trackingReference": "LT-77" });
    said(&bureau, token, "ship", letter).await?;
    arrives(pair, prefix, token, "SHIPPED").await?;
    said(&bureau, token, "return", json!({ "reason": "UNCLAIMED" })).await?;
    let back = arrives(pair, prefix, token, "RETURNED").await?;
    ensure!(back["reason"] == "UNCLAIMED", "{back}");
    refused(&desk.activate(card).await?, 409, "CARD_RETURNED")?;
    said(&bureau, token, "ship", json!({})).await?;
    arrives(pair, prefix, token, "SHIPPED").await.map(drop)
}

/// The processor knows a card by its number before its holder does.
async fn what_is_locked_on_its_way_arrives_locked(pair: &Pair) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let (user, phone) = pair.user().await?;
    let (desk, prefix) = (phone.cards(), PartnerServer::prefix(user));
    let ordered = [order(desk, "Ada").await?, order(desk, "Bea").await?];
    let lines = bureau.take_all(PROGRAM).await?;
    for (ordered, code) in ordered.iter().zip([7, 2]) {
        let card = Card::of(&ordered.content)?;
        let line = line_of(&lines, &ordered.text("maskedCardNo")?)?;
        let (pan, token) = (line["cardNo"].as_str().context("no number")?, token_of(line)?);
        arrives(pair, &prefix, token, "IN_PRODUCTION").await?;
        ensure!(pair.processor.lock(pan, code).await?.outcome == OutsideOutcome::Done);
        ensure!(
            is_shown(desk, &card).await?.is_none(),
            "a lock brought an ordered card to light"
        );
        said(&bureau, token, "confirm", json!({})).await?;
        arrives(pair, &prefix, token, "CONFIRMED").await?;
        let shown = is_shown(desk, &card)
            .await?
            .context("a linked card is not listed")?;
        ensure!(
            shown["state"] == "LOCKED"
                && shown["lock"]["reasonCode"] == code
                && shown["lock"]["placedBy"] == "PROCESSOR",
            "{shown}"
        );
        let refusal = if code == 2 {
            "LOCK_IRREVERSIBLE"
        } else {
            "CARD_LOCKED"
        };
        refused(&desk.activate(&card).await?, 409, refusal)?;
    }
    Ok(())
}

async fn what_fails_leaves_nobody_with_half_a_card(pair: &Pair) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let (user, phone) = pair.user().await?;
    let prefix = PartnerServer::prefix(user);
    let desk = phone.cards();
    let (early, late) = (order(desk, "Ada").await?, order(desk, "Bea").await?);
    let lines = bureau.take_all(PROGRAM).await?;
    let early_order = token_of(line_of(&lines, &early.text("maskedCardNo")?)?)?;
    let late_order = token_of(line_of(&lines, &late.text("maskedCardNo")?)?)?;
    let closed = json!({ "reason": "CARD_CLOSED" });
    refused(
        &bureau.say(early_order, "fail", &closed).await?,
        422,
        "VALIDATION_FAILED",
    )?;
    said(&bureau, early_order, "fail", json!({ "reason": "MATERIAL" })).await?;
    said(&bureau, late_order, "confirm", json!({})).await?;
    said(&bureau, late_order, "fail", json!({ "reason": "LOST" })).await?;
    arrives(pair, &prefix, early_order, "FAILED").await?;
    arrives(pair, &prefix, late_order, "FAILED").await?;
    ensure!(
        is_shown(desk, &Card::of(&early.content)?).await?.is_none(),
        "a card that was never made is shown"
    );
    let lost = Card::of(&late.content)?;
    let shown = is_shown(desk, &lost).await?.context("a linked card is gone")?;
    ensure!(
        shown["state"] == "INACTIVE" && shown["delivery"]["reason"] == "LOST",
        "{shown}"
    );
    refused(&desk.activate(&lost).await?, 409, "CARD_RETURNED")?;
    // The vault has closed what was never made: its number verifies no more.
    let line = line_of(&lines, &early.text("maskedCardNo")?)?;
    let [pan, exp, cvv] = ["cardNo", "exp", "cvv2"].map(|name| line[name].as_str().unwrap_or_default());
    ensure!(pair.processor.cvv(pan, exp, cvv).await? == Outcome::NoMatch);
    Ok(())
}

async fn digital_first_is_followed_too(pair: &Pair) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let holder = pair.holder().await?;
    let desk = holder.phone.cards();
    let printed = desk.print_to(&holder.card, &address()).await?;
    ensure!(printed.text("state")? == "ACTIVE");
    let lines = bureau.take_all(PROGRAM).await?;
    let line = line_of(&lines, &printed.text("maskedCardNo")?)?;
    ensure!(line["kind"] == "PRINT" && line.get("cvv2").is_none(), "{line}");
    ensure!(line.get("embossedName").is_none() && line["deliveryAddress"] == address());
    let token = token_of(line)?;
    refused(&desk.activate(&holder.card).await?, 409, "CARD_NOT_PHYSICAL")?;
    // It could not be made: the card is virtual again, and plastic is ordered anew.
    said(&bureau, token, "fail", json!({ "reason": "PERSONALISATION" })).await?;
    arrives(pair, &holder.prefix, token, "FAILED").await?;
    let shown = is_shown(desk, &holder.card).await?.context("the card is gone")?;
    ensure!(
        shown["type"] == "VIRTUAL" && shown["state"] == "ACTIVE",
        "{shown}"
    );
    desk.print_to(&holder.card, &address()).await?;
    let lines = bureau.take_all(PROGRAM).await?;
    let again = token_of(line_of(&lines, &printed.text("maskedCardNo")?)?)?;
    ensure!(again != token);
    said(&bureau, again, "confirm", json!({})).await?;
    said(&bureau, again, "ship", json!({ "carrier": "Post" })).await?;
    arrives(pair, &holder.prefix, again, "SHIPPED").await?;
    let shown = is_shown(desk, &holder.card).await?.context("the card is gone")?;
    ensure!(
        shown["type"] == "DIGITAL_FIRST" && shown["state"] == "ACTIVE",
        "{shown}"
    );
    ensure!(
        shown["delivery"]["order"] == again && shown["delivery"]["carrier"] == "Post",
        "{shown}"
    );
    Ok(())
}
