//! The key inventory: versions, ages, uses, and what is to be done about them.

use clap::Args;
use shared::vault_api::paths;
use shared::vault_api::reports::{CryptographyEntry, KeyEntry, KeyInventory};

use crate::cli::Context;
use crate::console::{at, at_or_dash, table};
use crate::failure::Failure;

/// Every version of every key: state, age, uses, and warnings
///
/// Who: any registered officer or auditor.
///
/// Needs: an unlocked vault.
///
/// Next: a key with a warning is rotated: `rotate KEY`.
#[derive(Debug, Args)]
pub struct Keys {
    /// Show the algorithms in use instead (PCI DSS 12.3.3)
    #[arg(long)]
    cryptography: bool,
}

impl Keys {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let inventory: KeyInventory = context.vault()?.get(paths::KEY_INVENTORY).await?;
        if self.cryptography {
            return context
                .console
                .show(&inventory.cryptography, || cryptography(&inventory.cryptography));
        }
        context.console.show(&inventory, || keys(&inventory))
    }
}

fn keys(inventory: &KeyInventory) -> String {
    let row = |key: &KeyEntry| {
        let uses = match (key.uses, key.most_uses) {
            (Some(uses), Some(most)) => format!("{uses} of {most}"),
            (Some(uses), None) => uses.to_string(),
            (None, _) => "-".to_owned(),
        };
        [
            key.purpose.clone(),
            key.version.to_string(),
            key.state.clone(),
            at(key.created_at),
            at_or_dash(key.ends_at),
            uses,
        ]
    };
    let rows: Vec<_> = inventory.keys.iter().map(row).collect();
    let mut text = table(
        ["KEY", "VERSION", "STATE", "MADE", "ENDS", "USES"],
        &rows,
        "No key.",
    );
    text.push_str(&format!(
        "\nepoch {} since {}",
        inventory.epoch,
        at(inventory.epoch_since)
    ));
    for key in &inventory.keys {
        for warning in &key.warnings {
            text.push_str(&format!("\nWARNING {} {}: {warning}", key.purpose, key.version));
        }
    }
    text
}

fn cryptography(entries: &[CryptographyEntry]) -> String {
    let row = |entry: &CryptographyEntry| {
        [
            entry.purpose.clone(),
            entry.algorithm.clone(),
            entry.source.clone(),
            entry.library.clone(),
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    table(["FOR", "ALGORITHM", "STANDARD", "LIBRARY"], &rows, "Nothing.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_stand_out_below_the_table() {
        let inventory: KeyInventory = serde_json::from_str(
            r#"{"keys":[{"purpose":"card-kek","version":1,"state":"active","createdAt":"2026-01-02T03:04:05Z","uses":5,
                "mostUses":10,"warnings":["older than a year"]}],"epoch":3,"epochSince":"2026-01-02T03:04:05Z","cryptography":[]}"#,
        )
        .unwrap();
        let text = keys(&inventory);
        assert!(
            text.contains("5 of 10") && text.contains("WARNING card-kek 1: older than a year"),
            "{text}"
        );
        assert!(text.contains("epoch 3 since 2026-01-02"));
    }
}
