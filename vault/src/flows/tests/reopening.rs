//! The stage's vault closed, looked at on the disk, and opened again; or another copy of it opened beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared::clock::Clock;

use super::{Stage, config, give_shares, open};
use crate::config::Config;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::process::Process;

impl Stage {
    /// The configuration that the vault was opened with.
    pub(crate) fn config(&self) -> Config {
        config(&self.directory, &self.set, &self.home, "data")
    }

    /// Ends the process, as a kill does, has `look` look at its directory: the data, and the epoch files beside it, and begins anew.
    pub(crate) async fn closed_for<T>(self, look: impl FnOnce(&Path) -> T) -> (Self, T) {
        let Self {
            directory,
            set,
            clock,
            process,
            vault,
            count,
            home,
        } = self;
        vault.surroundings.store.close().await;
        drop((process, vault));
        let looked = look(directory.path());
        let time = Clock::Manual(clock.clone());
        let (process, vault) = open(&directory, &set, &time, &home, "data").await;
        let stage = Self {
            directory,
            set,
            clock,
            process,
            vault,
            count,
            home,
        };
        (stage, looked)
    }

    /// Opens a copy of the data directory with today's shares and the given epoch files.
    pub(crate) async fn open_copy(&self, data: &Path, epoch: Vec<PathBuf>) -> Result<Arc<OpenVault>, Error> {
        let mut config = self.config();
        data.clone_into(&mut config.data);
        config.epoch.files = epoch;
        let store = crate::app::open_store(&config).unwrap();
        let time = Clock::Manual(self.clock.clone());
        let surroundings = crate::app::surroundings(&config, store.clone(), &time).unwrap();
        let process = Process::locked(surroundings).unwrap();
        let given = give_shares(&self.directory, &self.set, &process).await;
        let opened = given.and_then(|()| process.open_vault());
        if opened.is_err() {
            store.close().await;
        }
        opened
    }
}
