//! Row 22 of the contract: cards that exist already are brought in by the partner, under its own signature and within its own
//! reach. What the vault tells a guesser, whoever that is, is nothing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use deploy::actors::{Card, NewUser, PartnerServer, RawGateway, Tokenisation};
use deploy::stand::StandOptions;
use reqwest::Method;
use serde_json::{Value, json};
use shared::vault_api::paths;
use shared::vault_api::processor::Outcome;
use tokio::time::{Instant, sleep};

use crate::content::{FullCard, is_masked};
use crate::pair::{Pair, engines, finished, on_each_engine, run, scratch, vault_database};

/// Of no program's range.
pub(crate) const FOREIGN_BIN: &str = "999999";
/// Of the demo's program.
pub(crate) const OWN_BIN: &str = "999900";
/// Of the other partner's program.
pub(crate) const OTHERS_BIN: &str = "999901";
pub(crate) const EXP: &str = "2031-05-31";
/// How long a request that a kill interrupted may take to be finished by retries.
const PATIENCE: Duration = Duration::from_secs(90);

/// A number that no other test brings in, of 16 digits, with its check digit.
pub(crate) fn number(bin: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(4_711);
    let body = format!("{bin}{:09}", NEXT.fetch_add(1, Ordering::Relaxed));
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let digits = body.chars().rev().filter_map(|symbol| symbol.to_digit(10));
    let weighed = digits
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { doubled(digit) } else { digit });
    let check = (10 - weighed.sum::<u32>() % 10) % 10;
    format!("{body}{check}")
}

pub(crate) fn content(number: &str) -> Value {
    json!({ "cardNo": number, "exp": EXP })
}

async fn listed(pair: &Pair, user: u64) -> Result<Vec<Value>> {
    let prefix = PartnerServer::prefix(user);
    let list = pair.partner.cards(&prefix).list().await?.expect(200)?.json()?;
    Ok(list["items"].as_array().context("no items")?.clone())
}

#[test]
fn a_foreign_card_is_shown_locked_and_removed_like_any_other_and_stays_its_issuers() {
    on_each_engine(async |pair| {
        let (user, phone) = pair.user().await?;
        let number = number(FOREIGN_BIN);
        let mut brought = content(&number);
        (brought["cvv"], brought["name"]) = (json!("1234"), json!("Elsewhere"));
        let request = pair.partner.tokenisation(user, &brought).await?;
        let answer = pair.partner.send_tokenisation(&request).await?.expect(201)?;
        let again = pair.partner.send_tokenisation(&request).await?.expect(201)?;
        ensure!(answer.body == again.body, "a retry is answered otherwise");
        let prefix = PartnerServer::prefix(user);
        let theirs = pair.partner.cards(&prefix);
        let opened = theirs.open(answer, 201, Some(&request.proof))?;
        is_masked(&opened.content)?;
        for (member, value) in [
            ("type", "VIRTUAL"),
            ("state", "ACTIVE"),
            ("origin", "FOREIGN"),
            ("exp", EXP),
        ] {
            ensure!(opened.text(member)? == value, "{member}");
        }
        ensure!(opened.text("name")? == "Elsewhere");
        let card = Card::of(&opened.content)?;

        let mine = phone.cards();
        for desk in [mine, theirs] {
            let full = desk.reveal(&card).await?.content;
            ensure!(full["cardNo"] == number && full["exp"] == EXP);
            ensure!(full.get("cvv").is_none(), "a code that its issuer alone may keep");
        }
        let shown = listed(pair, user).await?;
        ensure!(shown.len() == 1 && shown[0]["id"] == card.id);
        let allowed = mine.list().await?.json()?["items"][0]["allowedActions"].clone();
        ensure!(allowed == json!(["REVEAL", "LOCK", "REMOVE"]), "{allowed}");

        let proof = mine.proof("reset-cvv", &card).await?.sign(phone.device())?;
        mine.reset_cvv_with(&card, Some(&proof))
            .await?
            .expect_refusal(409, "CARD_OF_ANOTHER_ISSUER")?;
        mine.post(&format!("/cards/{}/print", card.id))?
            .enc(mine.receiving())
            .send()
            .await?
            .expect_refusal(409, "CARD_OF_ANOTHER_ISSUER")?;
        theirs.lock(&card, 7).await?.expect(200)?;
        theirs.unlock(&card).await?.expect(200)?;
        pair.partner.remove(user, &card).await?.expect(204)?;
        let late = pair.partner.tokenisation(user, &brought).await?;
        pair.partner
            .send_tokenisation(&late)
            .await?
            .expect_refusal(409, "CARD_REMOVED")?;
        Ok(())
    });
}

