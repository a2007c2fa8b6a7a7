//! A custodian's sealed share, opened on the custodian's own machine.

use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::Context;
use crate::connection::environment;
use crate::console::print;
use crate::failure::Failure;
use crate::{files, secrets};

/// Open a sealed share on your own machine
#[derive(Debug, Subcommand)]
pub enum Share {
    /// Open the sealed share that the ceremony or a new slot handed out
    ///
    /// Who: the custodian whose certificate it was sealed to, on a machine of their own; the vault is not asked.
    ///
    /// Needs: the sealed file (share-NAME.jwe of `vault init`, or that of `slots share`) and the private key of the
    /// certificate (--key, or the profile's).
    ///
    /// Next: print it or write it down and keep it apart from your key, or keep the sealed file: `unlock --share-file`
    /// takes either. Without --out the share appears on your screen.
    Open {
        /// The sealed share
        file: PathBuf,
        /// Write it to a new file of mode 600 instead of the screen
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

impl Share {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn run(self, context: &Context) -> Result<(), Failure> {
        let Self::Open { file, out } = self;
        let key = context.options().key(&environment)?;
        let sealed = files::read_text(&file, files::MOST_SECRET_BYTES)?;
        let share = secrets::open(&sealed, &key)?;
        match out {
            Some(out) => {
                files::write_new(&out, format!("{}\n", share.as_str()).as_bytes())?;
                context.console.remark(&format!(
                    "Your share is in {}: keep it apart from your key.",
                    out.display()
                ));
                Ok(())
            }
            None => print(&share),
        }
    }
}
