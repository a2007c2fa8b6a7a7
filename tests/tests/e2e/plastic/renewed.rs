//! Cards with plastic near their end: the next plastic is ordered once, made, and takes over, with either process killed in
//! between; what fails, and what is removed meanwhile, leaves what was.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use deploy::actors::{Bureau, Card, CardDesk, Phone};
use deploy::stand::StandOptions;
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::vault_api::processor::Outcome;

use super::{PROGRAM, address, arrives, line_of, order, refused, said, token_of};
use crate::card_life::{DAY, days_pass, in_list, later, told, told_once};
use crate::content::{FullCard, is_masked};
use crate::pair::{Pair, engines, finished, run, scratch};

/// Days before the end at which the program does not order the next plastic yet, and at which it does.
const NOT_DUE: u64 = 46;
const DUE: u64 = 40;
const PIN: &str = "4711";

#[test]
fn plastic_goes_on_before_its_end() {
    run(async {
        let outcome = async {
            for database in engines("renewed_plastic").await? {
                let mut options = StandOptions::for_tests(&scratch("renewed-plastic")?)?;
                options.database = database;
                options.program.validity_months = 2;
                let mut pair = Pair::with(options).await?;
                let mut wallet = Wallet::with_plastic(&pair).await?;
                the_next_plastic_is_ordered_once(&mut pair, &mut wallet).await?;
                let lines = lines_of_what_is_made(&pair, &wallet).await?;
                a_physical_card_goes_on_when_it_is_activated(&mut pair, &wallet, &lines).await?;
                digital_first_goes_on_when_it_is_made(&mut pair, &mut wallet, &lines).await?;
                what_fails_and_what_is_removed_stays_what_it_was(&pair, &wallet, &lines).await?;
                pair.stand.auditor()?.verify().await?;
                pair.stand.stop().await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

/// A card with plastic, and what is known of it before its renewal.
struct Held {
    card: Card,
    before: FullCard,
    masked: String,
}

/// A user's cards, each with plastic in its holder's hands.
struct Wallet {
    prefix: String,
    phone: Phone,
    physical: Held,
    digital_first: Held,
    fails: Held,
    removed: Held,
    /// How many days ahead the clock is.
    day: u64,
}

impl Wallet {
    async fn with_plastic(pair: &Pair) -> Result<Self> {
        let bureau = pair.stand.bureau()?;
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let printed = desk.print_to(&holder.card, &address()).await?;
        let line = single(bureau.take_all(PROGRAM).await?)?;
        made_and_sent(&bureau, token_of(&line)?).await?;
        arrives(pair, &holder.prefix, token_of(&line)?, "SHIPPED").await?;
        let before = FullCard::of(&desk.reveal(&holder.card).await?.content)?;
        let digital_first = Held {
            before,
            masked: printed.text("maskedCardNo")?,
            card: holder.card,
        };
        let mut physical = Vec::new();
        for _ in 0..3 {
            let ordered = order(desk, "Ada O'Brien").await?;
            let line = single(bureau.take_all(PROGRAM).await?)?;
            made_and_sent(&bureau, token_of(&line)?).await?;
            arrives(pair, &holder.prefix, token_of(&line)?, "SHIPPED").await?;
            let card = Card::of(&ordered.content)?;
            desk.activate(&card).await?.expect(200)?;
            physical.push(Held {
                before: FullCard::of(&desk.reveal(&card).await?.content)?,
                masked: ordered.text("maskedCardNo")?,
                card,
            });
        }
        let mut next = || physical.pop().context("too few cards");
        let (physical, fails, removed) = (next()?, next()?, next()?);
        desk.set_pin(&physical.card, PIN).await?;
        Ok(Self {
            prefix: holder.prefix,
            phone: holder.phone,
            physical,
            digital_first,
            fails,
            removed,
            day: 0,
        })
    }

    const fn all(&self) -> [&Held; 4] {
        [&self.physical, &self.digital_first, &self.fails, &self.removed]
    }

    /// How many days from now the cards have left.
    fn days_left(&self) -> Result<u64> {
        let format = time::macros::format_description!("[year]-[month]-[day]");
        let end = time::Date::parse(&self.physical.before.exp, &format)?;
        Ok(u64::try_from((end - Clock::System.now().date()).whole_days())?)
    }
}

fn single(lines: Vec<Value>) -> Result<Value> {
    let [line] = <[Value; 1]>::try_from(lines).map_err(|lines| anyhow::anyhow!("{} orders", lines.len()))?;
    Ok(line)
}

async fn made_and_sent(bureau: &Bureau, token: &str) -> Result<()> {
    said(bureau, token, "confirm", json!({})).await?;
    said(bureau, token, "ship", json!({})).await
}

async fn verified(pair: &Pair, card: &FullCard) -> Result<Outcome> {
    pair.processor.cvv(&card.pan, &card.exp, &card.cvv).await
}

/// The vault is away while the renewals come due, and the gateway dies before it is back.
async fn the_next_plastic_is_ordered_once(pair: &mut Pair, wallet: &mut Wallet) -> Result<()> {
    let left = wallet.days_left()?;
    days_pass(pair, 0, left - NOT_DUE).await?;
    for held in wallet.all() {
        ensure!(told(&pair.partner, "card.renewal_ordered", held.card.id).await? == 0);
    }
    pair.stand.kill_vault().await?;
    wallet.day = left - DUE;
    pair.stand
        .set_clock_ahead(Duration::from_secs(wallet.day * DAY))?;
    pair.stand.kill_gateway().await?;
    pair.stand.start_vault().await?;
    pair.stand.unlock().await?;
    pair.stand.start_gateway().await?;
    let partner = pair.partner.cards(&wallet.prefix);
    for held in wallet.all() {
        let shown = in_list(&partner, &held.card, |item| item["nextExp"].is_string()).await?;
        is_masked(&shown)?;
        let exp = held.before.exp.as_str();
        ensure!(shown["state"] == "ACTIVE" && shown["exp"] == exp, "{shown}");
        ensure!(shown["delivery"]["renewal"] == true && shown["delivery"]["state"] == "ORDERED");
        ensure!(shown["nextExp"].as_str() > Some(exp), "{shown}");
        told_once(&pair.partner, "card.renewal_ordered", held.card.id).await?;
        ensure!(verified(pair, &held.before).await? == Outcome::Match, "{shown}");
    }
    Ok(())
}

/// What the bureau is given: not the plastic of a card that was removed meanwhile.
async fn lines_of_what_is_made(pair: &Pair, wallet: &Wallet) -> Result<Vec<Value>> {
    let removed = &wallet.removed.card;
    let path = format!(
        "/lifecycle/v1/users/{}/cards/{}",
        user_of(&wallet.prefix)?,
        removed.id
    );
    let call = pair.partner.door().call(Method::DELETE, &path);
    call.send().await?.expect(204)?;
    let lines = pair.stand.bureau()?.take_all(PROGRAM).await?;
    ensure!(lines.len() == 3, "{} lines", lines.len());
    for (held, kind) in [
        (&wallet.physical, "PHYSICAL"),
        (&wallet.digital_first, "PRINT"),
        (&wallet.fails, "PHYSICAL"),
    ] {
        let line = line_of(&lines, &held.masked)?;
        ensure!(
            line["kind"] == kind && line["renewal"] == true,
            "{}",
            line["kind"]
        );
        ensure!(line["cardNo"] == held.before.pan.as_str() && line["exp"] != held.before.exp.as_str());
        ensure!(
            line["deliveryAddress"]["city"] == "Warsaw",
            "not to the address on file"
        );
        let printed = kind == "PHYSICAL";
        ensure!(line["cvv2"].is_string() == printed && line["embossedName"].is_string() == printed);
    }
    Ok(lines)
}

fn user_of(prefix: &str) -> Result<&str> {
    prefix.rsplit('/').next().context("no user in the prefix")
}

fn next_of(lines: &[Value], held: &Held) -> Result<FullCard> {
    let line = line_of(lines, &held.masked)?;
    let text = |name: &str| {
        line[name]
            .as_str()
            .map(str::to_owned)
            .context("a member is missing")
    };
    Ok(FullCard {
        pan: text("cardNo")?,
        exp: text("exp")?,
        cvv: text("cvv2")?,
    })
}

async fn a_physical_card_goes_on_when_it_is_activated(
    pair: &mut Pair,
    wallet: &Wallet,
    lines: &[Value],
) -> Result<()> {
    let (bureau, held) = (pair.stand.bureau()?, &wallet.physical);
    let next = next_of(lines, held)?;
    let token = token_of(line_of(lines, &held.masked)?)?;
    refused(
        &pair.partner.cards(&wallet.prefix).activate(&held.card).await?,
        409,
        "ALREADY_ACTIVE",
    )?;
    // The gateway is away while the bureau speaks, and the vault dies after it.
    pair.stand.kill_gateway().await?;
    said(&bureau, token, "confirm", json!({})).await?;
    pair.stand.kill_vault().await?;
    pair.stand.start_vault().await?;
    pair.stand.unlock().await?;
    pair.stand.start_gateway().await?;
    said(&bureau, token, "ship", json!({})).await?;
    arrives(pair, &wallet.prefix, token, "SHIPPED").await?;
    ensure!(
        verified(pair, &held.before).await? == Outcome::Match,
        "the old one is in use"
    );
    ensure!(
        verified(pair, &next).await? == Outcome::NoMatch,
        "the next one is not"
    );
    let partner = pair.partner.cards(&wallet.prefix);
    said(&bureau, token, "return", json!({ "reason": "UNCLAIMED" })).await?;
    arrives(pair, &wallet.prefix, token, "RETURNED").await?;
    refused(&partner.activate(&held.card).await?, 409, "CARD_RETURNED")?;
    said(&bureau, token, "ship", json!({})).await?;
    arrives(pair, &wallet.prefix, token, "SHIPPED").await?;
    let shown = in_list(&partner, &held.card, |_| true).await?;
    let allowed = shown["allowedActions"].as_array().context("no actions")?;
    ensure!(allowed.contains(&json!("ACTIVATE")), "{shown}");
    activated_once(pair, &partner, held, &next).await
}

/// The next plastic is in its holder's hands.
async fn activated_once(pair: &Pair, partner: &CardDesk<'_>, held: &Held, next: &FullCard) -> Result<()> {
    let path = format!("/cards/{}/activate", held.card.id);
    let key = "activate-next";
    let activate = async || {
        partner
            .call(Method::POST, &path)
            .idempotency_key(key)
            .send()
            .await
    };
    let first = activate().await?.expect(200)?;
    let again = activate().await?.expect(200)?;
    ensure!(first.body == again.body, "another answer to the same request");
    let shown = first.json()?;
    is_masked(&shown)?;
    ensure!(
        shown["state"] == "ACTIVE" && shown["exp"] == next.exp.as_str(),
        "{shown}"
    );
    ensure!(shown.get("nextExp").is_none(), "{shown}");
    ensure!(
        verified(pair, &held.before).await? == Outcome::NoMatch,
        "the old code works on"
    );
    ensure!(
        verified(pair, next).await? == Outcome::Match,
        "the new code does not work"
    );
    let pin = pair.processor.pin(&next.pan, PIN).await?;
    ensure!(pin.outcome == Outcome::Match, "another PIN");
    refused(&partner.activate(&held.card).await?, 409, "ALREADY_ACTIVE")?;
    told_once(&pair.partner, "card.renewed", held.card.id).await
}

async fn digital_first_goes_on_when_it_is_made(
    pair: &mut Pair,
    wallet: &mut Wallet,
    lines: &[Value],
) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let token = token_of(line_of(lines, &wallet.digital_first.masked)?)?;
    let key = "confirm-next";
    let first = bureau.say_again(token, "confirm", &json!({}), key).await?;
    pair.stand.kill_gateway().await?;
    pair.stand.kill_vault().await?;
    pair.stand.start_vault().await?;
    pair.stand.unlock().await?;
    let again = bureau.say_again(token, "confirm", &json!({}), key).await?;
    ensure!(first.expect(200)?.body == again.expect(200)?.body);
    pair.stand.start_gateway().await?;
    let held = &wallet.digital_first;
    let partner = pair.partner.cards(&wallet.prefix);
    let shown = in_list(&partner, &held.card, |item| {
        item["exp"] != held.before.exp.as_str()
    })
    .await?;
    ensure!(
        shown["type"] == "DIGITAL_FIRST" && shown["state"] == "ACTIVE",
        "{shown}"
    );
    ensure!(shown.get("nextExp").is_none(), "{shown}");
    told_once(&pair.partner, "card.renewed", held.card.id).await?;
    refused(&partner.activate(&held.card).await?, 409, "CARD_NOT_PHYSICAL")?;

    wallet.phone.log_in().await?;
    let (phone, held) = (wallet.phone.cards(), &wallet.digital_first);
    let proof = later(phone.proof("reveal", &held.card).await?, wallet.day);
    let answer = phone
        .reveal_with(&held.card, Some(&proof.sign(phone.signer())?))
        .await?;
    let after = FullCard::of(&phone.open(answer, 200, Some(&proof))?.content)?;
    ensure!(after.pan == held.before.pan && shown["exp"] == after.exp.as_str());
    ensure!(verified(pair, &after).await? == Outcome::Match);
    ensure!(
        verified(pair, &held.before).await? == Outcome::NoMatch,
        "the old end works on"
    );
    Ok(())
}

async fn what_fails_and_what_is_removed_stays_what_it_was(
    pair: &Pair,
    wallet: &Wallet,
    lines: &[Value],
) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let token = token_of(line_of(lines, &wallet.fails.masked)?)?;
    said(&bureau, token, "fail", json!({ "reason": "PERSONALISATION" })).await?;
    let partner = pair.partner.cards(&wallet.prefix);
    let shown = in_list(&partner, &wallet.fails.card, |item| item.get("nextExp").is_none()).await?;
    ensure!(shown["state"] == "ACTIVE" && shown["exp"] == wallet.fails.before.exp.as_str());
    ensure!(shown["delivery"]["state"] == "FAILED", "{shown}");
    ensure!(verified(pair, &wallet.fails.before).await? == Outcome::Match);
    refused(
        &partner.activate(&wallet.fails.card).await?,
        409,
        "ALREADY_ACTIVE",
    )?;
    told_once(&pair.partner, "card.delivery_failed", wallet.fails.card.id).await?;

    refused(
        &partner.activate(&wallet.removed.card).await?,
        409,
        "CARD_REMOVED",
    )?;
    ensure!(verified(pair, &wallet.removed.before).await? == Outcome::NoMatch);
    ensure!(told(&pair.partner, "card.renewed", wallet.removed.card.id).await? == 0);
    Ok(())
}
