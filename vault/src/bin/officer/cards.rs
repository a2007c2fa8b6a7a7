//! What officers do to single cards, and to the destruction of erased ones.

use clap::Subcommand;
use shared::ids::CardToken;
use shared::vault_api::cards::{CardOperation, CardStanding};
use shared::vault_api::governance::Proposal;
use shared::vault_api::{Actor, Channel, paths};

use crate::cli::Context;
use crate::failure::Failure;
use crate::jobs::name;
use crate::proposing::propose;

/// Restore, unblock or erase a card
#[derive(Debug, Subcommand)]
pub enum Cards {
    /// Propose to open an erased card again, in its grace time
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: the card's token; its secrets must not have been destroyed yet (`retention` shows the grace time).
    ///
    /// Next: after `approvals approve` the vault serves the card; the gateway's own state is the operators' affair.
    Restore {
        /// The card
        card: CardToken,
    },
    /// Propose to forget a card's failed PIN and CVV comparisons, the 30-day caps too
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: a reason to believe that it was the holder who mistyped: from then on there are guesses again.
    ///
    /// Next: after `approvals approve` the card's counters stand at zero.
    ClearFailures {
        /// The card
        card: CardToken,
    },
    /// Close a card for good; its secrets are destroyed after the grace time
    ///
    /// Who: one registered officer, alone: it only takes away.
    ///
    /// Needs: a yes. It counts against the hourly budget of erasures.
    ///
    /// Next: in the grace time two officers can undo it: `cards restore`.
    Erase {
        /// The card
        card: CardToken,
    },
}

impl Cards {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let vault = context.vault()?;
        match self {
            Self::Restore { card } => propose(context, &vault, &Proposal::RestoreCard(card))
                .await
                .map(drop),
            Self::ClearFailures { card } => propose(context, &vault, &Proposal::ClearFailures(card))
                .await
                .map(drop),
            Self::Erase { card } => {
                context.console.be_sure(&format!("{card} is closed for good."))?;
                let operation = CardOperation {
                    actor: Actor {
                        channel: Channel::Admin,
                        subject: None,
                        device: None,
                        trace_id: None,
                    },
                };
                let standing: CardStanding = vault.post(&paths::erase(&card), &operation).await?;
                context.console.show(&standing, || {
                    format!("{} is {}", standing.card, name(&standing.standing))
                })
            }
        }
    }
}

/// Halt and resume the destruction of erased cards
#[derive(Debug, Subcommand)]
pub enum Erasures {
    /// Propose to destroy no erased card for some hours
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: a suspicion: somebody erases cards who should not.
    ///
    /// Next: find out which, `cards restore` them, then `erasures resume`. Erased cards stay closed meanwhile.
    Halt {
        /// For how long, at most 720
        #[arg(value_parser = clap::value_parser!(u16).range(1..=720))]
        hours: u16,
    },
    /// Propose to destroy erased cards again
    ///
    /// Who: two registered officers: this proposes, the other approves.
    ///
    /// Needs: every card that was erased wrongly must have been restored.
    ///
    /// Next: the sweeper destroys what is due within minutes.
    Resume,
}

impl Erasures {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let hours = match self {
            Self::Halt { hours } => hours,
            Self::Resume => 0,
        };
        propose(context, &context.vault()?, &Proposal::HaltErasures { hours })
            .await
            .map(drop)
    }
}
