//! The first half of dual control, the same for every operation: file the proposal, say what it is and who acts next, and
//! with `--watch` wait for the second officer and follow the work.

use clap::Args;
use shared::vault_api::governance::{Approval, Proposal};
use shared::vault_api::paths;

use crate::cli::Context;
use crate::client::Vault;
use crate::console::at;
use crate::failure::Failure;
use crate::{follow, words};

/// Whether to stay.
#[derive(Debug, Clone, Default, Args)]
pub struct Watch {
    /// Wait for the second officer, then follow the work to its end
    ///
    /// With --json one line for the proposal and one for each step of the job. Ctrl-C ends the watching only.
    #[arg(long)]
    pub watch: bool,
    /// Most items a second, once the job has begun (0: as fast as live traffic lets it)
    #[arg(long, value_name = "N", requires = "watch")]
    pub per_second: Option<u32>,
}

/// Files a proposal and tells what happens next.
///
/// # Errors
/// [`Failure`].
pub async fn propose(context: &Context, vault: &Vault, proposal: &Proposal) -> Result<Approval, Failure> {
    let approval: Approval = vault.post(paths::APPROVALS, proposal).await?;
    let hash = words::hash(&approval.proposal)?;
    if approval.proposal != *proposal || approval.hash != hash {
        return Err(Failure::Unverified(format!(
            "the vault filed {} as something else than was proposed; let it lapse, and do not approve it",
            approval.id
        )));
    }
    let parameters = words::parameters(proposal)?;
    context.console.show(&approval, || {
        format!(
            "Proposed as {}:\n{}\n{parameters}\nhash  {}\n",
            approval.id,
            words::sentence(proposal),
            approval.hash
        )
    })?;
    context.console.remark(&format!(
        "Next: another registered officer runs `officer approvals approve {}` before {}.",
        approval.id,
        at(approval.expires_at)
    ));
    Ok(approval)
}

/// Files a proposal and stays as long as was asked for.
///
/// # Errors
/// [`Failure`].
pub async fn propose_and_watch(
    context: &Context,
    vault: &Vault,
    proposal: &Proposal,
    watch: &Watch,
) -> Result<(), Failure> {
    let approval = propose(context, vault, proposal).await?;
    if !watch.watch {
        return Ok(());
    }
    let approval = follow::approval(context, vault, approval).await?;
    match follow::job_of(context, vault, &approval).await? {
        Some(job) => {
            let job = follow::throttled(vault, job, watch.per_second).await?;
            follow::job(context, vault, job).await
        }
        None => context.console.show(&approval, || "Done.".to_owned()),
    }
}
