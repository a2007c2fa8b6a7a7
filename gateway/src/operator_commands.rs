//! `gateway operator new-key|create`: what has to be there before an operator can invite others.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::{Subcommand, ValueEnum};
use gateway::app;
use gateway::config::Config;
use gateway::domain::operator::{Login, Password, Role, Scope};
use gateway::flows::operators::create_first::{Created, create};
use gateway::flows::operators::invite::Invitation;
use gateway::operator_key::OperatorKey;
use ring::rand::SystemRandom;
use shared::clock::Clock;
use shared::mtls::identity::Name;
use zeroize::Zeroizing;

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum OperatorCommand {
    /// Make the key file that the configuration names.
    NewKey {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Make an operator who can log in at once. The password is asked for, or is the first line of standard input.
    Create {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// By which the operator logs in: an e-mail address.
        #[arg(long)]
        login: Login,
        /// What the operator may do.
        #[arg(long)]
        role: RoleName,
        /// For which partner; without one the operator is of the platform.
        #[arg(long)]
        partner: Option<Name>,
    },
}

/// A role, as it is typed.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    Admin,
    Manager,
    Employee,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Admin => Self::Admin,
            RoleName::Manager => Self::Manager,
            RoleName::Employee => Self::Employee,
        }
    }
}

impl OperatorCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::NewKey { config } => {
                let config = Config::load(&config)?;
                OperatorKey::create(&config.operators.key_file, &SystemRandom::new())?;
                Ok(())
            }
            Self::Create {
                config,
                login,
                role,
                partner,
            } => {
                let config = Config::load(&config)?;
                if let Some(partner) = &partner {
                    ensure!(
                        config.default_program(partner).is_some(),
                        "the partner {partner} has no program"
                    );
                }
                let password = password()?;
                let new = Invitation {
                    login,
                    role: role.into(),
                    scope: Scope::of(partner),
                };
                let created = app::once(config, Clock::System, async |services| {
                    create(services, new, password).await
                })
                .await?;
                show(&created)
            }
        }
    }
}

/// From a terminal it is asked for twice and not shown; otherwise it is one line. Never from the command line, which others
/// on the machine can read.
fn password() -> anyhow::Result<Password> {
    let text = if io::stdin().is_terminal() {
        let first = Zeroizing::new(rpassword::prompt_password("Password: ")?);
        let again = Zeroizing::new(rpassword::prompt_password("Once more: ")?);
        ensure!(first == again, "the two are not the same");
        first
    } else {
        let mut line = Zeroizing::new(String::new());
        io::stdin()
            .lock()
            .read_line(&mut line)
            .context("no password on standard input")?;
        Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned())
    };
    Password::parse(text).map_err(|rule| anyhow::anyhow!("the password: {}", rule.message))
}

fn show(created: &Created) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "Operator {} is made.", created.operator.id.0)?;
    writeln!(
        out,
        "Set up an authenticator app with:\n\n{}\n",
        created.uri.as_str()
    )?;
    writeln!(out, "Each of these codes logs in once, when the app is lost:\n")?;
    for code in &created.recovery_codes {
        writeln!(out, "{}", code.as_str())?;
    }
    writeln!(out, "\nNone of this is shown again.")?;
    Ok(())
}
