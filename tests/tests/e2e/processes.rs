//! Two vault processes on one PostgreSQL: what one did counts at the other. The first is the stand's own, A; its sibling is B.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use deploy::actors::{Card, Officer, PartnerServer};
use deploy::stand::{Sibling, StandOptions};
use reqwest::Method;
use serde_json::json;
use shared::ids::CardToken;
use shared::vault_api::governance::Proposal;
use shared::vault_api::jobs::{Job, JobState, Rotation};
use shared::vault_api::paths;
use shared::vault_api::reports::{KeyEntry, KeyInventory};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::pair::{Pair, finished, report, run, scratch, vault_database};

/// What one process commits the other knows within this time without traffic of its own.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);
/// A rotation of some cards takes a second or two.
const ROTATED_WITHIN: Duration = Duration::from_secs(60);
/// Cards under way when a process is killed.
const WRITERS: usize = 4;

/// A stand whose vault has two unlocked processes; `None`: there is no PostgreSQL.
async fn two(purpose: &str, adjust: impl FnOnce(&mut StandOptions)) -> Result<Option<(Pair, Sibling)>> {
    let Some(database) = vault_database(purpose).await? else {
        report("SKIPPED: two vault processes need TESSERA_TEST_POSTGRES_URL");
        return Ok(None);
    };
    let mut options = StandOptions::for_tests(&scratch(purpose)?)?;
    options.vault_database = Some(database);
    adjust(&mut options);
    let pair = Pair::with(options).await?;
    let sibling = pair.stand.sibling().await?;
    Ok(Some((pair, sibling)))
}

#[test]
fn a_proof_is_spent_once_at_whichever_process() {
    run(async {
        let outcome = async {
            let Some((pair, b)) = two("proofs", |_| ()).await? else {
                return Ok(());
            };
            let holder = pair.holder().await?;
            let desk = holder.phone.cards();
            let (at_a, at_b) = (pair.stand.raw_gateway()?, pair.stand.raw_gateway_at(&b.url())?);
            // The nonce is A's, as is the card; it is spent at B, and then at neither.
            let proof = desk.proof("reveal", &holder.card).await?.sign(desk.signer())?;
            let token = &holder.card.token;
            let shown = at_b.reveal(token, desk.receiving(), Some(&proof)).await?;
            shown.expect(200)?;
            for gateway in [&at_a, &at_b] {
                let again = gateway.reveal(token, desk.receiving(), Some(&proof)).await?;
                again.expect_refusal(403, "HOLDER_PROOF_INVALID")?;
            }
            // At both at once: one is late.
            for _ in 0..5 {
                let proof = desk.proof("reveal", &holder.card).await?.sign(desk.signer())?;
                let (first, second) = tokio::join!(
                    at_a.reveal(token, desk.receiving(), Some(&proof)),
                    at_b.reveal(token, desk.receiving(), Some(&proof)),
                );
                let mut statuses = [first?.status, second?.status];
                statuses.sort_unstable();
                ensure!(statuses == [200, 403], "spent as {statuses:?}");
            }
            pair.stand.auditor()?.verify().await?;
            pair.stand.auditor_at(&b.url())?.verify().await?;
            Ok(())
        };
        finished("two processes", outcome.await);
    });
}

#[test]
fn a_budget_is_one_for_all_processes() {
    run(async {
        let outcome = async {
            let adjust = |options: &mut StandOptions| options.program.budgets.emissions_per_card = 5;
            let Some((pair, b)) = two("budget", adjust).await? else {
                return Ok(());
            };
            let holder = pair.holder().await?;
            let desk = holder.phone.cards();
            let (at_a, at_b) = (pair.stand.raw_gateway()?, pair.stand.raw_gateway_at(&b.url())?);
            let mut shown = 0;
            for (round, gateway) in [&at_a, &at_b].into_iter().cycle().take(10).enumerate() {
                let proof = desk.proof("reveal", &holder.card).await?.sign(desk.signer())?;
                let answer = gateway
                    .reveal(&holder.card.token, desk.receiving(), Some(&proof))
                    .await?;
                match answer.status {
                    200 => shown += 1,
                    429 => {}
                    _ => anyhow::bail!("round {round}: {answer}"),
                }
            }
            ensure!(shown == 5, "{shown} reveals within a budget of 5");
            Ok(())
        };
        finished("two processes", outcome.await);
    });
}

