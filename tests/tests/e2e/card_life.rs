//! The life of a card: asked for now and made later, replaced, renewed, expired, locked outside, erased by an officer; with
//! the events that partners are told, and with either process killed in between.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use certs::Ca;
use deploy::actors::{Card, CardDesk, HolderProof, PartnerServer};
use deploy::answer::Answer;
use deploy::stand::StandOptions;
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::{Clock, ManualClock};
use shared::ids::CardToken;
use shared::vault_api::paths;
use shared::vault_api::processor::{Outcome, OutsideOutcome};
use tokio::time::{Instant, sleep};

use crate::content::FullCard;
use crate::pair::{Holder, Pair, engines, finished, on_each_engine, run, scratch};
use crate::renewal::lists_are_read;
use crate::webhooks::listed;

/// How long the jobs may take, a busy machine included.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
pub(crate) const DAY: u64 = 24 * 3600;

/// A pair of the test's own on every engine.
fn on_own_pairs(
    purpose: &str,
    adjust: impl Fn(&mut StandOptions),
    test: impl AsyncFn(&mut Pair) -> Result<()>,
) {
    run(async {
        let outcome = async {
            for database in engines(purpose).await? {
                let mut options = StandOptions::for_tests(&scratch(purpose)?)?;
                options.database = database;
                adjust(&mut options);
                let mut pair = Pair::with(options).await?;
                test(&mut pair).await?;
                pair.stand.stop().await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

async fn ask(desk: &CardDesk<'_>, balance: u64, key: &str) -> Result<Answer> {
    let call = desk
        .call(Method::POST, "/cards/virtual/async")
        .idempotency_key(key);
    call.json(&json!({ "balanceId": balance, "name": "Later" }))
        .send()
        .await
}

/// Waits until `path` shows what is wanted.
async fn shows(desk: &CardDesk<'_>, path: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = desk.call(Method::GET, path).send().await?;
        let found = answer.json().unwrap_or_default();
        if answer.status == 200 && wanted(&found) {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("{path} stays {found}");
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn settled(desk: &CardDesk<'_>, request: u64) -> Result<Value> {
    shows(desk, &format!("/cards/requests/{request}"), |found| {
        found["status"] != "PENDING"
    })
    .await
}

/// The card as the list shows it.
pub(crate) async fn in_list(
    desk: &CardDesk<'_>,
    card: &Card,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let of = |page: &Value| -> Option<Value> {
        let items = page["items"].as_array()?;
        items.iter().find(|item| item["id"] == card.id).cloned()
    };
    let page = shows(desk, "/cards", |page| of(page).is_some_and(|item| wanted(&item))).await?;
    of(&page).context("the card is not in the list")
}

/// How often the partner was told this of the card.
pub(crate) async fn told(partner: &PartnerServer, kind: &str, card: u64) -> Result<usize> {
    let events = listed(partner).await?;
    let of_card = events
        .iter()
        .filter(|event| event["type"] == kind && event["data"]["cardId"] == card);
    Ok(of_card.count())
}

pub(crate) async fn told_once(partner: &PartnerServer, kind: &str, card: u64) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while told(partner, kind, card).await? == 0 {
        ensure!(Instant::now() < deadline, "nobody was told {kind} of {card}");
        sleep(LOOK_AGAIN).await;
    }
    ensure!(
        told(partner, kind, card).await? == 1,
        "{kind} of {card} was told twice"
    );
    Ok(())
}

#[test]
fn a_card_is_asked_for_now_and_made_soon() {
    on_each_engine(async |pair| {
        let (user, phone) = pair.user().await?;
        let prefix = PartnerServer::prefix(user);
        let partner = pair.partner.cards(&prefix);
        for desk in [phone.cards(), partner] {
            let balance = desk.first_balance().await?;
            let key = format!(
                "later-{}",
                desk.list().await?.json()?["items"].as_array().map_or(0, Vec::len)
            );
            let first = ask(&desk, balance, &key).await?.expect(202)?;
            let again = ask(&desk, balance, &key).await?.expect(202)?;
            ensure!(first.body == again.body, "another answer to the same request");
            let request = first.number_at("/requestId")?;
            let done = settled(&desk, request).await?;
            ensure!(done["status"] == "DONE", "{done}");
            let id = done["cardId"].as_u64().context("no cardId")?;
            told_once(&pair.partner, "card.created", id).await?;
            // Whoever of the two asked, both may ask what became of it; nobody else.
            for other in [phone.cards(), partner] {
                ensure!(settled(&other, request).await? == done);
            }
            let (_, stranger) = pair.user().await?;
            let path = format!("/cards/requests/{request}");
            let refused = stranger.cards().call(Method::GET, &path).send().await?;
            refused.expect_refusal(404, "NOT_FOUND")?;
        }
        let listed = partner.list().await?.expect(200)?.json()?;
        ensure!(listed["items"].as_array().map(Vec::len) == Some(2), "{listed}");
        ask(&partner, 999_999, "nobodys")
            .await?
            .expect_refusal(404, "NOT_FOUND")?;
        let unknown = pair
            .partner
            .create_user(&deploy::actors::NewUser::sample()?)
            .await?;
        let unknown = PartnerServer::prefix(unknown.expect(201)?.number_at("/id")?);
        let early = ask(&pair.partner.cards(&unknown), 1, "early").await?;
        early.expect_refusal(409, "KYC_REQUIRED")?;
        Ok(())
    });
}

#[test]
fn neither_kill_loses_or_doubles_a_card_that_was_asked_for() {
    on_own_pairs(
        "card_later",
        |_| (),
        async |pair| {
            let user = pair.partner.accepted_user().await?;
            let prefix = PartnerServer::prefix(user);
            let balance = pair.partner.cards(&prefix).first_balance().await?;
            let mut requests = Vec::new();
            for round in 0..3 {
                // The vault dies first, so that what is asked for waits; then the gateway, with the work written down.
                pair.stand.kill_vault().await?;
                for number in 0..2 {
                    let key = format!("killed-{round}-{number}");
                    let answer = ask(&pair.partner.cards(&prefix), balance, &key)
                        .await?
                        .expect(202)?;
                    requests.push(answer.number_at("/requestId")?);
                }
                if round > 0 {
                    pair.stand.kill_gateway().await?;
                }
                pair.stand.start_vault().await?;
                pair.stand.unlock().await?;
                if round > 0 {
                    pair.stand.start_gateway().await?;
                }
            }
            let desk = pair.partner.cards(&prefix);
            for request in &requests {
                let done = settled(&desk, *request).await?;
                let card = done["cardId"].as_u64().with_context(|| done.to_string())?;
                told_once(&pair.partner, "card.created", card).await?;
            }
            let listed = desk.list().await?.expect(200)?.json()?;
            let cards = listed["items"].as_array().context("no items")?.len();
            ensure!(
                cards == requests.len(),
                "{cards} cards for {} requests",
                requests.len()
            );
            Ok(())
        },
    );
}

#[test]
fn what_the_vault_refuses_is_told_as_failed() {
    let adjust = |options: &mut StandOptions| options.program.budgets.issues_per_holder = 1;
    on_own_pairs("card_refused", adjust, async |pair| {
        let user = pair.partner.accepted_user().await?;
        let prefix = PartnerServer::prefix(user);
        let desk = pair.partner.cards(&prefix);
        let balance = desk.first_balance().await?;
        let first = ask(&desk, balance, "first")
            .await?
            .expect(202)?
            .number_at("/requestId")?;
        ensure!(settled(&desk, first).await?["status"] == "DONE");
        let second = ask(&desk, balance, "second")
            .await?
            .expect(202)?
            .number_at("/requestId")?;
        // While an earlier try might be the cause of the refusal it is waited for: a minute of the virtual clock, from a first
        // try on that may not have been made yet.
        let path = format!("/cards/requests/{second}");
        let deadline = Instant::now() + PATIENCE;
        let mut ahead = Duration::ZERO;
        let failed = loop {
            let found = desk.call(Method::GET, &path).send().await?.expect(200)?.json()?;
            if found["status"] != "PENDING" {
                break found;
            }
            ensure!(Instant::now() < deadline, "{found}");
            ahead += Duration::from_secs(5);
            pair.stand.set_clock_ahead(ahead)?;
            sleep(LOOK_AGAIN).await;
        };
        ensure!(
            failed["status"] == "FAILED" && failed["code"] == "TOO_MANY_REQUESTS",
            "{failed}"
        );
        let events = listed(&pair.partner).await?;
        let of_request = events
            .iter()
            .filter(|event| event["type"] == "card.request_failed" && event["data"]["requestId"] == second);
        ensure!(of_request.count() == 1, "{events:?}");
        Ok(())
    });
}

async fn replace(desk: &CardDesk<'_>, card: &Card) -> Result<Answer> {
    let call = desk.post(&format!("/cards/{}/replace", card.id))?;
    call.enc(desk.receiving()).send().await
}

#[test]
fn a_lost_card_gives_its_place_to_another_once() {
    on_each_engine(async |pair| {
        for code in [1_u8, 2, 8] {
            let holder = pair.holder().await?;
            let (phone, partner) = (holder.phone.cards(), pair.partner.cards(&holder.prefix));
            let refused = replace(&phone, &holder.card).await?;
            refused.expect_refusal(409, "NOT_REPLACEABLE")?;
            phone.lock(&holder.card, code).await?.expect(200)?;
            let locked = in_list(&partner, &holder.card, |_| true).await?;
            ensure!(
                locked["allowedActions"] == json!(["REPLACE", "REMOVE"]),
                "{locked}"
            );
            let key = format!("replace-{code}");
            let proof = HolderProof::new("issue", &key, &phone.holder_nonce().await?, phone.receiving())?;
            let path = format!("/cards/{}/replace", holder.card.id);
            let call = phone
                .call(Method::POST, &path)
                .idempotency_key(&key)
                .enc(phone.receiving());
            let answer = call
                .header("Holder-Proof", &proof.sign(phone.signer())?)
                .send()
                .await?;
            let made = phone.open(answer, 201, Some(&proof))?;
            let new = Card::of(&made.content)?;
            ensure!(made.content["replaces"] == holder.card.id, "{}", made.content);
            ensure!(made.text("cardNo")?.len() == 16);
            let old = in_list(&partner, &holder.card, |_| true).await?;
            ensure!(
                old["replacedBy"] == new.id && old["allowedActions"] == json!(["REMOVE"]),
                "{old}"
            );
            ensure!(
                old["maskedCardNo"] != made.content["maskedCardNo"]
                    && old["balanceId"] == made.content["balanceId"]
            );
            replace(&partner, &holder.card)
                .await?
                .expect_refusal(409, "ALREADY_REPLACED")?;
            told_once(&pair.partner, "card.replaced", holder.card.id).await?;
            told_once(&pair.partner, "card.locked", holder.card.id).await?;
            FullCard::of(&phone.reveal(&new).await?.content)?;
        }
        let holder = pair.holder().await?;
        let phone = holder.phone.cards();
        phone.lock(&holder.card, 5).await?.expect(200)?;
        replace(&phone, &holder.card)
            .await?
            .expect_refusal(409, "LOCK_IRREVERSIBLE")?;
        Ok(())
    });
}

/// Moves the clock of both so many days ahead, by steps that no revocation list outlives.
pub(crate) async fn days_pass(pair: &Pair, from: u64, to: u64) -> Result<()> {
    let mut day = from;
    while day < to {
        day = (day + 15).min(to);
        pair.stand.set_clock_ahead(Duration::from_secs(day * DAY))?;
        let then = Clock::System.now() + Duration::from_secs(day * DAY);
        let clock = Clock::Manual(ManualClock::starting_at(then));
        for ca in [Ca::Internal, Ca::Partner] {
            pair.stand.certificates().authority(ca, &clock)?.publish_crl()?;
        }
        lists_are_read(pair, then).await?;
    }
    Ok(())
}

/// The proof of a phone whose clock is so many days ahead.
pub(crate) fn later(mut proof: HolderProof, days: u64) -> HolderProof {
    let then = Clock::System.now() + Duration::from_secs(days * DAY);
    proof
        .claims
        .insert("iat".to_owned(), json!(then.unix_timestamp()));
    proof
}

#[test]
fn a_virtual_card_goes_on_by_itself_and_one_that_may_not_expires() {
    let adjust = |options: &mut StandOptions| options.program.validity_months = 1;
    on_own_pairs("card_age", adjust, async |pair| {
        let mut holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let stays = Card::of(
            &desk
                .create(desk.first_balance().await?, "Not renewed")
                .await?
                .content,
        )?;
        let before = FullCard::of(&desk.reveal(&holder.card).await?.content)?;
        let off = desk.call(Method::PUT, &format!("/cards/{}/renewal", stays.id));
        let off = off
            .json(&json!({ "automatic": false }))
            .send()
            .await?
            .expect(200)?;
        ensure!(off.json()?["automaticRenewal"] == false, "{off}");
        let today = Clock::System.now().date();
        let end = {
            let format = time::macros::format_description!("[year]-[month]-[day]");
            time::Date::parse(&before.exp, &format)?
        };
        let left = u64::try_from((end - today).whole_days())?;
        days_pass(pair, 0, left - 5).await?;
        let partner = pair.partner.cards(&holder.prefix);
        let renewed = in_list(&partner, &holder.card, |item| item["exp"] != before.exp.as_str()).await?;
        ensure!(renewed["state"] == "ACTIVE", "{renewed}");
        told_once(&pair.partner, "card.renewed", holder.card.id).await?;
        pair.stand.kill_gateway().await?;
        pair.stand.start_gateway().await?;
        holder.phone.log_in().await?;
        let phone = holder.phone.cards();
        let proof = later(phone.proof("reveal", &holder.card).await?, left - 5);
        let answer = phone
            .reveal_with(&holder.card, Some(&proof.sign(phone.signer())?))
            .await?;
        let after = FullCard::of(&phone.open(answer, 200, Some(&proof))?.content)?;
        ensure!(
            after.pan == before.pan && after.exp != before.exp,
            "{} {}",
            before.exp,
            after.exp
        );
        let verify = async |card: &FullCard| pair.processor.cvv(&card.pan, &card.exp, &card.cvv).await;
        ensure!(
            verify(&before).await? == Outcome::NoMatch,
            "the old end still works"
        );
        ensure!(
            verify(&after).await? == Outcome::Match,
            "the new end does not work"
        );
        let kept = in_list(&partner, &stays, |_| true).await?;
        ensure!(
            kept["exp"] == before.exp.as_str() && kept["state"] == "ACTIVE",
            "{kept}"
        );

        days_pass(pair, left - 5, left + 1).await?;
        in_list(&partner, &holder.card, |item| item["state"] == "ACTIVE").await?;
        has_expired(pair, &mut holder, &stays, left + 1).await
    });
}

/// The card's last day has passed, that many days from now.
async fn has_expired(pair: &Pair, holder: &mut Holder, card: &Card, day: u64) -> Result<()> {
    let partner = pair.partner.cards(&holder.prefix);
    let expired = in_list(&partner, card, |item| item["state"] == "EXPIRED").await?;
    ensure!(expired["allowedActions"] == json!(["REMOVE"]), "{expired}");
    told_once(&pair.partner, "card.expired", card.id).await?;
    holder.phone.log_in().await?;
    let phone = holder.phone.cards();
    let proof = later(phone.proof("reveal", card).await?, day);
    let refused = phone
        .reveal_with(card, Some(&proof.sign(phone.signer())?))
        .await?;
    refused.expect_refusal(409, "CARD_EXPIRED")?;
    phone.lock(card, 3).await?.expect_refusal(409, "CARD_EXPIRED")?;
    holder.phone.remove(card).await?.expect(204)?;
    Ok(())
}

#[test]
fn the_processor_locks_outside_and_lifts_what_can_be_lifted() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let (phone, partner) = (holder.phone.cards(), pair.partner.cards(&holder.prefix));
        let full = FullCard::of(&phone.reveal(&holder.card).await?.content)?;
        let locked = pair.processor.lock(&full.pan, 7).await?;
        ensure!(
            locked.outcome == OutsideOutcome::Done && locked.action_code == Some(1002),
            "{locked:?}"
        );
        let shown = in_list(&partner, &holder.card, |item| item["state"] == "LOCKED").await?;
        ensure!(
            shown["lock"]["placedBy"] == "PROCESSOR" && shown["lock"]["reasonCode"] == 7,
            "{shown}"
        );
        phone
            .unlock(&holder.card)
            .await?
            .expect_refusal(403, "LOCK_NOT_YOURS")?;
        pair.processor.unlock(&full.pan).await?.expect(200)?;
        in_list(&partner, &holder.card, |item| item["state"] == "ACTIVE").await?;

        let locked = pair.processor.lock(&full.pan, 1).await?;
        ensure!(locked.action_code == Some(2008), "{locked:?}");
        let shown = in_list(&partner, &holder.card, |item| item["state"] == "LOCKED").await?;
        ensure!(
            shown["lock"]["reasonCode"] == 1 && shown["lock"]["irreversible"] == true,
            "{shown}"
        );
        let verified = pair.processor.cvv(&full.pan, &full.exp, &full.cvv).await?;
        ensure!(verified == Outcome::NoMatch, "the vault still verifies");
        let again = pair.processor.lock(&full.pan, 7).await?;
        ensure!(
            again.reason_code == Some(1) && again.action_code == Some(2008),
            "{again:?}"
        );
        let lifted = pair.processor.unlock(&full.pan).await?;
        lifted.expect_refusal(409, "LOCK_IRREVERSIBLE")?;
        ensure!(told(&pair.partner, "card.locked", holder.card.id).await? == 2);
        told_once(&pair.partner, "card.unlocked", holder.card.id).await?;

        let nobodys = pair.processor.lock("9999000000000000", 7).await;
        ensure!(nobodys.is_err() || nobodys?.outcome == OutsideOutcome::NoMatch);
        Ok(())
    });
}

#[test]
fn a_card_that_an_officer_erased_is_removed_at_the_gateway() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let token: CardToken = holder.card.token.parse()?;
        let [officer, ..] = &pair.stand.certificates().officers;
        let door = pair.stand.vault_door(officer)?;
        let body = json!({ "actor": { "channel": "system" } });
        let call = door
            .call(Method::POST, &paths::erase(&token))
            .idempotency_key("erase-by-officer");
        call.json(&body).send().await?.expect(200)?;
        told_once(&pair.partner, "card.removed", holder.card.id).await?;
        let locked = holder.phone.cards().lock(&holder.card, 3).await?;
        locked.expect_refusal(409, "CARD_REMOVED")?;
        Ok(())
    });
}
