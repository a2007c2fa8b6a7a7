//! `dev` and `fixtures`.

use std::io::{self, Write};

use certs::{DevOptions, DevSet, fixtures as faulty};
use shared::clock::Clock;

use super::{Dev, Fixtures};

pub(crate) fn dev(dev: Dev, clock: &Clock) -> anyhow::Result<()> {
    let options = DevOptions {
        hosts: dev.hosts,
        partners: dev.partners,
    };
    let set = DevSet::create(&dev.out, &options, clock)?;
    let mut out = io::stdout().lock();
    writeln!(out, "made a development set in {}", set.dir.display())?;
    writeln!(
        out,
        "all private keys lie in that one directory: for development, never for production"
    )?;
    Ok(())
}

pub(crate) fn fixtures(fixtures: Fixtures, clock: &Clock) -> anyhow::Result<()> {
    let profile = fixtures.subject.into_profile()?;
    let made = faulty::create_all(&fixtures.dir, &profile, &fixtures.out, clock)?;
    let mut out = io::stdout().lock();
    for (_, pair) in made {
        writeln!(out, "{}", pair.certificate.display())?;
    }
    Ok(())
}