#[test]
fn officers_at_two_processes_decide_together() {
    run(async {
        let outcome = async {
            let Some((mut pair, b)) = two("officers", |_| ()).await? else {
                return Ok(());
            };
            let holder = pair.holder().await?;
            // Proposed at A, approved at B: the gateway may use the program at A within a second.
            let mut program = deploy::stand::demo_program()?;
            (program.name, program.bin) = ("third-eur".parse()?, "999903".to_owned());
            let filed = pair
                .stand
                .officer(1)?
                .propose(&Proposal::SetProgram(program))
                .await?;
            let second = pair.stand.officer_at(&b.url(), 2)?;
            second.approve(&filed).await?.expect(200)?;
            let approved = Instant::now();
            let at_a = pair.stand.raw_gateway()?;
            let body = json!({ "program": "third-eur", "actor": deploy::actors::RawGateway::actor() });
            loop {
                let answer = at_a.post(shared::vault_api::paths::HOLDERS, &body).await?;
                let waited = approved.elapsed();
                if answer.status == 201 {
                    report(&format!(
                        "approved at B, in force at A after {} ms",
                        waited.as_millis()
                    ));
                    break;
                }
                answer.expect(404)?;
                ensure!(
                    waited < KNOWN_WITHIN,
                    "A does not know the program after {waited:?}"
                );
            }
            // Through a gateway that speaks to B: the card of A reveals, a new one is made, and A shows that.
            pair.stand.move_gateway(&b.url()).await?;
            let mut phone = holder.phone;
            phone.log_in().await?;
            let desk = phone.cards();
            desk.reveal(&holder.card).await?;
            let made = Card::of(&desk.create(desk.first_balance().await?, "At B").await?.content)?;
            let a = pair.stand.ports().vault_url();
            pair.stand.move_gateway(&a).await?;
            phone.log_in().await?;
            phone.cards().reveal(&made).await?;
            Ok(())
        };
        finished("two processes", outcome.await);
    });
}

/// Keys are rotated by whichever process finds the job, once; both go on with the new ones, and know the same of them.
#[test]
fn a_rotation_that_one_process_does_is_followed_by_the_other() {
    run(async {
        let outcome = async {
            let Some((pair, b)) = two("rotated", |_| ()).await? else {
                return Ok(());
            };
            let holder = pair.holder().await?;
            let (officer, second) = (pair.stand.officer(1)?, pair.stand.officer_at(&b.url(), 2)?);
            for rotation in [Rotation::DataKeys, Rotation::Fingerprint, Rotation::Records] {
                let filed = officer.propose(&Proposal::Rotate(rotation.clone())).await?;
                second.approve(&filed).await?.expect(200)?;
                rotated(&second, &rotation).await?;
                // A card that either makes opens at the other.
                let desk = holder.phone.cards();
                desk.reveal(&holder.card).await?;
                let made = Card::of(&desk.create(desk.first_balance().await?, "Turn").await?.content)?;
                let proof = desk.proof("reveal", &made).await?.sign(desk.signer())?;
                let at_b = pair.stand.raw_gateway_at(&b.url())?;
                let shown = at_b.reveal(&made.token, desk.receiving(), Some(&proof)).await?;
                shown.expect(200)?;
            }
            let keys = async |door: &Officer| -> Result<KeyInventory> {
                door.door()
                    .get(paths::KEY_INVENTORY)
                    .await?
                    .expect(200)?
                    .read_as()
            };
            let (at_a, at_b) = (keys(&officer).await?, keys(&second).await?);
            let states = |inventory: &KeyInventory| -> Vec<(String, u32, String)> {
                let state = |key: &KeyEntry| (key.purpose.clone(), key.version, key.state.clone());
                inventory.keys.iter().map(state).collect()
            };
            ensure!(
                states(&at_a) == states(&at_b) && at_a.epoch == at_b.epoch,
                "{at_a:?} {at_b:?}"
            );
            ensure!(at_a.epoch == 4, "epoch {}", at_a.epoch);
            pair.stand.auditor_at(&b.url())?.verify().await?;
            Ok(())
        };
        finished("two processes", outcome.await);
    });
}

