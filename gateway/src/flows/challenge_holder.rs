//! A nonce for a proof about a user's things as a whole; `cards::challenge` makes those about one card.

use shared::vault_api::Actor;
use shared::vault_api::holders::{Challenge, CreateChallenge};

use crate::domain::user::User;
use crate::error::Error;
use crate::services::Services;

/// Asks the vault for a challenge, a new one each time.
///
/// # Errors
/// That the vault is away, or too many challenges are open.
pub async fn challenge_holder(services: &Services, user: &User, actor: Actor) -> Result<Challenge, Error> {
    let request = CreateChallenge { actor };
    Ok(services
        .vault
        .challenge_holder(&services.vault_key()?, &user.holder, &request)
        .await?)
}
