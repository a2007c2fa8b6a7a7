//! `gateway kyc new-key|reseal`: the key under which documents of applications are sealed, and its exchange.

use std::path::PathBuf;

use clap::Subcommand;
use gateway::app;
use gateway::config::Config;
use gateway::document_keys::DocumentKeys;
use gateway::flows::kyc_documents::reseal;
use ring::rand::SystemRandom;
use shared::clock::Clock;

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum KycCommand {
    /// Make the key file of documents that the configuration names.
    NewKey {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Seal under the present key what is sealed under earlier ones, beside a gateway that has the same configuration. When
    /// it has ended well, the earlier key files can be destroyed.
    Reseal {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
}

impl KycCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::NewKey { config } => {
                let config = Config::load(&config)?;
                DocumentKeys::create(&config.kyc.documents_key_file, &SystemRandom::new())?;
            }
            Self::Reseal { config } => {
                let config = Config::load(&config)?;
                let work = async |services: &_| reseal(services).await;
                let count = app::once(config, Clock::System, work).await?;
                tracing::info!(count, "documents are sealed under the present key");
            }
        }
        Ok(())
    }
}