/// Waits until the newest job has ended, and sees that it ended well.
async fn rotated(officer: &Officer, rotation: &Rotation) -> Result<()> {
    let deadline = Instant::now() + ROTATED_WITHIN;
    loop {
        let jobs: Vec<Job> = officer.door().get(paths::JOBS).await?.expect(200)?.read_as()?;
        let job = jobs.into_iter().next().context("no job")?;
        match job.state {
            JobState::Done => return Ok(()),
            JobState::Running | JobState::Verifying if Instant::now() < deadline => {
                sleep(Duration::from_millis(50)).await;
            }
            _ => bail!("{}: {job:?}", rotation.name()),
        }
    }
}

/// A dies under load; what it acknowledged is at B, and the log is one.
#[test]
fn killing_one_process_loses_nothing_at_the_other() {
    run(async {
        let outcome = async {
            let Some((mut pair, b)) = two("killed", |_| ()).await? else {
                return Ok(());
            };
            let mut total = 0;
            for cycle in 0..3_u64 {
                let acknowledged = load_and_kill(&mut pair, 150 + 150 * cycle).await?;
                total += acknowledged.len();
                pair.stand.move_gateway(&b.url()).await?;
                let at_b = pair.stand.raw_gateway_at(&b.url())?;
                for token in &acknowledged {
                    let nonce = at_b
                        .post(&shared::vault_api::paths::card_challenges(token), &actor())
                        .await?;
                    nonce.expect(201).with_context(|| format!("{token} is lost"))?;
                }
                report(&format!(
                    "A killed with {} cards acknowledged, all at B",
                    acknowledged.len()
                ));
                pair.stand.auditor_at(&b.url())?.verify().await?;
                pair.stand.start_vault().await?;
                pair.stand.unlock().await?;
                let a = pair.stand.ports().vault_url();
                pair.stand.move_gateway(&a).await?;
            }
            pair.stand.auditor()?.verify().await?;
            ensure!(total > 0, "the kills never met the load");
            Ok(())
        };
        finished("two processes", outcome.await);
    });
}

fn actor() -> serde_json::Value {
    json!({ "actor": deploy::actors::RawGateway::actor() })
}

/// Cards are created until A dies under them; the tokens of those that were acknowledged.
async fn load_and_kill(pair: &mut Pair, after_ms: u64) -> Result<Vec<CardToken>> {
    let user = pair.partner.accepted_user().await?;
    let prefix = PartnerServer::prefix(user);
    let balance = pair.partner.cards(&prefix).first_balance().await?;
    let (dead, partner) = (Arc::new(AtomicBool::new(false)), Arc::new(pair.stand.partner()?));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (dead, partner, prefix) = (dead.clone(), partner.clone(), prefix.clone());
        writers.spawn(async move {
            let (mut made, desk) = (Vec::new(), partner.cards(&prefix));
            while !dead.load(Ordering::Relaxed) {
                let call = desk
                    .call(Method::POST, "/cards/virtual")
                    .idempotency_key(&format!("kill-{user}-{writer}-{}", made.len()))
                    .enc(desk.receiving());
                let answer = call
                    .json(&json!({ "balanceId": balance, "name": "Kill" }))
                    .send()
                    .await;
                match answer {
                    Ok(answer) if answer.status == 201 => {
                        made.push(Card::of(&desk.open(answer, 201, None)?.content)?.token.parse()?);
                    }
                    _ => break,
                }
            }
            Ok::<_, anyhow::Error>(made)
        });
    }
    sleep(Duration::from_millis(after_ms)).await;
    pair.stand.kill_vault().await?;
    dead.store(true, Ordering::Relaxed);
    let mut made = Vec::new();
    while let Some(writer) = writers.join_next().await {
        made.extend(writer??);
    }
    Ok(made)
}
