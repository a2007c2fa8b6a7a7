//! A bureau that does not confirm within 48 hours.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use deploy::actors::PartnerServer;
use serde_json::json;
use shared::vault_api::paths;
use shared::vault_api::plastic::WaitingOrder;
use tokio::time::{Instant, sleep};

use super::{LOOK_AGAIN, PATIENCE, PROGRAM, arrives, delivery, line_of, order, said, token_of};
use crate::pair::Pair;

const HOUR: u64 = 3600;

/// Last, for the clock goes on for all.
pub(super) async fn a_late_bureau_is_told_of_and_still_links(pair: &Pair) -> Result<()> {
    let bureau = pair.stand.bureau()?;
    let (user, phone) = pair.user().await?;
    let prefix = PartnerServer::prefix(user);
    let ordered = order(phone.cards(), "Ada").await?;
    let lines = bureau.take_all(PROGRAM).await?;
    let token = token_of(line_of(&lines, &ordered.text("maskedCardNo")?)?)?;
    let waiting = async |hours: u64| -> Result<Vec<WaitingOrder>> {
        let door = pair.stand.vault_door(&pair.stand.certificates().auditor)?;
        let path = format!("{}?hours={hours}", paths::WAITING_ORDERS);
        door.get(&path).await?.expect(200)?.read_as()
    };
    ensure!(
        waiting(0)
            .await?
            .iter()
            .any(|order| order.order.as_str() == token)
    );
    ensure!(waiting(48).await?.is_empty());
    pair.stand.set_clock_ahead(Duration::from_secs(48 * HOUR + 60))?;
    let deadline = Instant::now() + PATIENCE;
    while delivery(pair, &prefix, token).await?["overdue"] != true {
        if Instant::now() > deadline {
            bail!("nobody sees that the bureau is late");
        }
        sleep(LOOK_AGAIN).await;
    }
    ensure!(
        waiting(48)
            .await?
            .iter()
            .any(|order| order.order.as_str() == token)
    );
    said(&bureau, token, "confirm", json!({})).await?;
    let linked = arrives(pair, &prefix, token, "CONFIRMED").await?;
    ensure!(linked["overdue"] == true, "{linked}");
    let listed = pair.partner.cards(&prefix).list().await?.expect(200)?.json()?;
    ensure!(listed["items"][0]["state"] == "INACTIVE", "{listed}");
    Ok(())
}
