//! Follows the vault's notices in a task of its own: asks for the next ones, waits at the vault's door until there are any,
//! applies each, and acknowledges them. What cannot be applied stops the feed and is told again and again; it is never
//! passed over.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use shared::vault_api::notices::{AcknowledgeNotices, MOST_NOTICES, MOST_WAIT_SECONDS, Notice, NoticePage};
use tokio::time::sleep;

use crate::error::{Code, Error};
use crate::flows::notices;
use crate::services::Services;
use crate::store;

/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause after what will not mend itself.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// Follows, for ever; dropping the future ends it.
pub async fn run(services: Arc<Services>) {
    let mut away = false;
    loop {
        match follow(&services).await {
            Ok(applied) => {
                if applied > 0 {
                    tracing::info!(applied, "notices of the vault applied");
                }
                away = false;
            }
            Err(error) if error.code() == Code::Internal => {
                tracing::error!(%error, cause = error.cause(), alarm = "notices", "the vault's notices are stuck");
                sleep(LONG_PAUSE).await;
            }
            Err(error) => {
                // Said once: a vault that is away is told of elsewhere too.
                if !away {
                    tracing::warn!(%error, cause = error.cause(), "the vault's notices cannot be read");
                }
                away = true;
                sleep(PAUSE).await;
            }
        }
    }
}

/// One question to the vault and what follows. Returns how many notices were applied by us.
async fn follow(services: &Services) -> Result<u64, Error> {
    let after = store::notices::position(&mut *services.db.read().await?).await?;
    let page = services
        .vault
        .notices(after, MOST_NOTICES, MOST_WAIT_SECONDS)
        .await?;
    judge(after, &page)?;
    let (mut applied, mut reached) = (0, after);
    for item in &page.items {
        let notice: Notice = serde_json::from_value(item.clone()).map_err(|error| unknown(item, &error))?;
        if notices::apply(services, &notice).await? {
            applied += 1;
        }
        reached = notice.index;
    }
    if reached > after {
        let up_to = AcknowledgeNotices { up_to: reached };
        services
            .vault
            .acknowledge_notices(&services.vault_key()?, &up_to)
            .await?;
    }
    Ok(applied)
}

/// Whether the vault's memory and ours fit together.
fn judge(after: u64, page: &NoticePage<Value>) -> Result<(), Error> {
    if page.last < after {
        return Err(Error::internal(
            "the vault has fewer notices than were applied: was it put back to an earlier state?",
        ));
    }
    if after > 0 && page.first > after + 1 {
        return Err(Error::internal(
            "the vault has forgotten notices that were not applied: was this database put back to an earlier state?",
        ));
    }
    Ok(())
}

fn unknown(item: &Value, error: &serde_json::Error) -> Error {
    let (index, kind) = (item.get("index"), item.get("kind"));
    tracing::error!(?index, ?kind, %error, "a notice of the vault is of a kind that this version does not know");
    Error::internal("a notice of the vault cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_or_a_database_that_was_put_back_stops_the_feed() {
        let page = |first, last| NoticePage {
            items: Vec::new(),
            first,
            last,
        };
        assert!(judge(0, &page(1, 0)).is_ok());
        assert!(
            judge(0, &page(700, 900)).is_ok(),
            "a new gateway begins where the memory begins"
        );
        assert!(judge(7, &page(8, 9)).is_ok());
        assert!(judge(7, &page(9, 9)).is_err(), "8 is forgotten");
        assert!(judge(7, &page(1, 6)).is_err(), "7 is not there any more");
    }
}
