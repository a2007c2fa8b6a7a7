//! What the command says to its user: reports on standard output, refusals on standard error.

use std::io::{self, Write};

use certs::Certificate;
use certs::index::Record;
use time::format_description::well_known::Rfc3339;

/// One certificate, as a few lines.
pub(crate) fn certificate(out: &mut impl Write, certificate: &Certificate) -> anyhow::Result<()> {
    let record = &certificate.record;
    for name in &record.names {
        writeln!(out, "  {name}")?;
    }
    writeln!(out, "  serial      {}", record.serial)?;
    writeln!(out, "  valid until {}", record.not_after.format(&Rfc3339)?)?;
    writeln!(out, "  sha256      {}", record.fingerprint)?;
    Ok(())
}

/// One line of the index.
pub(crate) fn record(out: &mut impl Write, record: &Record) -> anyhow::Result<()> {
    let until = record.not_after.format(&Rfc3339)?;
    write!(
        out,
        "{}  until {until}  {}",
        record.serial,
        record.names.join(" ")
    )?;
    if let Some(revocation) = &record.revoked {
        write!(
            out,
            "  revoked {} ({})",
            revocation.at.format(&Rfc3339)?,
            revocation.reason.word()
        )?;
    }
    writeln!(out)?;
    Ok(())
}

/// The refusal. When even standard error is closed there is nobody left to tell.
pub(crate) fn complain(error: &anyhow::Error) {
    drop(writeln!(io::stderr(), "certs: {error:#}"));
}
