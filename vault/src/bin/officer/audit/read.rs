//! Events as lines.

use std::time::Duration;

use serde_json::Value;
use shared::vault_api::audit::{AuditCheckpoint, AuditEntry, AuditPage};
use shared::vault_api::paths;

use super::checkpoint;
use crate::cli::Context;
use crate::client::Vault;
use crate::failure::Failure;

/// Events in one page: what the vault gives at most.
const PAGE: u64 = 1000;
/// Between two looks for new events. A look is an event too.
const PAUSE: Duration = Duration::from_secs(5);

/// The last events, and with `follow` those that come.
///
/// # Errors
/// [`Failure`].
pub async fn tail(context: &Context, lines: u64, follow: bool) -> Result<(), Failure> {
    let vault = context.vault()?;
    let own = vault.own.identity.to_string();
    let answer: AuditCheckpoint = vault.get(paths::AUDIT_CHECKPOINT).await?;
    let mut until = checkpoint::size(&answer)?;
    let mut next = until.saturating_sub(lines);
    loop {
        while next < until {
            let page = page(&vault, next, (until - next).min(PAGE)).await?;
            if page.events.is_empty() {
                break;
            }
            for entry in &page.events {
                next = entry.index + 1;
                // Each look for new events is an event: shown, they would be all there is to see.
                if context.console.json || !(follow && is_own_reading(entry, &own)) {
                    context.console.show(entry, || line(entry))?;
                }
            }
        }
        if !follow {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
        until = u64::MAX;
    }
}

/// Events from `from` on, one a line.
///
/// # Errors
/// [`Failure`].
pub async fn events(context: &Context, from: u64, limit: Option<u64>) -> Result<(), Failure> {
    let vault = context.vault()?;
    let (mut next, mut left) = (from, limit.unwrap_or(u64::MAX));
    while left > 0 {
        let page = page(&vault, next, left.min(PAGE)).await?;
        for entry in &page.events {
            context.console.show(entry, || entry.event.clone())?;
            next = entry.index + 1;
            left -= 1;
        }
        if page.next.is_none() || page.events.is_empty() {
            break;
        }
    }
    Ok(())
}

/// One page.
///
/// # Errors
/// [`Failure`].
pub async fn page(vault: &Vault, from: u64, limit: u64) -> Result<AuditPage, Failure> {
    vault
        .get(&format!("{}?from={from}&limit={limit}", paths::AUDIT_EVENTS))
        .await
}

/// Hands the first `size` events to `take`, in order.
///
/// # Errors
/// [`Failure`]; among others when the vault has fewer, or `take` refuses one.
pub async fn each(
    vault: &Vault,
    size: u64,
    mut take: impl FnMut(AuditEntry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut next = 0;
    while next < size {
        let page = page(vault, next, (size - next).min(PAGE)).await?;
        let (before, places) = (next, page.events.len() as u64);
        for entry in page
            .events
            .into_iter()
            .take(usize::try_from(size - next).unwrap_or(usize::MAX))
        {
            take(entry)?;
        }
        next = before + places;
        if places == 0 {
            return Err(Failure::Unverified(format!(
                "the vault gives {next} events, and signed {size}"
            )));
        }
    }
    Ok(())
}

fn is_own_reading(entry: &AuditEntry, own: &str) -> bool {
    let event = serde_json::from_str::<Value>(&entry.event).unwrap_or_default();
    event.get("operation").and_then(Value::as_str) == Some("read-audit")
        && event.get("caller").and_then(Value::as_str) == Some(own)
}

/// An event in a line: place, time, what, how it ended, who, about what.
fn line(entry: &AuditEntry) -> String {
    let Ok(event) = serde_json::from_str::<Value>(&entry.event) else {
        return format!("{} {}", entry.index, entry.event);
    };
    let text = |name: &str| {
        event
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let outcome = match event.get("outcome") {
        Some(Value::String(outcome)) => outcome.clone(),
        Some(other) => {
            let refused = other.get("refused");
            let part = |name| {
                refused
                    .and_then(|refused| refused.get(name)?.as_str())
                    .unwrap_or_default()
            };
            format!("REFUSED {} ({})", part("code"), part("reason"))
        }
        None => String::new(),
    };
    let mut parts = vec![entry.index.to_string(), text("at"), text("operation"), outcome];
    if event.get("emitted") == Some(&Value::Bool(true)) {
        parts.push("CARD DATA EMITTED".to_owned());
    }
    parts.extend(["caller", "from", "program", "holder", "card", "note"].map(text));
    parts.retain(|part| !part.is_empty());
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(event: &str) -> String {
        line(&AuditEntry {
            index: 7,
            event: event.to_owned(),
            hash: String::new(),
        })
    }

    #[test]
    fn an_event_is_a_line() {
        let event = r#"{"at":"2026-01-02T03:04:05Z","operation":"give-share","outcome":{"refused":{"code":"SHARE_WRONG","reason":"no"}},"caller":"spiffe://tessera/officer/a"}"#;
        assert_eq!(
            shown(event),
            "7  2026-01-02T03:04:05Z  give-share  REFUSED SHARE_WRONG (no)  spiffe://tessera/officer/a"
        );
        let event = r#"{"at":"2026-01-02T03:04:05Z","operation":"reveal","outcome":"done","card":"crd_x","emitted":true}"#;
        assert_eq!(
            shown(event),
            "7  2026-01-02T03:04:05Z  reveal  done  CARD DATA EMITTED  crd_x"
        );
        assert_eq!(shown("{"), "7 {");
    }
}
