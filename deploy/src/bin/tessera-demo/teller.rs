//! What a person sees: chapters, one aligned line for each step, and under it, where it counts, why.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Error;
use deploy::stand::Stand;

/// Width of the column that says who acts.
const WHO: usize = 12;
/// Width of the column that says what is done.
const WHAT: usize = 40;

/// Tells the story on standard output.
#[derive(Debug)]
pub(crate) struct Teller {
    colours: bool,
}

#[derive(Debug, Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Green,
    Red,
}

impl Teller {
    /// With colours on a terminal, unless `NO_COLOR` asks for none (no-color.org).
    pub(crate) fn on_stdout() -> Self {
        Self {
            colours: io::stdout().is_terminal()
                && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Green => "32",
            Style::Red => "31",
        };
        if self.colours {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// A line as it is. A closed pipe is no reason to stop: the pair's life does not hang on a reader.
    pub(crate) fn line(&self, text: &str) {
        let _ = writeln!(io::stdout(), "{text}");
    }

    pub(crate) fn title(&self) {
        self.line("");
        self.line(&format!(
            "  {}",
            self.paint(Style::Bold, "Tessera: a card that its own gateway cannot read")
        ));
        self.line(&self.paint(
            Style::Dim,
            "  Two processes, mutual TLS, nothing simulated. Card numbers come from a test range.",
        ));
    }

    pub(crate) fn chapter(&self, title: &str) {
        self.line("");
        self.line(&format!("  {}", self.paint(Style::Bold, title)));
    }

    /// A step of the stage: who stands there now.
    pub(crate) fn step(&self, who: &str, result: &str) {
        self.line(&format!(
            "  {} {who:<WHO$}  {result}",
            self.paint(Style::Green, "✓")
        ));
    }

    /// An act: who did what, and what came back.
    pub(crate) fn act(&self, who: &str, what: &str, status: &str, result: &str) {
        let what = format!("{what:<WHAT$}");
        self.line(&format!(
            "  {} {who:<WHO$}  {what}  {status:<4} {result}",
            self.paint(Style::Green, "✓")
        ));
    }

    /// Why the last act matters.
    pub(crate) fn why(&self, text: &str) {
        self.line(&self.paint(Style::Dim, &format!("    {:WHO$}  {text}", "")));
    }

    /// Something that was left out, and why.
    pub(crate) fn skipped(&self, who: &str, what: &str, reason: &str) {
        self.line(&self.paint(Style::Dim, &format!("  – {who:<WHO$}  {what}: {reason}")));
    }

    pub(crate) fn serving(&self, stand: &Stand) {
        self.line("");
        self.line(&self.addresses(stand));
        self.line("  Serving until SIGTERM or Ctrl-C.");
    }

    pub(crate) fn closing_running(&self, stand: &Stand) {
        self.line("");
        self.line(&format!(
            "  {}",
            self.paint(Style::Bold, "All as it should be. The pair runs on:")
        ));
        self.line(&self.addresses(stand));
        self.line("  Stop it with  deploy/demo --stop");
        self.line("");
    }

    pub(crate) fn closing_stopped(&self) {
        self.line("");
        self.line(&format!(
            "  {}",
            self.paint(Style::Bold, "All as it should be. The pair is stopped.")
        ));
        self.line("");
    }

    fn addresses(&self, stand: &Stand) -> String {
        let ports = stand.ports();
        format!(
            "  phones   {}\n  partners {}\n  vault    {}\n  {}",
            ports.gateway_url(),
            ports.partner_url(),
            ports.vault_url(),
            self.paint(
                Style::Dim,
                &format!("certificates, logs and paths: {}", stand.layout().info.display())
            ),
        )
    }

    /// What went wrong, on standard error, from the outermost to the innermost sentence.
    pub(crate) fn failure(&self, error: &Error) {
        let _ = writeln!(io::stdout());
        let _ = writeln!(io::stderr(), "  {} {error}", self.paint(Style::Red, "✗"));
        for cause in error.chain().skip(1) {
            let _ = writeln!(io::stderr(), "    {cause}");
        }
    }
}