#[test]
fn a_card_of_the_programs_range_is_one_of_ours_from_then_on() {
    on_each_engine(async |pair| {
        let (user, phone) = pair.user().await?;
        let number = number(OWN_BIN);
        let mut brought = content(&number);
        brought["cvv"] = json!("123");
        let opened = pair.partner.tokenise(user, &brought, 201).await?;
        ensure!(opened.text("origin")? == "TOKENISED");
        let (card, desk) = (Card::of(&opened.content)?, phone.cards());
        let full = FullCard::of(&desk.reveal(&card).await?.content)?;
        ensure!((full.pan.as_str(), full.cvv.as_str()) == (number.as_str(), "123"));
        ensure!(pair.processor.cvv(&number, EXP, "123").await? == Outcome::Match);
        let new = desk.reset_cvv(&card).await?.text("cvv")?;
        ensure!(pair.processor.cvv(&number, EXP, &new).await? == Outcome::Match);

        // Without a code it is shown without one; and the plastic that there is can have its PIN set.
        let plastic = self::number(OWN_BIN);
        let mut brought = content(&plastic);
        brought["type"] = json!("PHYSICAL");
        let opened = pair.partner.tokenise(user, &brought, 201).await?;
        let card = Card::of(&opened.content)?;
        ensure!(desk.reveal(&card).await?.content.get("cvv").is_none());
        ensure!(pair.processor.cvv(&plastic, EXP, "123").await? == Outcome::NoMatch);
        desk.set_pin(&card, "4829").await?;
        ensure!(pair.processor.pin(&plastic, "4829").await?.outcome == Outcome::Match);
        Ok(())
    });
}

#[test]
fn a_duplicate_gives_no_token_that_the_caller_does_not_have() {
    on_each_engine(async |pair| {
        let (user, phone) = pair.user().await?;
        let neighbour = pair.partner.accepted_user().await?;
        let stranger = pair.other_partner.accepted_user().await?;
        let prefix = PartnerServer::prefix(stranger);
        pair.other_partner
            .cards(&prefix)
            .create_balance()
            .await?
            .expect(201)?;

        let number = number(FOREIGN_BIN);
        let first = pair.partner.tokenise(user, &content(&number), 201).await?;
        let card = Card::of(&first.content)?;
        // The same card of the same user: the same token, the same id, nothing new.
        phone.cards().lock(&card, 7).await?.expect(200)?;
        let again = pair.partner.tokenise(user, &content(&number), 200).await?;
        ensure!(Card::of(&again.content)? == card && again.text("state")? == "LOCKED");
        ensure!(listed(pair, user).await?.len() == 1);
        // One that was issued here is found too.
        let issued = phone
            .cards()
            .create_proven(phone.cards().first_balance().await?, "Own")
            .await?;
        let own = FullCard::of(&issued.content)?;
        let found = json!({ "cardNo": own.pan, "exp": own.exp });
        let found = pair.partner.tokenise(user, &found, 200).await?;
        ensure!(Card::of(&found.content)? == Card::of(&issued.content)?);

        // Another user of the same partner.
        let request = pair.partner.tokenisation(neighbour, &content(&number)).await?;
        let refused = pair.partner.send_tokenisation(&request).await?;
        ensure!(!String::from_utf8_lossy(&refused.body).contains("crd_"));
        refused.expect_refusal(409, "CARD_ALREADY_TOKENISED")?;
        ensure!(listed(pair, neighbour).await?.is_empty());
        // Another partner: a token of its own, as if nobody had the card.
        let theirs = pair
            .other_partner
            .tokenise(stranger, &content(&number), 201)
            .await?;
        ensure!(Card::of(&theirs.content)?.token != card.token);
        Ok(())
    });
}

