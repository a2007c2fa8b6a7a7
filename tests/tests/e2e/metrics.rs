//! The vault's metrics through the real door: readable by a strict parser, true to what happened, silent about cards.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result, bail, ensure};
use deploy::stand::{Stand, StandOptions};
use shared::vault_api::paths;
use shared::vault_api::reports::CertificateEntry;

use crate::content::{BIN, FullCard};
use crate::pair::{finished, on_each_engine, run, scratch};

/// One scrape: each series (name and labels as written) with its value.
struct Page {
    text: String,
    series: BTreeMap<String, f64>,
}

impl Page {
    async fn scrape(stand: &Stand) -> Result<Self> {
        let answer = stand.auditor()?.door().get(paths::METRICS).await?.expect(200)?;
        let media_type = answer.header("content-type").unwrap_or_default();
        ensure!(
            media_type.starts_with("application/openmetrics-text"),
            "{media_type}"
        );
        Self::parse(String::from_utf8(answer.body)?)
    }

    /// The text format of OpenMetrics 1.0, as far as counters, gauges and histograms use it.
    fn parse(text: String) -> Result<Self> {
        let (mut types, mut series) = (BTreeMap::new(), BTreeMap::new());
        let mut lines = text.lines();
        ensure!(
            lines.next_back() == Some("# EOF"),
            "the page does not end with # EOF"
        );
        for line in lines {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').context("a TYPE without a type")?;
                ensure!(types.insert(name, kind).is_none(), "{name} is declared twice");
            } else if !line.starts_with("# HELP ") && !line.starts_with("# UNIT ") {
                let (name, value) = line.rsplit_once(' ').context("a sample without a value")?;
                belongs(name, &types).with_context(|| format!("the sample {line}"))?;
                let value = value.parse().with_context(|| format!("the value in {line}"))?;
                ensure!(
                    series.insert(name.to_owned(), value).is_none(),
                    "{name} occurs twice"
                );
            }
        }
        Ok(Self { text, series })
    }

    fn value(&self, series: &str) -> f64 {
        self.series.get(series).copied().unwrap_or_default()
    }

    fn has(&self, series: &str) -> Result<()> {
        ensure!(
            self.series.contains_key(series),
            "no {series} on the page:\n{}",
            self.text
        );
        Ok(())
    }
}

/// A sample's name is that of a declared family with the suffix of its type, and its labels are well-formed.
fn belongs(sample: &str, types: &BTreeMap<&str, &str>) -> Result<()> {
    let (name, labels) = match sample.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').context("an open brace")?),
        None => (sample, ""),
    };
    let declared = |suffix: &str| {
        name.strip_suffix(suffix)
            .and_then(|family| types.get(family).copied())
    };
    let known = match name.rsplit_once('_').map(|(_, suffix)| suffix) {
        Some("total") => declared("_total") == Some("counter"),
        Some("bucket") => declared("_bucket") == Some("histogram"),
        Some("sum") => declared("_sum") == Some("histogram"),
        Some("count") => declared("_count") == Some("histogram"),
        _ => false,
    };
    ensure!(
        known || types.get(name) == Some(&"gauge"),
        "of no declared family"
    );
    let mut names = HashSet::new();
    for label in labels.split("\",").filter(|label| !label.is_empty()) {
        let (name, value) = label.split_once("=\"").context("a label without a value")?;
        let well_formed =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        ensure!(well_formed && names.insert(name), "the label {name}");
        ensure!(
            !value.trim_end_matches('"').contains(['"', '\n']),
            "the value of {name}"
        );
    }
    Ok(())
}

