//! A vault that is away or locked: 503 with `Retry-After` at the gateway, nothing half-done, and all is well afterwards. And what
//! it takes to open it.

use std::fs;

use anyhow::{Context, Result, ensure};
use deploy::actors::{Card, PartnerServer};
use deploy::stand::StandOptions;
use reqwest::Method;
use serde_json::json;
use shared::vault_api::paths;

use crate::pair::{Pair, engines, finished, run, scratch};

#[test]
fn while_the_vault_is_away_or_locked_nothing_is_half_done() {
    run(async {
        let outcome = async {
            for database in engines("outage").await? {
                let mut options = StandOptions::for_tests(&scratch("outage")?)?;
                options.database = database;
                outage(Pair::with(options).await?).await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

async fn outage(mut pair: Pair) -> Result<()> {
    let holder = pair.holder().await?;
    let user = holder.user;
    pair.stand.kill_vault().await?;
    refuses(&pair, user, &holder.card, "away").await?;
    pair.stand.start_vault().await?;
    refuses(&pair, user, &holder.card, "locked").await?;
    pair.stand.unlock().await?;
    created_once(&pair, user, "locked").await?;
    pair.partner
        .cards(&PartnerServer::prefix(user))
        .reveal(&holder.card)
        .await?;
    pair.stand.officer(1)?.lock().await?;
    refuses(&pair, user, &holder.card, "locked-again").await?;
    pair.stand.unlock().await?;
    created_once(&pair, user, "locked-again").await?;
    let cards = pair
        .partner
        .cards(&PartnerServer::prefix(user))
        .list()
        .await?
        .expect(200)?
        .json()?;
    // The first one, and one for each key: the key of the first outage was the same request's.
    ensure!(cards["items"].as_array().map(Vec::len) == Some(3), "{cards}");
    pair.stand.stop().await
}

/// What needs the vault is 503; what does not goes on.
async fn refuses(pair: &Pair, user: u64, card: &Card, key: &str) -> Result<()> {
    let prefix = PartnerServer::prefix(user);
    let desk = pair.partner.cards(&prefix);
    desk.list().await?.expect(200)?;
    let create = creation(pair, user, key).await?;
    for answer in [create, desk.reveal_with(card, None).await?] {
        let answer = answer
            .expect_refusal(503, "VAULT_UNAVAILABLE")
            .context(key.to_owned())?;
        let seconds: u32 = answer.header("Retry-After").context("no Retry-After")?.parse()?;
        ensure!(seconds > 0);
    }
    Ok(())
}

async fn creation(pair: &Pair, user: u64, key: &str) -> Result<deploy::answer::Answer> {
    let prefix = PartnerServer::prefix(user);
    let desk = pair.partner.cards(&prefix);
    let balance = desk.first_balance().await?;
    let call = desk
        .call(Method::POST, "/cards/virtual")
        .idempotency_key(key)
        .enc(desk.receiving());
    call.json(&json!({ "balanceId": balance })).send().await
}

/// The retry succeeds, and a retry of the retry is the same answer.
async fn created_once(pair: &Pair, user: u64, key: &str) -> Result<()> {
    let first = creation(pair, user, key).await?.expect(201)?;
    let second = creation(pair, user, key).await?.expect(201)?;
    ensure!(first.body == second.body, "another card under the same key");
    Ok(())
}

#[test]
fn one_custodian_opens_nothing_and_no_share_serves_another() {
    run(async {
        let outcome = async {
            let mut stand =
                deploy::stand::Stand::prepare(StandOptions::for_tests(&scratch("ceremony")?)?).await?;
            stand.start_vault().await?;
            let share = |number| stand.share(number);
            let (first, second) = (stand.officer(1)?, stand.officer(2)?);
            first
                .give_share("no share")
                .await?
                .expect_refusal(409, "SHARE_MALFORMED")?;
            let others = first.give_share(&share(2)?).await?;
            others.expect_refusal(409, "SHARE_NOT_YOURS")?;
            let sealed = stand.layout().shares.join("share-officer-2.jwe");
            let sealed = fs::read_to_string(sealed)?;
            ensure!(!sealed.contains("tessera"), "a share lies on the disk in clear");
            ensure!(
                stand.open_share(1, sealed.trim()).is_err(),
                "another officer's key opened a share"
            );
            first.give_share(&share(1)?).await?.expect(200)?;
            let again = first.give_share(&share(1)?).await?;
            again.expect_refusal(409, "SHARE_ALREADY_GIVEN")?;
            ensure!(
                first.status().await?.text_at("/state")? == "LOCKED",
                "one person opened the vault"
            );
            let locked = stand.raw_gateway()?.door().get(paths::KEYS).await?;
            locked.expect_refusal(503, "VAULT_LOCKED")?;
            let outsider = deploy::actors::Officer::new(stand.vault_door(&stand.certificates().auditor)?);
            ensure!(
                (400..500).contains(&outsider.give_share(&share(2)?).await?.status),
                "an auditor handed in a share"
            );
            second.give_share(&share(2)?).await?.expect(200)?;
            ensure!(first.status().await?.text_at("/state")? == "UNLOCKED");
            stand.stop().await
        };
        finished("the vault", outcome.await);
    });
}

#[test]
fn one_officer_changes_nothing() {
    crate::pair::on_each_engine(async |pair| {
        let mut program = deploy::stand::demo_program()?;
        program.budgets.emissions_per_card = 1;
        let officer = pair.stand.officer(1)?;
        let proposal = shared::vault_api::governance::Proposal::SetProgram(program);
        let approval = officer.propose(&proposal).await?;
        let own = officer.approve(&approval).await?;
        ensure!(
            (400..500).contains(&own.status),
            "an officer approved their own proposal: {own}"
        );
        let mut bent = approval.clone();
        bent.hash = "0".repeat(64);
        let wrong = pair.stand.officer(2)?.approve(&bent).await?;
        ensure!(
            (400..500).contains(&wrong.status),
            "approved under another hash: {wrong}"
        );
        Ok(())
    });
}