#[test]
fn a_number_of_another_partners_range_is_refused_whether_it_exists_or_not() {
    on_each_engine(async |pair| {
        let user = pair.partner.accepted_user().await?;
        let stranger = pair.other_partner.accepted_user().await?;
        let prefix = PartnerServer::prefix(stranger);
        pair.other_partner
            .cards(&prefix)
            .create_balance()
            .await?
            .expect(201)?;
        let there = number(OTHERS_BIN);
        pair.other_partner
            .tokenise(stranger, &content(&there), 201)
            .await?;
        for number in [there, number(OTHERS_BIN)] {
            let request = pair.partner.tokenisation(user, &content(&number)).await?;
            let refused = pair.partner.send_tokenisation(&request).await?;
            refused.expect_refusal(422, "CARD_NOT_ACCEPTED")?;
        }
        ensure!(listed(pair, user).await?.is_empty());
        Ok(())
    });
}

#[test]
fn each_lack_is_told_by_its_own_code() {
    on_each_engine(async |pair| {
        let user = pair.partner.accepted_user().await?;
        let good = pair
            .partner
            .tokenisation(user, &content(&number(FOREIGN_BIN)))
            .await?;
        let refused = async |request: &Tokenisation, status, code: &str| -> Result<()> {
            let answer = pair.partner.send_tokenisation(request).await?;
            answer.expect_refusal(status, code).map(drop)
        };
        pair.partner
            .send_tokenisation_with(&good, None)
            .await?
            .expect_refusal(403, "HOLDER_PROOF_REQUIRED")?;
        let of_another = pair.other_partner.signer();
        pair.partner
            .send_tokenisation_with(&good, Some(&good.proof.sign(of_another)?))
            .await?
            .expect_refusal(403, "HOLDER_PROOF_INVALID")?;
        let other = Tokenisation {
            key: "another-key".to_owned(),
            ..good.clone()
        };
        refused(&other, 403, "HOLDER_PROOF_INVALID").await?;
        plain(pair, &good).await?;

        for (content, status, code) in [
            (
                json!({ "cardNo": "9999990000000015", "exp": EXP }),
                422,
                "VALIDATION_FAILED",
            ),
            (
                json!({ "cardNo": number(FOREIGN_BIN), "exp": "2020-05-31" }),
                422,
                "VALIDATION_FAILED",
            ),
            (
                json!({ "cardNo": number(FOREIGN_BIN), "exp": EXP, "pin": "1234" }),
                400,
                "INVALID_PAYLOAD",
            ),
            (
                json!({ "cardNo": number(FOREIGN_BIN), "exp": EXP, "balanceId": 1 }),
                404,
                "NOT_FOUND",
            ),
        ] {
            refused(&pair.partner.tokenisation(user, &content).await?, status, code).await?;
        }
        Ok(())
    });
}

#[test]
fn what_the_user_lacks_for_a_card_is_told_by_its_own_code() {
    on_each_engine(async |pair| {
        let refused = async |request: &Tokenisation, status, code: &str| -> Result<()> {
            let answer = pair.partner.send_tokenisation(request).await?;
            answer.expect_refusal(status, code).map(drop)
        };
        let asked = async |partner: &PartnerServer, user| {
            partner.tokenisation(user, &content(&number(FOREIGN_BIN))).await
        };
        let newcomer = NewUser::sample()?;
        let newcomer = pair.partner.create_user(&newcomer).await?.expect(201)?;
        let newcomer = newcomer.number_at("/id")?;
        refused(&asked(&pair.partner, newcomer).await?, 409, "KYC_REQUIRED").await?;
        let without = pair.other_partner.accepted_user().await?;
        let theirs = asked(&pair.other_partner, without).await?;
        let answer = pair.other_partner.send_tokenisation(&theirs).await?;
        answer.expect_refusal(409, "BALANCE_REQUIRED")?;
        // Another partner's user is nobody's.
        refused(&theirs, 404, "NOT_FOUND").await?;

        let user = pair.partner.accepted_user().await?;
        let request = asked(&pair.partner, user).await?;
        pair.partner.set_locked(user, true).await?.expect(200)?;
        refused(&request, 409, "USER_LOCKED").await
    });
}

