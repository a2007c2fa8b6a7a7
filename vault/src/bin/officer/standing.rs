//! Locked or unlocked: looking, opening, locking.

use clap::Args;
use shared::vault_api::governance::{self, LockState};
use shared::vault_api::paths;

use crate::cli::{Context, plain};
use crate::client::Vault;
use crate::console::{at, facts};
use crate::failure::Failure;
use crate::secrets::ShareSource;

/// Locked or unlocked, how far an unlock is, and who you are
///
/// Who: any certificate of the internal CA.
///
/// Needs: the connection alone.
///
/// Next: a locked vault is opened by its custodians with `unlock`.
#[derive(Debug, Args)]
pub struct Status {}

impl Status {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        let status: governance::Status = vault.get(paths::STATUS).await?;
        context.console.show(&status, || words(&vault, &status))
    }
}

fn words(vault: &Vault, status: &governance::Status) -> String {
    let slots = &status.slots;
    let trouble = status
        .token_trouble
        .as_ref()
        .map(|code| format!("; the token does not open it: {code}"));
    let slots = format!(
        "{} of custodians, {} of tokens, {} of key files, {} pending",
        slots.custodians, slots.tokens, slots.key_files, slots.pending
    );
    facts(&[
        (
            "vault",
            format!(
                "{} {}{}",
                vault.url(),
                standing(status),
                trouble.unwrap_or_default()
            ),
        ),
        ("slots", slots),
        ("version", status.version.clone()),
        (
            "you",
            format!(
                "{}, certificate until {}",
                vault.own.identity,
                at(vault.own.not_after)
            ),
        ),
        ("your key", vault.own.key.to_string()),
    ])
}

fn standing(status: &governance::Status) -> String {
    match (status.state, status.shares_needed) {
        (LockState::Unlocked, _) => "unlocked".to_owned(),
        (LockState::Locked, Some(needed)) => {
            format!("locked: {} of {needed} shares given", status.shares_given)
        }
        (LockState::Locked, None) => "locked".to_owned(),
    }
}

/// Hand in your share of the root key
///
/// Who: each custodian of a slot in turn, as many as its threshold says, each with their own certificate and share, all
/// within ten minutes of the first.
///
/// Needs: your share: typed at the prompt, or --share-file (clear or sealed; `-` is stdin). Never as an argument.
///
/// Next: the next custodian does the same; with the last share the vault opens. Shares that wait too long are wiped.
#[derive(Debug, Args)]
pub struct Unlock {
    #[command(flatten)]
    source: ShareSource,
}

impl Unlock {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        let share = self.source.read(vault.key_file())?;
        let status: governance::Status = vault.post_once(paths::UNLOCK, &share).await?;
        drop(share);
        context.console.show(&status, || standing(&status))?;
        if status.state == LockState::Locked {
            context
                .console
                .remark("Next: the next custodian runs `officer unlock`, within ten minutes of the first.");
        }
        Ok(())
    }
}

/// Lock the vault: it forgets every key at once
///
/// Who: one registered officer, alone: in an emergency nobody else is needed.
///
/// Needs: a yes; requests under way end with 503 and commit nothing.
///
/// Next: nothing is served before the custodians `unlock` it again.
#[derive(Debug, Args)]
pub struct Lock {}

impl Lock {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        context
            .console
            .be_sure("Nothing is served until the custodians unlock the vault again.")?;
        let status: governance::Status = vault.post(paths::LOCK, &plain()).await?;
        context.console.show(&status, || standing(&status))
    }
}
