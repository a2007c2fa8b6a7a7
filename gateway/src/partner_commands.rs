//! `gateway partner pin-certificate`: lets a partner's first server in.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use gateway::app;
use gateway::config::Config;
use gateway::domain::rule::Rule;
use gateway::flows::partners::issue_certificate::Signed;
use gateway::flows::partners::pin_certificate::pin_certificate;
use shared::clock::Clock;

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum PartnerCommand {
    /// Pin a certificate to the partner that it names, so that its holder is let in.
    PinCertificate {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// The certificate, PEM, signed by the partner authority.
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
    },
}

impl PartnerCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Self::PinCertificate { config, certificate } = self;
        let config = Config::load(&config)?;
        let pem = fs::read_to_string(&certificate)
            .with_context(|| format!("could not read {}", certificate.display()))?;
        let pinned = app::once(config, Clock::System, async |services| {
            let signed = Signed::parse(&pem, &services.partner_trust);
            Ok(match signed {
                Ok(signed) => Ok(pin_certificate(services, &signed).await?),
                Err(rule) => Err(rule),
            })
        })
        .await?
        .map_err(|rule: Rule| anyhow::anyhow!("{}: {}", certificate.display(), rule.message))?;
        let mut out = io::stdout().lock();
        writeln!(out, "Pinned as certificate {}.", pinned.id.0)?;
        Ok(())
    }
}
