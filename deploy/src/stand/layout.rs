//! Where a stand keeps what: one directory, every path absolute.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The files and directories of a stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The directory itself.
    pub root: PathBuf,
    /// Certificates and keys of every role.
    pub certificates: PathBuf,
    /// The custodians' shares of the root key, each sealed to its custodian.
    pub shares: PathBuf,
    /// The vault's configuration.
    pub vault_config: PathBuf,
    /// The gateway's configuration.
    pub gateway_config: PathBuf,
    /// The vault's data directory.
    pub vault_data: PathBuf,
    /// The directory of the gateway's SQLite database.
    pub gateway_data: PathBuf,
    /// The key under which the gateway seals what it keeps for operators.
    pub operators_key: PathBuf,
    /// The key under which the gateway seals documents of KYC applications.
    pub documents_key: PathBuf,
    /// The bureau's own key, to which batches are sealed.
    pub bureau_key: PathBuf,
    /// The vault's log: JSON lines.
    pub vault_log: PathBuf,
    /// The gateway's log: JSON lines.
    pub gateway_log: PathBuf,
    /// The seconds by which the stand's processes are ahead of the machine's clock; no file, none.
    pub clock: PathBuf,
    /// Tells other clients where things are, once both are ready.
    pub info: PathBuf,
}

impl Layout {
    /// The layout below `root`, which is created when it is missing; for the owner's eyes only.
    ///
    /// # Errors
    /// When a directory cannot be created.
    pub fn at(root: &Path) -> Result<Self> {
        let create = |path: &Path| {
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o700)
                .create(path)
                .with_context(|| format!("cannot create {}", path.display()))
        };
        create(root)?;
        let root = root.canonicalize()?;
        let layout = Self {
            certificates: root.join("certificates"),
            shares: root.join("shares"),
            vault_config: root.join("vault.toml"),
            gateway_config: root.join("gateway.toml"),
            vault_data: root.join("vault-data"),
            gateway_data: root.join("gateway-data"),
            operators_key: root.join("operators.key"),
            documents_key: root.join("documents.key"),
            bureau_key: root.join("bureau.key"),
            vault_log: root.join("vault.log"),
            gateway_log: root.join("gateway.log"),
            clock: root.join("clock"),
            info: root.join("info.json"),
            root,
        };
        create(&layout.shares)?;
        create(&layout.vault_data)?;
        create(&layout.gateway_data)?;
        Ok(layout)
    }
}
