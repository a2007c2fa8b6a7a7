//! `sign`, `issue` and `revoke`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use certs::{Authority, PairPaths, Request};
use shared::clock::Clock;

use super::{Issue, Revoke, Sign, print};

pub(crate) fn sign(sign: Sign, clock: &Clock) -> anyhow::Result<()> {
    refuse_existing(&sign.out)?;
    let request = Request::from_pem(&read(&sign.csr)?)?;
    let profile = sign.subject.into_profile()?;
    let certificate = Authority::open(&sign.dir, profile.ca(), clock)?.sign(&profile, &request)?;
    certificate.write(&sign.out)?;

    let mut out = io::stdout().lock();
    writeln!(
        out,
        "signed {} for a key {}:",
        sign.out.display(),
        request.key_kind()
    )?;
    print::certificate(&mut out, &certificate)?;
    if !request.ignored().is_empty() {
        writeln!(out, "asked for by the request, and not granted on its word:")?;
        for wish in request.ignored() {
            writeln!(out, "  {wish}")?;
        }
    }
    Ok(())
}

pub(crate) fn issue(issue: Issue, clock: &Clock) -> anyhow::Result<()> {
    refuse_existing(&issue.out)?;
    refuse_existing(&issue.key_out)?;
    let profile = issue.subject.into_profile()?;
    let pair = PairPaths {
        certificate: issue.out,
        key: issue.key_out,
    };
    let issued = Authority::open(&issue.dir, profile.ca(), clock)?.issue(&profile)?;
    issued.write(&pair)?;

    let mut out = io::stdout().lock();
    writeln!(
        out,
        "issued {} with the key {}:",
        pair.certificate.display(),
        pair.key.display()
    )?;
    print::certificate(&mut out, &issued.certificate)
}

pub(crate) fn revoke(revoke: &Revoke, clock: &Clock) -> anyhow::Result<()> {
    let mut authority = Authority::open(&revoke.ca.dir, revoke.ca.ca, clock)?;
    let record = match (&revoke.which.serial, &revoke.which.certificate) {
        (Some(serial), None) => authority.revoke_serial(serial, revoke.reason)?,
        (None, Some(path)) => authority.revoke_certificate(&read(path)?, revoke.reason)?,
        _ => bail!("give either --serial or --certificate"),
    };
    let mut out = io::stdout().lock();
    writeln!(out, "revoked; the new CRL is {}:", authority.crl_path().display())?;
    print::record(&mut out, &record)
}

/// Before anything is signed: a certificate that cannot be written would stand in the index for nothing.
fn refuse_existing(path: &PathBuf) -> anyhow::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(certs::Error::Exists(path.clone()).into());
    }
    Ok(())
}

/// Requests and certificates are some kilobytes; more than this is not read, and refused for what is missing.
const MAX_READ_BYTES: u64 = 1024 * 1024;

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut contents = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_READ_BYTES).read_to_end(&mut contents))
        .with_context(|| format!("could not read {}", path.display()))?;
    Ok(contents)
}
