//! The acts, in the order in which a person would meet them. Each one checks what came back before it says so.

mod attack;
mod card;
mod control;
mod plastic;
mod user;

use anyhow::Result;
use deploy::actors::{Card, PartnerServer, Phone, Processor};
use deploy::stand::Stand;

use crate::teller::Teller;

/// Who plays.
pub(super) struct Cast<'a> {
    stand: &'a Stand,
    teller: &'a Teller,
    partner: PartnerServer,
    phone: Phone,
    processor: Processor,
}

/// What the client knows of its card: seen by nobody between the vault and it.
pub(super) struct Seen {
    card: Card,
    pan: String,
    exp: String,
    cvv: String,
    pin: String,
}

/// Plays all acts.
///
/// # Errors
/// The first act that did not go as it must.
pub(crate) async fn perform(stand: &Stand, teller: &Teller) -> Result<()> {
    let mut cast = Cast {
        stand,
        teller,
        partner: stand.partner()?,
        phone: stand.phone()?,
        processor: stand.processor()?,
    };
    teller.chapter("A user");
    let user = user::register(&cast).await?;
    user::pair(&mut cast, user).await?;
    teller.chapter("A card");
    let mut seen = card::create(&cast).await?;
    card::reveal(&cast, &seen).await?;
    card::reset_cvv(&cast, &mut seen).await?;
    card::print(&cast, &seen).await?;
    card::set_pin(&cast, &mut seen).await?;
    teller.chapter("A physical card");
    plastic::order_make_activate(&cast).await?;
    teller.chapter("A lock");
    control::lock(&cast, user, &seen).await?;
    teller.chapter("An attack, and the record of it");
    attack::with_the_gateways_certificate(&cast, &seen).await?;
    attack::through_the_gateways_memory(&cast, &seen)?;
    attack::audit(&cast).await
}

/// A card number as people read it.
fn spaced(pan: &str) -> String {
    pan.as_bytes()
        .chunks(4)
        .map(String::from_utf8_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
