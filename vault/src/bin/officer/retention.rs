//! The retention report.

use clap::Args;
use shared::vault_api::paths;
use shared::vault_api::reports::{DestroyedCard, RetentionReport};

use crate::cli::Context;
use crate::console::{at, at_or_dash, facts, table};
use crate::failure::Failure;

/// What is kept, what was destroyed, and from when it is beyond recovery (PCI DSS 3.2.1)
///
/// Who: any registered officer or auditor.
///
/// Needs: an unlocked vault.
///
/// Next: keep the report with the assessment's papers (`--json` for all of it). A card without a date under BEYOND RECOVERY
/// still opens from an earlier copy of the store or a living backup.
#[derive(Debug, Args)]
pub struct Retention {}

impl Retention {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let report: RetentionReport = context.vault()?.get(paths::RETENTION).await?;
        context.console.show(&report, || words(&report))
    }
}

fn words(report: &RetentionReport) -> String {
    let closing = report.close_after_expiry_days;
    let mut text = facts(&[
        ("as of", at(report.as_of)),
        ("kept", report.kept.to_string()),
        ("in grace", report.in_grace.to_string()),
        ("destroyed", report.destroyed.to_string()),
        ("grace", format!("{} days", report.grace_days)),
        (
            "closed by itself",
            closing.map_or_else(|| "never".to_owned(), |days| format!("{days} days after expiry")),
        ),
        ("halted until", at_or_dash(report.halted_until)),
        ("last purge", at_or_dash(report.purged_at)),
    ]);
    let row = |card: &DestroyedCard| {
        [
            card.card.to_string(),
            card.program
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            at(card.destroyed_at),
            at_or_dash(card.beyond_recovery_at),
        ]
    };
    let rows: Vec<_> = report.cards.iter().map(row).collect();
    text.push_str("\n\n");
    text.push_str(&table(
        ["CARD", "PROGRAM", "DESTROYED", "BEYOND RECOVERY"],
        &rows,
        "No card was destroyed yet.",
    ));
    text
}