/// A number in clear, or without what the headers announce, is not even read.
async fn plain(pair: &Pair, good: &Tokenisation) -> Result<()> {
    let prefix = String::new();
    let desk = pair.partner.cards(&prefix);
    let receiving = desk.receiving();
    let clear = content(&number(FOREIGN_BIN));
    let call = || pair.partner.door().call(Method::POST, &good.path);
    let refusals = [
        (call().json(&clear), 400, "ENCRYPTION_REQUIRED"),
        (call().enc(receiving).json(&clear), 400, "ENCRYPTION_REQUIRED"),
        (call().enc(receiving), 400, "ENCRYPTION_REQUIRED"),
        (call().enc_sealed(receiving, "a.b.c"), 400, "INVALID_PAYLOAD"),
        (
            call().enc_sealed(receiving, &good.payload),
            422,
            "VALIDATION_FAILED",
        ),
    ];
    for (call, status, code) in refusals {
        call.send().await?.expect_refusal(status, code)?;
    }
    Ok(())
}

#[test]
fn whoever_has_taken_over_the_gateway_brings_nothing_in() {
    on_each_engine(async |pair| {
        let holder = pair.holder().await?;
        let raw = pair.stand.raw_gateway()?;
        let list = holder.phone.cards().list().await?.json()?;
        ensure!(list["items"][0]["id"] == holder.card.id);
        let created = raw
            .post(
                paths::HOLDERS,
                &json!({ "program": "demo-eur", "actor": RawGateway::actor() }),
            )
            .await?
            .expect(201)?;
        let own = created.text_at("/holder")?.parse()?;
        let key = holder.phone.cards().vault_key().await?;
        let payload = key.seal(&content(&number(FOREIGN_BIN)))?;
        let receiving = holder.phone.cards().receiving().public_jwk()?;
        let body = json!({
            "recipient": { "publicKey": receiving }, "payload": payload, "tokeniseKey": "k",
            "actor": RawGateway::actor(),
        });
        raw.post(&paths::tokenise(&own), &body)
            .await?
            .expect_refusal(403, "HOLDER_PROOF_REQUIRED")?;
        // A session is opened on its word, and opens nothing without the partner's signature.
        let session = open_session(&raw, "stolen", 5).await?;
        let thief = deploy::actors::ProofSigner::device()?;
        let proof = json!({
            "op": "tokenise", "card": "stolen:1", "nonce": session, "iat": 0, "jti": "j", "rpk": thief.thumbprint()?,
            "bdh": deploy::actors::sha256_base64url(&payload),
        });
        let body = json!({
            "import": "stolen", "row": "stolen:1", "payload": payload,
            "holderProof": thief.sign("holder-proof+jwt", &proof)?, "actor": RawGateway::actor(),
        });
        raw.post(&paths::tokenise_row(&own), &body)
            .await?
            .expect_refusal(403, "HOLDER_PROOF_INVALID")?;
        Ok(())
    });
}

async fn open_session(raw: &RawGateway, import: &str, rows: u32) -> Result<String> {
    let body = json!({ "partner": "partner", "import": import, "rows": rows, "actor": RawGateway::actor() });
    let session = raw.post(paths::IMPORT_SESSIONS, &body).await?.expect(201)?;
    session.text_at("/nonce")
}

