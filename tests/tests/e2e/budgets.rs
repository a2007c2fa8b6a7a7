//! Every hourly budget, used up through the real doors: 429 with the time after which it is worth asking again. That a
//! unit comes back after its hour is shown where the clock can be turned (`vault/src/domain/budget.rs`).

use anyhow::{Context, Result, ensure};
use deploy::actors::{Card, ReceivingKey};
use deploy::answer::Answer;
use deploy::stand::StandOptions;
use serde_json::json;
use shared::vault_api::governance::{Budgets, Proposal};

use crate::pair::{Holder, Pair, finished, run, scratch};

/// A unit counts for an hour and the rest of its minute.
const LONGEST_WAIT_SECONDS: u64 = 3660;

/// Sets the program's budgets: wide, but for what `narrow` does to them.
async fn budgets(pair: &Pair, narrow: impl FnOnce(&mut Budgets)) -> Result<()> {
    let mut program = StandOptions::for_tests(&scratch("rules")?)?.program;
    narrow(&mut program.budgets);
    pair.stand.carry_through(&Proposal::SetProgram(program)).await
}

fn used_up(answer: Answer) -> Result<()> {
    let answer = answer.expect_refusal(429, "TOO_MANY_REQUESTS")?;
    let wait: u64 = answer.header("retry-after").context("no Retry-After")?.parse()?;
    ensure!(
        (1..=LONGEST_WAIT_SECONDS).contains(&wait),
        "come again in {wait} s?"
    );
    Ok(())
}

async fn reveal(holder: &Holder, card: &Card) -> Result<Answer> {
    let desk = holder.phone.cards();
    let proof = desk.proof("reveal", card).await?.sign(holder.phone.device())?;
    desk.reveal_with(card, Some(&proof)).await
}

async fn another_card(holder: &Holder) -> Result<Answer> {
    let desk = holder.phone.cards();
    let body = json!({ "balanceId": desk.first_balance().await?, "name": "Another" });
    let call = desk.post("/cards/virtual")?.enc(&ReceivingKey::p256()?);
    call.json(&body).send().await
}

#[test]
fn every_budget_ends_in_a_refusal_that_says_when_to_come_again() {
    run(async {
        let outcome = async {
            let mut pair = Pair::with(StandOptions::for_tests(&scratch("budgets")?)?).await?;
            emissions(&pair).await?;
            issues_and_pins(&pair).await?;
            enrolments_and_erasures(&pair).await?;
            pair.stand.stop().await
        };
        finished("SQLite", outcome.await);
    });
}

async fn emissions(pair: &Pair) -> Result<()> {
    let holder = pair.holder().await?;
    let other = Card::of(
        &holder
            .phone
            .cards()
            .create(holder.phone.cards().first_balance().await?, "Other")
            .await?
            .content,
    )?;
    budgets(pair, |budgets| budgets.emissions_per_card = 1).await?;
    reveal(&holder, &holder.card).await?.expect(200)?;
    used_up(reveal(&holder, &holder.card).await?)?;
    reveal(&holder, &other).await?.expect(200)?;

    budgets(pair, |budgets| budgets.emissions_per_holder = 2).await?;
    used_up(reveal(&holder, &other).await?)?;
    let stranger = pair.holder().await?;
    reveal(&stranger, &stranger.card).await?.expect(200)?;

    for narrow in [
        (|budgets: &mut Budgets| budgets.emissions_per_partner = 3) as fn(&mut Budgets),
        |budgets: &mut Budgets| budgets.emissions_per_gateway = 3,
    ] {
        budgets(pair, narrow).await?;
        let newcomer = pair.holder().await?;
        used_up(reveal(&newcomer, &newcomer.card).await?)?;
    }
    budgets(pair, |_| {}).await?;
    reveal(&holder, &holder.card).await?.expect(200)?;
    Ok(())
}

async fn issues_and_pins(pair: &Pair) -> Result<()> {
    let holder = pair.holder().await?;
    budgets(pair, |budgets| budgets.issues_per_holder = 2).await?;
    another_card(&holder).await?.expect(201)?;
    used_up(another_card(&holder).await?)?;

    budgets(pair, |budgets| budgets.pin_sets_per_card = 1).await?;
    let desk = holder.phone.cards();
    desk.print(&holder.card).await?;
    desk.set_pin(&holder.card, "4829").await?;
    let payload = desk.vault_key().await?.seal(&json!({ "pin": "9284" }))?;
    let proof = desk.proof("set-pin", &holder.card).await?.over(&payload);
    let again = desk
        .set_pin_with(&holder.card, &payload, Some(&proof.sign(holder.phone.device())?))
        .await?;
    used_up(again)
}

async fn enrolments_and_erasures(pair: &Pair) -> Result<()> {
    let holder = pair.holder().await?;
    budgets(pair, |budgets| budgets.enrolments_per_holder = 1).await?;
    let code = pair.partner.activation_code(holder.user).await?.expect(201)?;
    let code = code.text_at("/activationCode")?;
    let mut second = pair.stand.phone()?;
    used_up(second.try_pair(&code, None).await?)?;
    // The code was not spent by a refusal that is none of its doing.
    budgets(pair, |_| {}).await?;
    second.pair(&code).await?;

    budgets(pair, |budgets| budgets.erasures_per_gateway = 1).await?;
    let (one, other) = (pair.holder().await?, pair.holder().await?);
    one.phone.remove(&one.card).await?.expect(204)?;
    used_up(other.phone.remove(&other.card).await?)?;
    reveal(&other, &other.card).await?.expect(200)?;
    Ok(())
}
