//! Either process is killed between the steps of an order, and the vault has two processes: the bureau's word arrives, once.

use anyhow::{Result, bail, ensure};
use deploy::actors::{Card, HolderProof, PartnerServer};
use deploy::stand::StandOptions;
use serde_json::json;

use super::{PROGRAM, address, arrives, is_shown, line_of, order, token_of};
use crate::pair::{Pair, engines, finished, run, scratch, vault_database};

#[test]
fn a_kill_between_two_steps_loses_and_doubles_none() {
    run(async {
        let outcome = async {
            for database in engines("plastic_kill").await? {
                let mut options = StandOptions::for_tests(&scratch("plastic-kill")?)?;
                options.database = database;
                let mut pair = Pair::with(options).await?;
                kills(&mut pair).await?;
                pair.stand.stop().await?;
            }
            Ok(())
        };
        finished("each engine", outcome.await);
    });
}

/// Each step of an order with a kill of one side after it; the other side's word arrives all the same, once.
async fn kills(pair: &mut Pair) -> Result<()> {
    let (user, phone) = pair.user().await?;
    let prefix = PartnerServer::prefix(user);
    let desk = phone.cards();
    let (key, payload) = (
        "kill-order",
        desk.seal_order(desk.first_balance().await?, "Ada", &address())
            .await?,
    );
    let proof = desk.holder_nonce().await?;
    let proof = HolderProof::new("order", key, &proof, desk.receiving())?.over(&payload);
    let signed = proof.sign(desk.signer())?;
    let answer = desk.order_physical_with(key, &payload, Some(&signed)).await?;
    let ordered = desk.open(answer, 201, Some(&proof))?;
    pair.stand.kill_gateway().await?;
    pair.stand.start_gateway().await?;
    let bureau = pair.stand.bureau()?;
    let lines = bureau.take_all(PROGRAM).await?;
    ensure!(lines.len() == 1, "{} orders", lines.len());
    let token = token_of(line_of(&lines, &ordered.text("maskedCardNo")?)?)?;
    let steps = [
        ("confirm", json!({}), "CONFIRMED"),
        ("ship", json!({}), "SHIPPED"),
        ("return", json!({ "reason": "REFUSED" }), "RETURNED"),
        ("ship", json!({}), "SHIPPED"),
    ];
    for (number, (verb, body, state)) in steps.into_iter().enumerate() {
        let key = format!("kill-step-{number}");
        let first = bureau.say_again(token, verb, &body, &key).await?.expect(200)?;
        if number % 2 == 0 {
            pair.stand.kill_vault().await?;
            pair.stand.start_vault().await?;
            pair.stand.unlock().await?;
        } else {
            pair.stand.kill_gateway().await?;
            pair.stand.start_gateway().await?;
        }
        let again = bureau.say_again(token, verb, &body, &key).await?.expect(200)?;
        ensure!(first.body == again.body, "{verb} said twice is another answer");
        arrives(pair, &prefix, token, state).await?;
    }
    let card = Card::of(&ordered.content)?;
    let shown = is_shown(pair.partner.cards(&prefix), &card).await?;
    ensure!(
        shown.is_some_and(|card| card["state"] == "INACTIVE"),
        "not linked"
    );
    pair.partner.cards(&prefix).activate(&card).await?.expect(200)?;
    pair.stand.auditor()?.verify().await?;
    Ok(())
}

/// The bureau at one process of the vault, the gateway at the other.
#[test]
fn what_one_process_of_the_vault_is_told_the_gateway_hears_from_the_other() {
    run(async {
        let outcome = async {
            let Some(database) = vault_database("plastic").await? else {
                return Ok(());
            };
            let mut options = StandOptions::for_tests(&scratch("plastic-two")?)?;
            options.vault_database = Some(database);
            let mut pair = Pair::with(options).await?;
            let mut sibling = pair.stand.sibling().await?;
            let there = pair.stand.bureau_at(&sibling.url())?;
            let here = pair.stand.bureau()?;
            let (user, phone) = pair.user().await?;
            let prefix = PartnerServer::prefix(user);
            let (mut ordered, mut tokens) = (Vec::new(), Vec::new());
            for _ in 0..4 {
                ordered.push(order(phone.cards(), "Ada").await?);
            }
            let lines = there.take_all(PROGRAM).await?;
            ensure!(lines.len() == ordered.len());
            for line in &lines {
                tokens.push(token_of(line)?.to_owned());
            }
            // At both processes at once: no notice is passed over, whichever is committed first.
            let [a, b, c, d] = tokens.as_slice() else {
                bail!("not four")
            };
            let confirm = json!({});
            let said = tokio::try_join!(
                here.say(a, "confirm", &confirm),
                there.say(b, "confirm", &confirm),
                here.say(c, "confirm", &confirm),
                there.say(d, "confirm", &confirm),
            )?;
            for answer in [said.0, said.1, said.2, said.3] {
                answer.expect(200)?;
            }
            for token in &tokens {
                arrives(&pair, &prefix, token, "CONFIRMED").await?;
            }
            sibling.stop().await?;
            pair.stand.stop().await
        };
        finished("two processes on PostgreSQL", outcome.await);
    });
}
