//! Orders of plastic that the bureau has not confirmed.

use clap::Args;
use shared::vault_api::paths;
use shared::vault_api::plastic::WaitingOrder;

use crate::cli::Context;
use crate::console::{at, table};
use crate::failure::Failure;

/// Orders of plastic that the bureau has not confirmed, oldest first
///
/// Who: any registered officer or auditor.
///
/// Needs: an unlocked vault.
///
/// Next: an order without a batch the bureau has not fetched; one in a batch it has and is silent about. After 48 hours the
/// gateway tells the partner that the order is late.
#[derive(Debug, Args)]
pub struct Orders {
    /// Only those that were placed at least so many hours ago
    #[arg(long, default_value_t = 0)]
    hours: u32,
}

impl Orders {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let path = format!("{}?hours={}", paths::WAITING_ORDERS, self.hours);
        let orders: Vec<WaitingOrder> = context.vault()?.get(&path).await?;
        context.console.show(&orders, || list(&orders))
    }
}

fn list(orders: &[WaitingOrder]) -> String {
    let row = |order: &WaitingOrder| {
        [
            order.order.to_string(),
            order.program.to_string(),
            at(order.placed_at),
            order
                .batch
                .as_ref()
                .map_or_else(|| "not fetched".to_owned(), ToString::to_string),
        ]
    };
    let rows: Vec<_> = orders.iter().map(row).collect();
    table(["ORDER", "PROGRAM", "PLACED", "BATCH"], &rows, "None.")
}
