//! Where the binaries are: beside the running executable, as cargo puts them, or where the environment says.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Names a directory that holds `vault`, `officer` and `gateway`.
const DIRECTORY_VARIABLE: &str = "TESSERA_BIN_DIR";

/// The path of a binary of the pair, or of the officers' command line.
///
/// # Errors
/// When it is not there; the sentence says how to build it.
pub fn path_of(name: &str) -> Result<PathBuf> {
    let candidates = match env::var_os(DIRECTORY_VARIABLE) {
        Some(directory) => vec![PathBuf::from(directory).join(name)],
        None => {
            // target/release/tessera-demo, or target/release/deps/e2e-…: one or two levels up.
            let own = env::current_exe().context("cannot find the running executable")?;
            own.ancestors()
                .skip(1)
                .take(2)
                .map(|directory| directory.join(name))
                .collect()
        }
    };
    let found = candidates.iter().find(|path| path.is_file());
    found.cloned().with_context(|| {
        format!(
            "no binary `{name}` at {candidates:?}; build it with `cargo build -p vault -p gateway -p certs`"
        )
    })
}
