//! What can be done with cards. Locks, removals, new cards and plastic change both sides: such work is written down before
//! the vault is asked ([`carry_out`]). Reveals, CVVs and PINs change the vault alone.

pub mod activate;
pub mod age;
mod answers;
mod ask;
pub mod carry_out;
pub mod challenge;
pub mod create_async;
pub mod create_virtual;
mod effect;
pub mod list;
pub mod lock;
pub mod order_physical;
pub mod orders;
mod plastic;
pub mod print;
pub mod remove;
pub mod replace;
pub mod reset_cvv;
pub mod reset_cvv_unseen;
pub mod reveal;
pub mod set_pin;
pub mod set_renewal;
pub(crate) mod tell;
#[cfg(test)]
mod tests;
pub mod tokenise;
pub mod unlock;

use shared::vault_api::Actor;

use crate::config::Program;
use crate::domain::card::{Card, CardId, CardRules, CardState};
use crate::domain::lock::{LiftPolicy, Party};
use crate::domain::user::User;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::audit::Stamp;
use crate::store::{Tx, cards};

/// Who asks, and about whose cards.
pub struct CardCaller {
    /// Whose cards they are.
    pub user: User,
    /// Who asks: the user, or the partner for the user.
    pub party: Party,
    /// What the user's program lets happen.
    pub rules: CardRules,
    /// What the vault is told of the caller.
    pub actor: Actor,
    /// What an operator's action is called in the audit trail; none on other channels.
    pub stamp: Option<Stamp>,
}

impl CardCaller {
    /// `party` asking about `user`'s cards.
    ///
    /// # Errors
    /// When the user's program is not configured any more.
    pub fn new(services: &Services, user: User, party: Party, actor: Actor) -> Result<Self, Error> {
        let rules = rules_of(services.program_of(&user)?);
        Ok(Self {
            user,
            party,
            rules,
            actor,
            stamp: None,
        })
    }

    /// The same, as an action of an operator.
    #[must_use]
    pub fn stamped(mut self, stamp: Option<Stamp>) -> Self {
        self.rules = rules_for(self.rules, stamp.as_ref());
        self.stamp = stamp;
        self
    }

    /// A card, to be changed in this transaction, as it stands now.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub(crate) async fn take(&self, services: &Services, tx: &mut Tx, id: CardId) -> Result<Card, Error> {
        let card = cards::take(tx, id).await?.ok_or(Code::NotFound)?;
        Ok(card.at(services.now()))
    }

    /// A card of the user's that the user is shown, or that was removed.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn card(&self, services: &Services, id: CardId) -> Result<Card, Error> {
        let mut read = services.db.read().await?;
        cards::find(&mut read, self.user.id, id)
            .await?
            .filter(|card| !matches!(card.standing.state, CardState::Ordered { .. }))
            .map(|card| card.at(services.now()))
            .ok_or_else(|| Code::NotFound.into())
    }
}

/// The rules of a program's cards.
#[must_use]
pub const fn rules_of(program: &Program) -> CardRules {
    let lifting = if program.users_lift_any_reversible_lock {
        LiftPolicy::AnyReversible
    } else {
        LiftPolicy::ByPlacer
    };
    CardRules {
        digital_first: program.digital_first,
        lifting,
        role: None,
    }
}

/// The rules as they are for the operator of this stamp, if it is one's.
pub(super) fn rules_for(rules: CardRules, stamp: Option<&Stamp>) -> CardRules {
    CardRules {
        role: stamp.and_then(Stamp::role),
        ..rules
    }
}
