//! Hands waiting mails to the mail server: at least once each, under a Message-ID that stays the same, again and again while
//! the server is away, until nobody can use what a mail says. In a loop of its own: a silent server holds up no other job.

use std::sync::Arc;
use std::time::Duration as Wait;

use time::Duration;
use tokio::time::{MissedTickBehavior, interval};

use crate::clients::mailer::SendError;
use crate::error::Error;
use crate::operator_key::Sealed;
use crate::services::Services;
use crate::store::mails::{self, Mail};

/// How often mails are looked for.
const EVERY: Wait = Wait::from_secs(2);
/// Mails at a time: the lease is for one.
const BATCH: i64 = 1;
/// The pause after the first try; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::seconds(15);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::hours(1);

/// Sends, again and again; dropping the future ends it.
pub async fn run(services: Arc<Services>) {
    let mut turn = interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        super::log("mails", send(&services).await);
    }
}

/// Sends what is due. Returns how many mails the server has taken.
async fn send(services: &Services) -> Result<u64, Error> {
    let mut sent = 0;
    loop {
        let mut tx = services.db.begin().await?;
        let due = mails::take_due(&mut tx, services.now(), BATCH).await?;
        tx.commit().await?;
        if due.is_empty() {
            return Ok(sent);
        }
        for mail in due {
            if deliver(services, &mail).await? {
                sent += 1;
            }
        }
    }
}

/// Whether the server has taken the mail.
async fn deliver(services: &Services, mail: &Mail) -> Result<bool, Error> {
    let now = services.now();
    let outcome = if mail.expires_at <= now {
        Err(SendError::Unwritable("it has lapsed".to_owned()))
    } else {
        let body = services
            .operator_key
            .open(Sealed::Mail, &mail.message_id, &mail.body)?;
        let text = std::str::from_utf8(&body).map_err(|_| Error::internal("a mail is no text"))?;
        services
            .mailer
            .send(&mail.message_id, &mail.recipient, &mail.subject, text)
            .await
    };
    let mut tx = services.db.begin().await?;
    match &outcome {
        Ok(()) => mails::delete(&mut tx, mail.id).await?,
        Err(error @ SendError::Unwritable(_)) => {
            tracing::error!(mail = mail.id, %error, "a mail is given up");
            mails::delete(&mut tx, mail.id).await?;
        }
        Err(error @ (SendError::NotTaken(_) | SendError::TooSlow)) => {
            tracing::warn!(mail = mail.id, tries = mail.tries, %error, "a mail waits");
            mails::try_again_at(&mut tx, mail.id, services.now() + pause(mail.tries)).await?;
        }
    }
    tx.commit().await?;
    Ok(outcome.is_ok())
}

/// The pause after so many tries.
fn pause(tries: i64) -> Duration {
    let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or_default().min(10);
    (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stages;

    #[test]
    fn pauses_double_up_to_an_hour() {
        for (tries, seconds) in [(0, 15), (1, 15), (2, 30), (3, 60), (9, 3_600), (99, 3_600)] {
            assert_eq!(pause(tries), Duration::seconds(seconds), "{tries}");
        }
    }

    #[tokio::test]
    async fn a_mail_waits_while_the_server_is_away_and_goes_when_it_has_lapsed() {
        for stage in stages().await {
            let services = &stage.services;
            let key = &services.operator_key;
            let mut tx = services.db.begin().await.unwrap();
            let mail = Mail {
                id: 0,
                message_id: "<1@tessera.example>".to_owned(),
                recipient: "ada@bank.example".to_owned(),
                subject: "Subject".to_owned(),
                body: key
                    .seal(Sealed::Mail, "<1@tessera.example>", b"text", &services.random)
                    .unwrap(),
                tries: 0,
                expires_at: services.now() + Duration::hours(1),
            };
            mails::insert(&mut tx, &mail, services.now()).await.unwrap();
            tx.commit().await.unwrap();
            let left = async || {
                let mut tx = services.db.begin().await.unwrap();
                let far = services.now() + Duration::days(9);
                mails::take_due(&mut tx, far, 9).await.unwrap()
            };
            for tries in 1..=3 {
                assert_eq!(send(services).await.unwrap(), 0, "{}", stage.engine);
                let waiting = left().await;
                assert_eq!(waiting.len(), 1);
                assert_eq!(waiting.first().unwrap().tries, tries + 1, "{}", stage.engine);
                assert_eq!(waiting.first().unwrap().message_id, mail.message_id);
                stage.clock.advance(pause(tries));
            }
            stage.clock.advance(Duration::hours(1));
            send(services).await.unwrap();
            assert!(left().await.is_empty(), "{}", stage.engine);
        }
    }
}
