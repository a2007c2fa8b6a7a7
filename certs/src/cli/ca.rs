//! `ca init`, `crl` and `list`.

use std::io::{self, Write};

use certs::Authority;
use shared::clock::Clock;

use super::{OneCa, print};

pub(crate) fn init(target: &OneCa, clock: &Clock) -> anyhow::Result<()> {
    Authority::create(&target.dir, target.ca, clock)?;
    let mut out = io::stdout().lock();
    writeln!(out, "made the {} CA:", target.ca)?;
    for path in [
        target.ca.certificate_path(&target.dir),
        target.ca.key_path(&target.dir),
        target.ca.index_path(&target.dir),
        target.ca.crl_path(&target.dir),
    ] {
        writeln!(out, "  {}", path.display())?;
    }
    Ok(())
}

pub(crate) fn publish_crl(target: &OneCa, clock: &Clock) -> anyhow::Result<()> {
    let mut authority = Authority::open(&target.dir, target.ca, clock)?;
    authority.publish_crl()?;
    writeln!(io::stdout(), "published {}", authority.crl_path().display())?;
    Ok(())
}

pub(crate) fn list(target: &OneCa, clock: &Clock) -> anyhow::Result<()> {
    let authority = Authority::open(&target.dir, target.ca, clock)?;
    let mut out = io::stdout().lock();
    for record in authority.records() {
        print::record(&mut out, record)?;
    }
    Ok(())
}
