//! The key ceremony as SECURITY.md writes it down: every command of it is run, word for word.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use deploy::stand::binary;

use crate::pair::finished;

fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the tests lie in the repository")
}

#[test]
fn the_ceremony_is_walked_through_as_it_is_written() {
    finished("the vault's host", walk());
}

fn walk() -> Result<()> {
    // All three are built beside each other.
    let binaries = ["vault", "officer", "certs"].map(binary);
    let [vault, officer, certs] = binaries;
    let (_, _) = (officer?, certs?);
    let directory = vault?
        .parent()
        .context("a binary lies in a directory")?
        .to_owned();
    let walked = Command::new(root()?.join("deploy/ceremony"))
        .env("TESSERA_BIN_DIR", directory)
        .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .context("cannot run deploy/ceremony")?;
    let said = String::from_utf8_lossy(&walked.stdout);
    let end: Vec<&str> = said.lines().rev().take(30).collect();
    ensure!(
        walked.status.success() && said.contains("was walked through"),
        "deploy/ceremony ended with {}:\n{}\n{}",
        walked.status,
        end.into_iter().rev().collect::<Vec<_>>().join("\n"),
        String::from_utf8_lossy(&walked.stderr)
    );
    Ok(())
}
