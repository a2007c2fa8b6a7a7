//! `gateway kyc new-key`: what has to be there before the first document comes.

use std::path::PathBuf;

use clap::Subcommand;
use gateway::config::Config;
use gateway::document_keys::DocumentKeys;
use ring::rand::SystemRandom;

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum KycCommand {
    /// Make the key file of documents that the configuration names.
    NewKey {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
}

impl KycCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self::NewKey { config } = self;
        let config = Config::load(&config)?;
        DocumentKeys::create(&config.kyc.documents_key_file, &SystemRandom::new())?;
        Ok(())
    }
}
