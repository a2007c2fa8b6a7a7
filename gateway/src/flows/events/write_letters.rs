//! Writes the mails about an event down, in the transaction that hands it out. Their Message-IDs are made of the event's
//! number, so that whatever is sent twice is the same mail.

use time::Duration;

use crate::config::ProgramMails;
use crate::domain::letter::{self, Facts, Letter};
use crate::domain::user::UserId;
use crate::error::Error;
use crate::operator_key::Sealed;
use crate::services::Services;
use crate::store::events::Told;
use crate::store::mails::{self, Mail};
use crate::store::{Tx, cards, users};

/// How long a mail is tried: what it says is old news after that.
const GOOD_FOR: Duration = Duration::days(7);

/// Writes to the user and to the partner, where there is something to say to them.
pub(super) async fn write_letters(services: &Services, tx: &mut Tx, event: &Told) -> Result<(), Error> {
    to_user(services, tx, event).await?;
    to_partner(services, tx, event).await
}

async fn to_user(services: &Services, tx: &mut Tx, event: &Told) -> Result<(), Error> {
    let Some(user) = event.user.filter(|_| letter::TO_USERS.contains(&event.kind)) else {
        return Ok(());
    };
    // Locked until the end: whoever is removed meanwhile loses this mail too, whoever was removed before has no address.
    if users::find_for_update(tx, user).await?.is_none() {
        return Ok(());
    }
    let profile = users::profile(tx, user).await?;
    let Some(profile) = profile.filter(|profile| !profile.email.is_empty()) else {
        return Ok(());
    };
    let program = services
        .config
        .programs
        .iter()
        .find(|program| program.name == profile.user.program);
    let chosen = program.map_or_else(ProgramMails::default, |program| program.mails.clone());
    if !chosen.to_users.contains(&event.kind) && !letter::is_never_left_out(event.kind) {
        return Ok(());
    }
    let last_four = last_four(tx, event).await?;
    if let Some(letter) = letter::to_user(event.kind, &facts(event, last_four.as_deref())) {
        let to = (profile.email.as_str(), "user", Some(user));
        write(services, tx, event, to, &letter).await?;
    }
    Ok(())
}

async fn to_partner(services: &Services, tx: &mut Tx, event: &Told) -> Result<(), Error> {
    let Some(letter) = letter::to_partner(event.kind, &facts(event, None)) else {
        return Ok(());
    };
    let contact = services
        .config
        .default_program(&event.partner)
        .and_then(|program| program.mails.contact.as_ref());
    if let Some(contact) = contact {
        write(services, tx, event, (contact.as_str(), "partner", None), &letter).await?;
    }
    Ok(())
}

fn facts<'a>(event: &'a Told, last_four: Option<&'a str>) -> Facts<'a> {
    Facts {
        partner: event.partner.as_str(),
        at: event.at,
        last_four,
        data: &event.data,
    }
}

/// The last four digits of the card that the event is about.
async fn last_four(tx: &mut Tx, event: &Told) -> Result<Option<String>, Error> {
    let (Some(user), Some(card)) = (event.user, event.card) else {
        return Ok(None);
    };
    let card = cards::find(tx, user, card).await?;
    let digits = card
        .map(|card| card.masked.as_str().to_owned())
        .unwrap_or_default();
    let start = digits.len().saturating_sub(4);
    Ok(digits
        .get(start..)
        .filter(|end| end.len() == 4)
        .map(str::to_owned))
}

async fn write(
    services: &Services,
    tx: &mut Tx,
    event: &Told,
    (recipient, role, user): (&str, &str, Option<UserId>),
    letter: &Letter,
) -> Result<(), Error> {
    let now = services.now();
    let message_id = format!("<event-{}.{role}@{}>", event.number.0, services.mailer.domain());
    let body = services.operator_key.seal(
        Sealed::Mail,
        &message_id,
        letter.text.as_bytes(),
        &services.random,
    )?;
    let mail = Mail {
        id: 0,
        message_id,
        recipient: recipient.to_owned(),
        subject: letter.subject.to_owned(),
        body,
        tries: 0,
        expires_at: now + GOOD_FOR,
    };
    mails::insert_to(tx, &mail, user, now).await?;
    Ok(())
}
