//! `POST …/cards/{cardId}/unlock`: lift the lock. No reason is asked for.

use actix_web::HttpResponse;

use super::{CardCall, body, card, rules, settle};
use crate::domain::card::{Action, MaskedCard};
use crate::error::Error;
use crate::flows::cards;
use crate::http::answer::send;
use crate::http::doc::{Doc, Tag, examples};

pub(in crate::http) async fn unlock<C: CardCall>(call: C) -> Result<HttpResponse, Error> {
    let (mut call, caller) = settle(call).await?;
    let card = card(&call, &caller).await?;
    let (fields, request) = call.fields().await?;
    body::none(fields)?;
    let request = call.scoped(request);
    send(cards::unlock::unlock(call.services(), &caller, card.id, &request).await?)
}

pub(in crate::http) fn doc() -> Doc {
    let doc = Doc::new(Tag::Cards, "Lift a lock")
        .says(
            "Without a reason. Final locks stay. Unless the program says otherwise a user lifts only a user's lock, a partner \
             its own and the user's, an operator any.",
        )
        .no_members()
        .asks_vault()
        .answers::<MaskedCard>(200, "The card as it was before the lock.", examples::masked_card());
    rules::govern(doc, Action::Unlock)
}