#[test]
fn metrics_count_what_happened_and_name_no_card() {
    on_each_engine(async |pair| {
        let before = Page::scrape(&pair.stand).await?;
        let holder = pair.holder().await?;
        let desk = holder.phone.cards();
        let full = FullCard::of(&desk.reveal(&holder.card).await?.content)?;
        desk.reveal_with(&holder.card, None).await?.expect(403)?;
        pair.processor.pin(&full.pan, "0000").await?;
        let page = Page::scrape(&pair.stand).await?;
        for series in [
            "tessera_vault_operations_total{operation=\"issue\",outcome=\"done\"}",
            "tessera_vault_operations_total{operation=\"reveal\",outcome=\"done\"}",
            "tessera_vault_operations_total{operation=\"reveal\",outcome=\"refused\"}",
            "tessera_vault_operations_total{operation=\"verify-pin\",outcome=\"no-match\"}",
            "tessera_vault_refusals_total{code=\"HOLDER_PROOF_REQUIRED\",budget=\"\"}",
            "tessera_vault_requests_total{method=\"POST\",door=\"/v1/cards/{card}/reveal\",status=\"403\"}",
            "tessera_vault_request_seconds_count{method=\"POST\",door=\"/v1/cards/{card}/reveal\"}",
            "tessera_vault_requests_total{method=\"GET\",door=\"/metrics\",status=\"200\"}",
            "tessera_vault_store_commit_groups",
        ] {
            page.has(series)?;
            ensure!(page.value(series) > before.value(series), "{series} stands still");
        }
        ensure!(page.value("tessera_vault_unlocked") == 1.0);
        ensure!(page.value("tessera_vault_registered_keys{role=\"officer\"}") == 3.0);
        ensure!(page.value("tessera_vault_store_free_bytes") > 0.0);
        for series in [
            "tessera_vault_epoch",
            "tessera_vault_backups",
            "tessera_vault_key_most_uses",
        ] {
            page.has(series)?;
        }
        let records = "{purpose=\"records\",version=\"1\",state=\"active\"}";
        page.has(&format!("tessera_vault_key_age_seconds{records}"))?;
        ensure!(page.value(&format!("tessera_vault_key_uses{records}")) > 0.0);
        says_nothing_of_cards(&page.text, &[&full.pan, holder.card.token.as_str()])
    });
}

fn says_nothing_of_cards(text: &str, canaries: &[&str]) -> Result<()> {
    for token in ["crd_", "hld_", "apr_", "ord_", BIN] {
        ensure!(!text.contains(token), "{token} on the page");
    }
    for canary in canaries {
        ensure!(!text.contains(canary), "a canary on the page");
    }
    Ok(())
}

#[test]
fn everything_that_ends_is_in_the_inventory() {
    on_each_engine(async |pair| {
        // A peer is known once it was answered.
        Page::scrape(&pair.stand).await?;
        let page = Page::scrape(&pair.stand).await?;
        for (kind, name) in [
            ("own", "own"),
            ("authority", "internal-ca"),
            ("authority", "partner-ca"),
            ("revocation-list", "internal-crl"),
            ("revocation-list", "partner-crl"),
            ("peer", "spiffe://tessera/gateway"),
            ("peer", "spiffe://tessera/auditor/auditor"),
        ] {
            let series =
                format!("tessera_vault_certificate_ends_in_seconds{{kind=\"{kind}\",name=\"{name}\"}}");
            page.has(&series)?;
            ensure!(page.value(&series) > 3600.0, "{series}");
        }
        let listed = pair
            .stand
            .officer(1)?
            .door()
            .get(paths::CERTIFICATES)
            .await?
            .expect(200)?;
        let listed: Vec<CertificateEntry> = listed.read_as()?;
        ensure!(listed.len() >= 8 && listed.is_sorted_by_key(|entry| entry.ends_at));
        Ok(())
    });
}

#[test]
fn a_locked_vault_tells_an_auditor_that_it_is_locked() {
    run(async {
        let outcome = async {
            let mut stand = Stand::prepare(StandOptions::for_tests(&scratch("metrics")?)?).await?;
            stand.start_vault().await?;
            let page = Page::scrape(&stand).await?;
            ensure!(page.value("tessera_vault_unlocked") == 0.0);
            page.has("tessera_vault_unlocked")?;
            page.has("tessera_vault_store_free_bytes")?;
            ensure!(
                !page.text.contains("registered_keys"),
                "from a register that is sealed"
            );
            let officer = stand.officer(1)?.door().get(paths::METRICS).await?;
            officer.expect_refusal(403, "ROLE_FORBIDDEN")?;
            stand.stop().await
        };
        finished("no engine but the vault's", outcome.await);
    });
}

#[test]
fn the_parser_refuses_what_is_no_page() {
    run(async {
        for bad in [
            "",
            "# TYPE a gauge\na 1\n",
            "a 1\n# EOF\n",
            "# TYPE a gauge\na 1\na 2\n# EOF\n",
            "# TYPE a counter\na 1\n# EOF\n",
            "# TYPE a gauge\na x\n# EOF\n",
            "# TYPE a gauge\na{b=\"1\",b=\"2\"} 1\n# EOF\n",
        ] {
            assert!(Page::parse(bad.to_owned()).is_err(), "{bad}");
        }
        let outcome =
            match Page::parse("# HELP a b\n# TYPE a counter\na_total{b=\"c d\"} 1\n# EOF\n".to_owned()) {
                Ok(page) if page.value("a_total{b=\"c d\"}") == 1.0 => Ok(()),
                Ok(page) => bail_on(&page),
                Err(error) => Err(error),
            };
        finished("no engine", outcome);
    });
}

fn bail_on(page: &Page) -> Result<()> {
    bail!("another page: {}", page.text)
}
