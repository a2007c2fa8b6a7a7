//! The page of metrics, in the text format of OpenMetrics 1.0, which Prometheus reads.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::stock;
use crate::open_vault::OpenVault;
use crate::process::Process;

/// The media type of the page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// A page in the making.
pub(super) struct Page(Registry);

impl Page {
    /// A gauge without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl TryInto<i64>) {
        self.gauges(name, help, [(Vec::new(), value)]);
    }

    /// A gauge for each set of labels.
    pub(super) fn gauges<V: TryInto<i64>>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, V)>,
    ) {
        let family = Family::<Labels, Gauge>::default();
        for (labels, value) in values {
            family
                .get_or_create(&labels)
                .set(value.try_into().unwrap_or(i64::MAX));
        }
        self.0.register(format!("tessera_vault_{name}"), help, family);
    }
}

/// Everything there is to know now. While the vault is locked: what needs no key.
///
/// # Errors
/// Never in practice: a string takes any text.
pub fn render(process: &Process, vault: Option<&OpenVault>) -> Result<String, fmt::Error> {
    let mut page = Page(Registry::default());
    let surroundings = process.surroundings();
    surroundings.observed.counters.register(&mut page.0);
    page.gauges(
        "info",
        "1, with the version of the program",
        [(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1)],
    );
    page.gauge(
        "unlocked",
        "1 while the vault holds its keys",
        u8::from(vault.is_some()),
    );
    stock::certificates(&mut page, surroundings);
    stock::store(&mut page, &surroundings.store);
    stock::witnesses(&mut page, surroundings);
    if let Some(vault) = vault {
        stock::registers(&mut page, vault);
        stock::keys(&mut page, vault);
        stock::jobs(&mut page, vault);
        stock::backups(&mut page, vault);
        stock::waiting(&mut page, vault);
    }
    let mut text = String::new();
    encode(&mut text, &page.0)?;
    Ok(text)
}