#[test]
fn a_row_that_the_partner_signed_is_tokenised_once() {
    on_each_engine(async |pair| {
        let raw = pair.stand.raw_gateway()?;
        let created = raw
            .post(
                paths::HOLDERS,
                &json!({ "program": "demo-eur", "actor": RawGateway::actor() }),
            )
            .await?
            .expect(201)?;
        let path = paths::tokenise_row(&created.text_at("/holder")?.parse()?);
        let import = format!("rows-{}", &number(FOREIGN_BIN)[10..]);
        let nonce = open_session(&raw, &import, 2).await?;
        let row = pair
            .partner
            .sign_row(&import, "1", &nonce, &content(&number(FOREIGN_BIN)))
            .await?;
        let body = json!({
            "import": import, "row": row.row, "payload": row.payload, "holderProof": row.holder_proof,
            "actor": RawGateway::actor(),
        });
        let first = raw.post(&path, &body).await?.expect(200)?;
        let again = raw.post(&path, &body).await?.expect(200)?;
        ensure!(first.body == again.body, "a row that came again did something");
        ensure!(first.json()?["foreign"] == true && first.json()?["held"] == false);
        Ok(())
    });
}

#[test]
fn a_kill_in_the_middle_loses_and_doubles_nothing() {
    run(async {
        let outcome = async {
            for database in engines("tokenise").await? {
                let mut options = StandOptions::for_tests(&scratch("tokenise")?)?;
                let mut cycles = 6;
                if !matches!(database, deploy::stand::Database::Sqlite) {
                    options.vault_database = vault_database("tokenise").await?;
                    // What a dead gateway held is freed by its lease of a minute alone.
                    cycles = 2;
                }
                options.database = database;
                killed(Pair::with(options).await?, cycles).await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

/// Vault and gateway die by turns, a little later each time, while a card is brought in.
async fn killed(mut pair: Pair, cycles: u64) -> Result<()> {
    let user = pair.partner.accepted_user().await?;
    let mut expected = BTreeSet::new();
    for cycle in 0..cycles {
        let request = pair
            .partner
            .tokenisation(user, &content(&number(FOREIGN_BIN)))
            .await?;
        let partner = pair.stand.partner()?;
        // Whose receiving key is part of the request: the retry comes from the same server.
        let sender = std::mem::replace(&mut pair.partner, partner);
        let sent = tokio::spawn(async move {
            let answer = sender.send_tokenisation(&request).await;
            (sender, request, answer)
        });
        sleep(Duration::from_millis(5 + 10 * (cycle / 2))).await;
        if cycle % 2 == 0 {
            pair.stand.kill_vault().await?;
            pair.stand.start_vault().await?;
            pair.stand.unlock().await?;
        } else {
            pair.stand.kill_gateway().await?;
            pair.stand.start_gateway().await?;
        }
        let (sender, request, first) = sent.await?;
        let first = first.ok().filter(|answer| answer.status == 201);
        let answer = finished_by_retry(&sender, user, request).await?;
        if let Some(first) = first {
            ensure!(first.body == answer.body, "another answer than the first");
        }
        let prefix = PartnerServer::prefix(user);
        let opened = sender.cards(&prefix).open(answer, 201, None)?;
        expected.insert(Card::of(&opened.content)?.token);
        pair.partner = sender;
    }
    let tokens = listed(&pair, user)
        .await?
        .into_iter()
        .map(|card| Ok(Card::of(&card)?.token));
    let tokens: BTreeSet<String> = tokens.collect::<Result<_>>()?;
    ensure!(
        tokens == expected && tokens.len() as u64 == cycles,
        "{tokens:?} instead of {expected:?}"
    );
    pair.stand.auditor()?.verify().await?;
    pair.stand.stop().await
}

async fn finished_by_retry(
    partner: &PartnerServer,
    user: u64,
    mut request: Tokenisation,
) -> Result<deploy::answer::Answer> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A proof is good once: each try brings its own.
        let prefix = PartnerServer::prefix(user);
        let nonce = partner.cards(&prefix).holder_nonce().await;
        if let Ok(nonce) = nonce {
            request.proof = request.proof.with("nonce", nonce.clone()).with("jti", nonce);
            let answer = partner.send_tokenisation(&request).await?;
            match (answer.status, answer.code().as_deref()) {
                (201, _) => return Ok(answer),
                (503, _) | (409, Some("IDEMPOTENCY_IN_FLIGHT")) => {}
                _ => bail!("not finished by retries: {answer}"),
            }
        }
        ensure!(Instant::now() < deadline, "not finished in time");
        sleep(Duration::from_millis(50)).await;
    }
}
