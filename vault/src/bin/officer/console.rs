//! What the officer reads and answers: results on stdout, remarks on stderr, nothing that could steer a terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use crate::failure::Failure;

/// Seconds are enough for people.
const TIME: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");

/// How to say things.
#[derive(Debug, Clone, Args)]
pub struct Console {
    /// Print the vault's own JSON: for machines
    ///
    /// Results stand on stdout in the shapes of the vault's API, one document a line; failures on stderr as
    /// {"exit", "error", "problem"}.
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
    /// Answer yes to "Are you sure?"; an approval still needs --hash
    #[arg(long, short = 'y', global = true, help_heading = "Output")]
    pub yes: bool,
}

impl Console {
    /// Prints a result: as JSON, or in words.
    ///
    /// # Errors
    /// Nobody reads it.
    pub fn show<T: Serialize + ?Sized>(
        &self,
        value: &T,
        words: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let text = if self.json {
            serde_json::to_string(value).map_err(|error| Failure::Unfinished(error.to_string()))?
        } else {
            printable(words().trim_end())
        };
        print(&text)
    }

    /// A remark beside the result; machines are spared it.
    pub fn remark(&self, text: &str) {
        if !self.json {
            // A closed stderr silences remarks, nothing else.
            let _ = writeln!(io::stderr(), "{}", printable(text));
        }
    }

    /// Asks before something that cannot be taken back.
    ///
    /// # Errors
    /// The answer is not `yes`, or there is nobody to ask.
    pub fn be_sure(&self, what: &str) -> Result<(), Failure> {
        if self.yes || self.ask(&format!("{what} Type yes to go on: "))? == "yes" {
            return Ok(());
        }
        Err(Failure::usage("nothing was done"))
    }

    /// Asks a question on the terminal and reads a line.
    ///
    /// # Errors
    /// stdin is no terminal: a pipe does not answer questions.
    pub fn ask(&self, question: &str) -> Result<String, Failure> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Err(Failure::usage(
                "there is no terminal to ask at; scripts give --yes (an approval: --hash HASH)",
            ));
        }
        let mut stderr = io::stderr();
        // Without the question on the screen the answer still counts.
        let _ = write!(stderr, "{}", printable(question)).and_then(|()| stderr.flush());
        let mut answer = String::new();
        let read = stdin.lock().read_line(&mut answer);
        read.map_err(|error| Failure::usage(format!("the answer cannot be read: {error}")))?;
        Ok(answer.trim().to_owned())
    }
}

/// Writes a line to stdout.
///
/// # Errors
/// [`Failure::NobodyListens`] when the pipe is closed.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::NobodyListens,
        _ => Failure::Unfinished(format!("stdout: {error}")),
    })
}

/// Names and notes come from elsewhere: an escape sequence in one must not move the cursor or rewrite the screen. The
/// same holds for the marks that turn the direction of writing.
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}')
    };
    text.chars()
        .map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

/// An instant as people read it, UTC.
pub fn at(time: OffsetDateTime) -> String {
    time.to_offset(time::UtcOffset::UTC)
        .format(TIME)
        .unwrap_or_else(|_| time.to_string())
}

/// An instant that may be absent.
pub fn at_or_dash(time: Option<OffsetDateTime>) -> String {
    time.map_or_else(|| "-".to_owned(), at)
}

/// Columns under their heads, as wide as their widest cell; `nothing` stands for an empty table.
pub fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]], nothing: &str) -> String {
    if rows.is_empty() {
        return nothing.to_owned();
    }
    let mut widths = heads.map(|head| head.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let cells = cells
            .into_iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(heads.to_vec())];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines.join("\n")
}

/// `label: value` lines, values under each other.
pub fn facts(pairs: &[(&str, String)]) -> String {
    let width = pairs
        .iter()
        .map(|(label, _)| label.chars().count())
        .max()
        .unwrap_or(0);
    let line = |(label, value): &(&str, String)| format!("{label:<width$}  {value}");
    pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn nothing_printed_steers_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\rc\u{9b}d\u{202e}e\nf"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e\nf"
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["a".to_owned(), "long one".to_owned()],
            ["bcd".to_owned(), String::new()],
        ];
        assert_eq!(table(["X", "Y"], &rows, "none"), "X    Y\na    long one\nbcd");
        assert_eq!(table::<1>(["X"], &[], "none"), "none");
    }

    #[test]
    fn times_are_utc_and_whole_seconds() {
        assert_eq!(at(datetime!(2026-01-02 03:04:05.678 +1)), "2026-01-02 02:04:05Z");
    }

    #[test]
    fn facts_line_up() {
        assert_eq!(
            facts(&[("a", "1".to_owned()), ("long", "2".to_owned())]),
            "a     1\nlong  2"
        );
    }
}
