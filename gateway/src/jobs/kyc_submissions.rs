//! Gives KYC applications to their outside providers: again and again while one is away, and asks when it does not call
//! back. A loop for each provider: one that is slow holds up no other.

use std::sync::Arc;
use std::time::Duration as Wait;

use time::Duration;
use tokio::time::{MissedTickBehavior, interval};

use crate::clients::kyc_provider::KycProvider;
use crate::error::Error;
use crate::flows::submit_kyc::{StepError, submit_kyc};
use crate::services::Services;
use crate::store::kyc_submissions::{self, Submission};

/// How often submissions are looked for.
const EVERY: Wait = Wait::from_secs(1);
/// The pause after the first try; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::seconds(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::hours(1);

/// Gives applications to one provider, again and again; dropping the future ends it.
pub async fn run(services: Arc<Services>, name: String, provider: Arc<dyn KycProvider>) {
    let mut turn = interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        super::log(
            "KYC submissions",
            submit(&services, &name, provider.as_ref()).await,
        );
    }
}

/// Does what is due. Returns how many steps went well.
async fn submit(services: &Services, name: &str, provider: &dyn KycProvider) -> Result<u64, Error> {
    let mut done = 0;
    loop {
        let mut tx = services.db.begin().await?;
        let due = kyc_submissions::take_due(&mut tx, name, services.now()).await?;
        tx.commit().await?;
        let Some(submission) = due else { return Ok(done) };
        match submit_kyc(services, (name, provider), &submission).await {
            Ok(()) => done += 1,
            Err(error) => postpone(services, name, &submission, &error).await?,
        }
    }
}

async fn postpone(
    services: &Services,
    name: &str,
    submission: &Submission,
    error: &StepError,
) -> Result<(), Error> {
    let application = submission.application.0;
    match error {
        StepError::Provider(error) => {
            tracing::warn!(provider = name, application, tries = submission.tries, %error, "an application waits");
        }
        StepError::Here(error) => {
            tracing::error!(provider = name, application, %error, cause = error.cause(), "an application waits");
        }
    }
    let mut tx = services.db.begin().await?;
    let again = services.now() + pause(submission.tries);
    kyc_submissions::try_again_at(&mut tx, submission.application, again).await?;
    Ok(tx.commit().await?)
}

/// The pause after so many tries.
fn pause(tries: i64) -> Duration {
    let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or_default().min(10);
    (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        for (tries, seconds) in [(0, 10), (1, 10), (2, 20), (3, 40), (10, 3_600), (99, 3_600)] {
            assert_eq!(pause(tries), Duration::seconds(seconds), "{tries}");
        }
    }
}
