//! Hands events out: each gets its number, a delivery for every endpoint that wants it, and the mails about it, in one
//! transaction. Whatever was committed is handed out once, after a kill too: by whoever comes next.

use std::collections::HashMap;

use shared::mtls::identity::Name;

use super::write_letters::write_letters;
use crate::domain::webhook::Endpoint;
use crate::error::Error;
use crate::services::Services;
use crate::store::webhooks::{self, deliveries};
use crate::store::{Tx, events};

/// Events a transaction: short enough that nobody waits long for the writer.
const BATCH: i64 = 100;

/// Hands out what waits. Returns how many events.
///
/// # Errors
/// When the database fails.
pub async fn hand_out(services: &Services) -> Result<u64, Error> {
    let mut handed_out = 0;
    loop {
        let waits = {
            let mut read = services.db.read().await?;
            events::any_waits(&mut read).await?
        };
        if !waits {
            return Ok(handed_out);
        }
        handed_out += batch(services).await?;
    }
}

async fn batch(services: &Services) -> Result<u64, Error> {
    let now = services.now();
    let mut tx = services.db.begin().await?;
    let told = events::hand_out(&mut tx, BATCH).await?;
    let mut endpoints: HashMap<Name, Vec<Endpoint>> = HashMap::new();
    for event in &told {
        if !endpoints.contains_key(&event.partner) {
            let enabled = webhooks::enabled_of(&mut tx, &event.partner).await?;
            endpoints.insert(event.partner.clone(), enabled);
        }
        let of_partner = endpoints.get(&event.partner).into_iter().flatten();
        for endpoint in of_partner.filter(|endpoint| endpoint.wants(event.kind, event.program.as_ref())) {
            deliveries::insert(&mut tx, endpoint.id, event.number, now).await?;
        }
        write_letters(services, &mut tx, event).await?;
    }
    commit(services, tx).await?;
    Ok(told.len() as u64)
}

async fn commit(services: &Services, tx: Tx) -> Result<(), Error> {
    tx.commit().await?;
    services.deliveries_due.notify_one();
    Ok(())
}
