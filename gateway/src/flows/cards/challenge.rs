//! A nonce for a proof about one card. Removed cards get one too: the operation is refused, after its proof.

use shared::vault_api::holders::{Challenge, CreateChallenge};

use super::CardCaller;
use crate::domain::card::Card;
use crate::error::Error;
use crate::services::Services;

/// Asks the vault for a challenge, a new one each time.
///
/// # Errors
/// That the vault is away, or too many challenges are open.
pub async fn challenge(services: &Services, caller: &CardCaller, card: &Card) -> Result<Challenge, Error> {
    let request = CreateChallenge {
        actor: caller.actor.clone(),
    };
    Ok(services
        .vault
        .challenge_card(&services.vault_key()?, &card.token, &request)
        .await?)
}
