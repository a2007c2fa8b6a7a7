//! The one table, as Markdown, and the verdict on each target.

use std::fmt;

use crate::bare_commit::{BareRate, Shape};
use crate::closed_loop::Sample;
use crate::crypto_steps::Steps;

/// A measured operation at one number of connections.
pub struct Row {
    operation: String,
    connections: usize,
    rate: f64,
    median: f64,
    slow: f64,
    processes: Vec<ProcessRow>,
    client_micros: f64,
}

struct ProcessRow {
    name: &'static str,
    micros: f64,
    resident_mib: f64,
    threads: Vec<(String, f64)>,
}

/// Threads that take less of an operation than this, in microseconds, are not shown.
const LEAST_MICROS: f64 = 1.0;

impl ProcessRow {
    fn new(name: &'static str, index: usize, sample: &Sample) -> Self {
        let threads = sample.threads.get(index).into_iter().flatten();
        let mut threads: Vec<(String, f64)> = threads
            .map(|(name, time)| (name.clone(), sample.micros(*time)))
            .filter(|(_, micros)| *micros >= LEAST_MICROS)
            .collect();
        threads.sort_by(|a, b| b.1.total_cmp(&a.1));
        Self {
            name,
            micros: sample.cpu_micros(index),
            resident_mib: sample.resident.get(index).copied().unwrap_or_default() as f64 / f64::from(1 << 20),
            threads,
        }
    }

    fn shares(&self) -> String {
        let shares: Vec<_> = self
            .threads
            .iter()
            .map(|(name, micros)| format!("`{name}` {micros:.0}"))
            .collect();
        shares.join(" · ")
    }
}

impl Row {
    /// A row for `sample`, whose processes are called `names`.
    #[must_use]
    pub fn new(operation: &str, connections: usize, names: &[&'static str], sample: &Sample) -> Self {
        let processes = names
            .iter()
            .enumerate()
            .map(|(index, name)| ProcessRow::new(name, index, sample));
        Self {
            operation: operation.to_owned(),
            connections,
            rate: sample.rate(),
            median: sample.percentile(50.0),
            slow: sample.percentile(99.0),
            processes: processes.collect(),
            client_micros: sample.client_micros(),
        }
    }

    fn each(&self, show: impl Fn(&ProcessRow) -> String) -> String {
        let shown: Vec<_> = self
            .processes
            .iter()
            .map(|process| format!("{} {}", process.name, show(process)))
            .collect();
        shown.join(" · ")
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {:.0} | {:.0} | {:.0} | {} | {:.0} | {} |",
            self.operation,
            self.connections,
            self.rate,
            self.median,
            self.slow,
            self.each(|process| format!("{:.1}", process.micros)),
            self.client_micros,
            self.each(|process| format!("{:.0}", process.resident_mib)),
        )
    }
}

/// A target: what was found, beside what was to be reached.
pub struct Target {
    /// What is compared.
    pub what: String,
    /// The figure found.
    pub found: f64,
    /// Its bound.
    pub bound: Bound,
    /// How the figure came about.
    pub from: String,
}

/// On which side of the target the good figures are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

impl Target {
    fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.found <= most,
            Bound::AtLeast(least) => self.found >= least,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, bound) = match self.bound {
            Bound::AtMost(most) => ("≤", most),
            Bound::AtLeast(least) => ("≥", least),
        };
        let verdict = if self.is_met() { "met" } else { "**missed**" };
        let Self {
            what, found, from, ..
        } = self;
        write!(
            f,
            "| {what} | {sign} {bound:.2} | {found:.2} | {verdict} | {from} |"
        )
    }
}

/// Everything that one run found.
#[derive(Default)]
pub struct Report {
    /// The operations.
    pub rows: Vec<Row>,
    /// The cryptographic steps.
    pub steps: Option<Steps>,
    /// What an issue writes, and bare group commits of it a second at each number of writers.
    pub bare: Option<(Shape, Vec<BareRate>)>,
    /// The targets.
    pub targets: Vec<Target>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| operation | connections | operations/s | p50 µs | p99 µs | CPU µs an operation | client µs | RSS MiB |"
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|---|--:|---|")?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        if let Some((shape, rates)) = &self.bare {
            for BareRate {
                writers,
                rate,
                micros,
            } in rates
            {
                let (keys, bytes) = (shape.keys(), shape.bytes());
                let name = format!("bare group commit, {keys} keys, {bytes} bytes");
                writeln!(
                    f,
                    "| {name} | {writers} | {rate:.0} | | | store and writers {micros:.1} | | |"
                )?;
            }
        }
        writeln!(
            f,
            "\n| operation | connections | process | CPU µs an operation by thread |\n|---|--:|---|---|"
        )?;
        for row in self.rows.iter().filter(|row| row.connections > 1) {
            for process in row.processes.iter().filter(|process| process.threads.len() > 1) {
                let Row {
                    operation,
                    connections,
                    ..
                } = row;
                writeln!(
                    f,
                    "| {operation} | {connections} | {} | {} |",
                    process.name,
                    process.shares()
                )?;
            }
        }
        if let Some(steps) = &self.steps {
            writeln!(f, "\n| step, one thread a core | CPU µs |\n|---|--:|")?;
            for (name, micros) in steps_by_name(steps) {
                writeln!(f, "| {name} | {micros:.1} |")?;
            }
        }
        if !self.targets.is_empty() {
            writeln!(f, "\n| target | bound | found | | from |\n|---|--:|--:|---|---|")?;
            for target in &self.targets {
                writeln!(f, "{target}")?;
            }
        }
        Ok(())
    }
}

fn steps_by_name(steps: &Steps) -> [(&'static str, f64); 8] {
    [
        ("ES256 verify (Holder-Proof)", steps.es256_verify),
        ("ES256 sign (Vault-Proof)", steps.es256_sign),
        ("RSA-OAEP-256 to a 2048-bit key", steps.rsa_oaep_256),
        ("the same to a key never seen", steps.rsa_oaep_256_new_key),
        ("ECDH-ES on P-256", steps.ecdh_es),
        ("AES-256-GCM, 512 bytes, key schedule and nonce", steps.aes_gcm),
        ("all steps of a reveal to RSA-2048", steps.of_rsa_reveal()),
        ("all steps of a reveal to P-256", steps.of_p256_reveal()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(found: f64, bound: Bound) -> Target {
        let (what, from) = ("a".to_owned(), "b".to_owned());
        Target {
            what,
            found,
            bound,
            from,
        }
    }

    #[test]
    fn a_target_is_met_on_its_good_side() {
        assert!(target(1.5, Bound::AtMost(1.5)).is_met());
        assert!(!target(1.51, Bound::AtMost(1.5)).is_met());
        assert!(target(0.5, Bound::AtLeast(0.5)).is_met());
        assert!(!target(0.49, Bound::AtLeast(0.5)).is_met());
    }

    #[test]
    fn a_missed_target_says_so_in_its_line() {
        let line = target(2.0, Bound::AtMost(1.5)).to_string();
        assert_eq!(line, "| a | ≤ 1.50 | 2.00 | **missed** | b |");
    }
}
