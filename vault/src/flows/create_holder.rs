//! Create a holder: the end user's existence in the PCI zone, bound to a program and its partner for good.

use std::sync::Arc;

use shared::ids::IdempotencyKey;
use shared::mtls::identity::Identity;
use shared::vault_api::holders::{CreateHolder, HolderCreated};

use crate::audit::event::{Event, Operation};
use crate::domain::holder::Holder;
use crate::error::Error;
use crate::idempotency::Slot;
use crate::open_vault::OpenVault;

/// Creates a holder without history.
///
/// # Errors
/// Unknown program.
pub async fn create_holder(
    vault: &Arc<OpenVault>,
    mut event: Event,
    caller: &Identity,
    key: &IdempotencyKey,
    request: CreateHolder,
) -> Result<HolderCreated, Error> {
    let program = vault.program(&request.program)?.program().name.clone();
    event.program = Some(program.clone());
    let says = program.to_string();
    let slot = Slot::new(
        caller,
        Operation::CreateHolder,
        "",
        key,
        &[says.as_bytes()],
        vault.now(),
    );
    vault
        .attempt(Some((&slot, &event)), async || {
            let holder = Holder::new(vault.surroundings.random.holder_token()?, program.clone());
            let answer = HolderCreated {
                holder: holder.token.clone(),
            };
            let mut event = event.clone();
            event.holder = Some(holder.token.clone());
            let slot = slot.clone();
            vault
                .commit(event, move |tx, _| {
                    tx.put(&holder)?;
                    slot.remember(tx, &answer)?;
                    Ok(answer)
                })
                .await
        })
        .await
}
