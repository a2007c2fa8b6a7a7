//! A physical card: ordered, made by the bureau, linked, activated.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use deploy::actors::Card;
use deploy::stand::demo_program;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Cast;

/// For the bureau's word to come from the vault to the gateway.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn order_make_activate(cast: &Cast<'_>) -> Result<()> {
    let (desk, bureau) = (cast.phone.cards(), cast.stand.bureau()?);
    let address =
        json!({ "line1": "1 Harbour Street", "city": "Vilnius", "postalCode": "LT-01001", "country": "LT" });
    let balance = desk.first_balance().await?;
    let ordered = desk.order_physical(balance, "ADA LOVELACE", &address).await?;
    let (card, masked) = (Card::of(&ordered.content)?, ordered.text("maskedCardNo")?);
    let shown = format!("{masked}, {}", ordered.text("state")?);
    cast.teller
        .act("phone", "orders a physical card, with a proof", "201", &shown);
    cast.teller
        .why("Name and address are sealed to the vault, and from the vault to the bureau: the gateway reads neither.");

    let program = demo_program()?.name.to_string();
    let lines = bureau.take_all(&program).await?;
    let line = lines
        .iter()
        .find(|line| line["kind"] == "PHYSICAL")
        .context("the batch lacks the card")?;
    let order = line["order"].as_str().context("a line without its order")?;
    let made = format!("{} orders, one for {}", lines.len(), line["embossedName"]);
    cast.teller
        .act("bureau", "fetches its batch at the vault", "201", &made);
    bureau.say(order, "confirm", &json!({})).await?.expect(200)?;
    cast.teller
        .act("bureau", "confirms that the card is made", "200", "CONFIRMED");

    let deadline = Instant::now() + PATIENCE;
    loop {
        let cards = desk.list().await?.expect(200)?.json()?;
        let items = cards["items"].as_array().context("no items")?;
        if items
            .iter()
            .any(|item| item["id"] == card.id && item["state"] == "INACTIVE")
        {
            break;
        }
        ensure!(Instant::now() < deadline, "the card is not linked: {cards}");
        sleep(Duration::from_millis(50)).await;
    }
    cast.teller.act(
        "phone",
        "sees the card now",
        "200",
        &format!("{masked}, INACTIVE"),
    );
    let active = desk.activate(&card).await?.expect(200)?.text_at("/state")?;
    cast.teller.act("phone", "activates it", "200", &active);
    Ok(())
}
