//! An import file from a CSV on stdin: each row goes into a line that is sealed to the vault's attested key, and in clear
//! nowhere else. Whether a number is one is the vault's to judge; here only what cannot be told apart is refused.

use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use shared::clock::Clock;
use shared::jwe::Sealer;
use shared::jws::attestation;
use shared::public_key::PublicKey;
use shared::vault_api::bulk::{MOST_LINE_BYTES, MOST_ROWS};
use shared::vault_api::keys::VaultKeys;
use shared::vault_api::paths;
use zeroize::{Zeroize as _, Zeroizing};

use crate::approvals::digest_of;
use crate::audit::vault_trust;
use crate::cli::Context;
use crate::connection::environment;
use crate::failure::Failure;
use crate::files;

/// The columns that there are; the first two must be there.
const COLUMNS: [&str; 6] = ["cardNo", "exp", "cvv", "pin", "holder", "reference"];
/// Longest row in bytes: every member as long as the vault takes it.
const MOST_ROW_BYTES: usize = 512;

/// Seal a CSV of cards to the vault, from stdin into a new file
///
/// Who: whoever has the cards, with an officer's or auditor's certificate, on the machine where the CSV is made.
///
/// Needs: a CSV on stdin (never a file of it): its first line names the columns, of cardNo, exp (the last day of the month,
/// YYYY-MM-DD), cvv, pin, holder, reference; the first two must be there. Values are plain or wholly in double quotes. The
/// vault's key is used only if the vault's certificate attests it.
///
/// Next: `import propose --program NAME FILE`, first with --dry-run. Only the vault opens the file.
#[derive(Debug, Args)]
pub struct Seal {
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Seal {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`]; a row that cannot be read is named by its number, never by its content.
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        if io::stdin().is_terminal() {
            context
                .console
                .remark("Reading the CSV from the terminal; end with Ctrl-D.");
        }
        let sealer = attested(context).await?;
        let mut file = files::create_new(&self.out)?;
        let sealed = seal(BufReader::new(io::stdin()), &mut file, &sealer);
        if sealed.is_err() {
            // Half a file must not pass for the whole; what stays is sealed.
            let _ = std::fs::remove_file(&self.out);
        }
        let rows = sealed?;
        file.sync_all()
            .map_err(|error| files::cannot_write(&self.out, &error))?;
        let (sha256, lines) = digest_of(&self.out)?;
        let said = json!({ "rows": rows, "lines": lines, "sha256": sha256 });
        context.console.show(&said, || {
            format!(
                "{rows} rows are sealed in {} ({lines} lines, SHA-256 {sha256}).",
                self.out.display()
            )
        })?;
        let next = format!(
            "Next: `officer import propose --program NAME --dry-run {}`.",
            self.out.display()
        );
        context.console.remark(&next);
        Ok(())
    }
}

/// A sealer to the vault's current key, once the vault's certificate vouches for it.
async fn attested(context: &Context) -> Result<Sealer, Failure> {
    let keys: VaultKeys = context.vault()?.get(paths::KEYS).await?;
    let key = keys.keys.first().and_then(|jwk| PublicKey::from_jwk(jwk).ok());
    let key = key.ok_or_else(|| Failure::Unverified("the vault shows no key to seal to".to_owned()))?;
    let trust = vault_trust(context.options().trust(&environment)?)?;
    attestation::verify(&keys.attestation, &trust, Clock::System.now(), &key.thumbprint())
        .map_err(|error| Failure::Unverified(format!("the attestation of the vault's key: {error}")))?;
    Sealer::new(&key).map_err(|error| Failure::Unfinished(error.to_string()))
}

/// Seals every row of `csv` into lines of `out`, and tells how many there were.
fn seal(mut csv: impl BufRead, out: &mut impl Write, sealer: &Sealer) -> Result<u64, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(2 * MOST_ROW_BYTES));
    let columns = match next_line(&mut csv, &mut text)? {
        true => heading(&text)?,
        false => return Err(Failure::usage("there is no CSV on stdin")),
    };
    let mut line = Line::new();
    let mut rows = 0;
    while next_line(&mut csv, &mut text)? {
        rows += 1;
        let cells = cells(&text).filter(|cells| cells.len() == columns.len());
        let cells =
            cells.ok_or_else(|| bad_row(rows, "another number of values than columns, or a stray quote"))?;
        line.add(&columns, &cells).ok_or_else(|| {
            bad_row(
                rows,
                "a value that is too long or has a quote, a backslash or a control character",
            )
        })?;
        if line.rows == MOST_ROWS {
            line.write(out, sealer)?;
        }
    }
    if line.rows > 0 {
        line.write(out, sealer)?;
    }
    match rows {
        0 => Err(Failure::usage("the CSV has no rows")),
        rows => Ok(rows),
    }
}

fn bad_row(row: u64, what: &str) -> Failure {
    Failure::usage(format!("row {row} of the CSV has {what}"))
}

/// Reads the next line that is not empty; `false` at the end.
fn next_line(csv: &mut impl BufRead, text: &mut Zeroizing<String>) -> Result<bool, Failure> {
    loop {
        text.zeroize();
        let read = csv.by_ref().take(2 * MOST_ROW_BYTES as u64).read_line(text);
        let read =
            read.map_err(|error| Failure::usage(format!("the CSV cannot be read: {}", error.kind())))?;
        if read == 0 {
            return Ok(false);
        }
        if read == 2 * MOST_ROW_BYTES {
            return Err(Failure::usage("a line of the CSV is longer than any row"));
        }
        if !text.trim().is_empty() {
            return Ok(true);
        }
    }
}

/// Which column stands where.
fn heading(text: &str) -> Result<Vec<&'static str>, Failure> {
    let known = |name: &str| COLUMNS.into_iter().find(|column| *column == name);
    let names: Option<Vec<&'static str>> =
        cells(text.trim_start_matches('\u{feff}')).and_then(|cells| cells.into_iter().map(known).collect());
    let names = names.filter(|names| {
        let once = |column| names.iter().filter(|name| **name == column).count();
        once("cardNo") == 1 && once("exp") == 1 && COLUMNS.into_iter().all(|column| once(column) <= 1)
    });
    names.ok_or_else(|| {
        Failure::usage(format!(
            "the CSV's first line must name columns of {}, each once, cardNo and exp among them",
            COLUMNS.join(", ")
        ))
    })
}

/// The values of a row, borrowed; `None` for a quote that is not around a whole value.
fn cells(text: &str) -> Option<Vec<&str>> {
    let mut rest = text.trim_end_matches(['\r', '\n']);
    let mut cells = Vec::with_capacity(COLUMNS.len());
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (cell, after) = quoted.split_once('"')?;
                (cell, (!after.is_empty()).then_some(after))
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (cell, after) = rest.split_at_checked(end)?;
                (cell, (!after.is_empty()).then_some(after))
            }
        };
        cells.push(cell);
        match after {
            None => return Some(cells),
            Some(after) => rest = after.strip_prefix(',')?,
        }
    }
}

/// A line in the making: JSON of rows, in one buffer that never grows.
struct Line {
    json: Zeroizing<String>,
    rows: usize,
}

impl Line {
    fn new() -> Self {
        Self {
            json: Zeroizing::new(String::with_capacity(2 * MOST_ROWS * MOST_ROW_BYTES)),
            rows: 0,
        }
    }

    /// Adds a row; `None` for a value that JSON would have to escape, or a row that is too long. Empty values are left out.
    fn add(&mut self, columns: &[&str], cells: &[&str]) -> Option<()> {
        let needs_escape = |c: char| c.is_control() || c == '"' || c == '\\';
        let length: usize = cells.iter().map(|cell| cell.len()).sum();
        if length > MOST_ROW_BYTES || cells.iter().any(|cell| cell.contains(needs_escape)) {
            return None;
        }
        self.json
            .push_str(if self.rows == 0 { r#"{"rows":["# } else { "," });
        let mut separator = '{';
        for (column, cell) in columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            self.json.push(separator);
            for part in ["\"", column, "\":\"", cell.trim(), "\""] {
                self.json.push_str(part);
            }
            separator = ',';
        }
        self.json.push_str(if separator == '{' { "{}" } else { "}" });
        self.rows += 1;
        Some(())
    }

    fn write(&mut self, out: &mut impl Write, sealer: &Sealer) -> Result<(), Failure> {
        self.json.push_str("]}");
        let sealed = sealer.seal(self.json.as_bytes());
        let sealed = sealed.map_err(|error| Failure::Unfinished(error.to_string()))?;
        if sealed.len() > MOST_LINE_BYTES {
            return Err(Failure::usage("rows that are longer than any import has"));
        }
        self.json.zeroize();
        self.rows = 0;
        writeln!(out, "{sealed}")
            .map_err(|error| Failure::usage(format!("the file cannot be written: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recipient;

    /// The plaintexts of the lines, or what was refused.
    fn sealed(csv: &str) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        let (_, key) = recipient(directory.path());
        let mut out = Vec::new();
        seal(csv.as_bytes(), &mut out, &Sealer::new(key.public_key()).unwrap())
            .map_err(|failure| failure.to_string())?;
        let open = |line: &str| String::from_utf8(key.open(line).unwrap().to_vec()).unwrap();
        Ok(String::from_utf8(out).unwrap().lines().map(open).collect())
    }

    #[test]
    fn rows_become_sealed_lines() {
        let csv = "\u{feff}cardNo,exp,reference\r\n9999000000000001,2029-11-30,\"a, b\"\r\n\r\n9999000000000019,2029-11-30,\r\n";
        assert_eq!(
            sealed(csv).unwrap(),
            [
                r#"{"rows":[{"cardNo":"9999000000000001","exp":"2029-11-30","reference":"a, b"},{"cardNo":"9999000000000019","exp":"2029-11-30"}]}"#
            ]
        );
    }

    #[test]
    fn a_line_holds_a_bounded_number_of_rows() {
        let rows = "9999000000000001,2029-11-30\n".repeat(MOST_ROWS + 1);
        let lines = sealed(&format!("cardNo,exp\n{rows}")).unwrap();
        assert_eq!(
            lines
                .iter()
                .map(|line| line.matches("cardNo").count())
                .collect::<Vec<_>>(),
            [MOST_ROWS, 1]
        );
    }

    #[test]
    fn what_cannot_be_told_apart_is_named_by_its_row_and_not_by_its_content() {
        let number = "9999000000000001";
        for (rows, says) in [
            (format!("{number}\n"), "row 1"),
            (format!("{number},2029-11-30,extra\n"), "row 1"),
            (format!("{number},\"2029\"x\n"), "row 1"),
            (format!("{number},2029-11-30\n{number},a\\b\n"), "row 2"),
            (format!("{number},{}\n", "x".repeat(MOST_ROW_BYTES)), "row 1"),
            (
                format!("{number},{}\n", "x".repeat(3 * MOST_ROW_BYTES)),
                "longer than any row",
            ),
            (String::new(), "no rows"),
        ] {
            let text = sealed(&format!("cardNo,exp\n{rows}")).unwrap_err();
            assert!(text.contains(says) && !text.contains(number), "{says}: {text}");
        }
        for heading in [
            "",
            "cardNo\n",
            "exp,cvv\n",
            "cardNo,exp,exp\n",
            "cardNo,exp,name\n",
            "9999000000000001,2029-11-30\n",
        ] {
            let text = sealed(heading).unwrap_err();
            assert!(!text.contains(number), "{text}");
        }
    }
}
