//! The doors to the root key's slots: the list, a custodian's own share, and showing a share.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use shared::ids::SlotName;
use shared::vault_api::slots::{DrillProgress, SealedShare, ShowShare, SlotInfo};

use super::call::{Call, ForOfficers, ForOverseers};
use crate::audit::event::Operation;
use crate::error::Error;
use crate::flows::slots;
use crate::keys::slot::share::ShareText;

pub(super) async fn list(call: Call<ForOverseers>) -> HttpResponse {
    async fn run(call: &Call<ForOverseers>) -> Result<Vec<SlotInfo>, Error> {
        call.read_register("slots").await?;
        slots::list(&call.vault)
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn share(call: Call<ForOfficers>) -> HttpResponse {
    async fn run(call: &Call<ForOfficers>) -> Result<SealedShare, Error> {
        let slot: SlotName = call.path("slot")?;
        let mut event = call.event(Operation::FetchShare, None)?;
        event.note = Some(format!("slot {slot}"));
        let vault = &call.vault;
        vault
            .audited(event, async |event| {
                slots::share(vault, event, (&call.caller, &call.key), &slot).await
            })
            .await
    }
    let result = run(&call).await;
    call.answer(StatusCode::OK, result)
}

pub(super) async fn drill(mut call: Call<ForOfficers>) -> HttpResponse {
    async fn run(call: &mut Call<ForOfficers>) -> Result<DrillProgress, Error> {
        call.idempotency_key()?;
        let slot: SlotName = call.path("slot")?;
        let bytes = call.bytes().await?;
        // serde's own words may repeat the share.
        let shown: ShowShare = serde_json::from_slice(&bytes).map_err(|_| {
            Error::Malformed("The body must be {share}, or {} for a slot without custodians.".into())
        })?;
        let mut event = call.event(Operation::DrillSlot, None)?;
        event.note = Some(format!("slot {slot}"));
        let (vault, custodian) = (&call.vault, (&call.caller, &call.key));
        let share = shown.share.map(ShareText::new);
        vault
            .audited(event, async |event| {
                slots::show(vault, event, custodian, &slot, share).await
            })
            .await
    }
    let result = run(&mut call).await;
    call.answer(StatusCode::OK, result)
}
