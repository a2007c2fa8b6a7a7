//! Changes a user's personal data, for the partner who knows the person.
//!
//! Name, day of birth and nationality are what an identity check established or is about to establish: while an application
//! waits, and once it was accepted, they are refused. Who marries is checked anew: the partner takes the acceptance back
//! (`PUT …/kyc`), changes the name, and has the identity established again. Users themselves change nothing: a thief with a
//! session would have plastic and warnings sent to himself.

use crate::domain::event::{Event, EventKind};
use crate::domain::kyc::KycStatus;
use crate::domain::person::{ExternalId, Person};
use crate::domain::user::UserId;
use crate::error::{Code, Error};
use crate::services::Services;
use crate::store::cards::life;
use crate::store::users::Profile;
use crate::store::{StoreError, events, user_standing, users};

/// Replaces the data as a whole: what may be left out and is left out is gone. Returns what holds.
///
/// # Errors
/// `NOT_FOUND` when the user is gone; `KYC_IN_PROGRESS`, `KYC_ACCEPTED` where the identity would change;
/// `EXTERNAL_ID_TAKEN`.
pub async fn update_user(
    services: &Services,
    user: UserId,
    person: &Person,
    external_id: Option<&ExternalId>,
) -> Result<Profile, Error> {
    let mut tx = services.db.begin().await?;
    let user = users::find_for_update(&mut tx, user)
        .await?
        .ok_or(Code::NotFound)?;
    let former = users::profile(&mut tx, user.id).await?.ok_or(Code::NotFound)?;
    if is_another(&former, person) {
        match user.kyc {
            KycStatus::None | KycStatus::Rejected => {}
            KycStatus::InProgress => return Err(Code::KycInProgress.into()),
            KycStatus::Accepted => return Err(Code::KycAccepted.into()),
        }
    }
    user_standing::update(&mut tx, user.id, person, external_id)
        .await
        .map_err(|error| match error {
            StoreError::Duplicate => Code::ExternalIdTaken.into(),
            other => Error::from(other),
        })?;
    life::try_renewals_again(&mut tx, user.id).await?;
    let event = Event::new(EventKind::UserUpdated, &user.partner).about_user(user.id);
    events::write(&mut tx, &event, services.now()).await?;
    let profile = users::profile(&mut tx, user.id).await?.ok_or(Code::NotFound)?;
    tx.commit().await?;
    Ok(profile)
}

/// Whether this says of the person that it is another one.
fn is_another(former: &Profile, person: &Person) -> bool {
    former.first_name != person.first_name.as_str()
        || former.last_name != person.last_name.as_str()
        || former.date_of_birth != person.date_of_birth.to_text()
        || former.nationality != person.nationality.as_str()
}
