//! A user as those who may know them are shown them.

use serde::Serialize;
use shared::vault_api::cards::PostalAddress;
use utoipa::ToSchema;

use super::doc::words;
use super::standing::LockView;
use crate::store::users::Profile;

/// The wire form.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProfileView<'a> {
    #[schema(example = 1001)]
    id: i64,
    #[schema(schema_with = words::kyc_status)]
    kyc_status: &'static str,
    /// Whether the account can be used.
    #[schema(schema_with = words::user_standing)]
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<LockView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    email: &'a str,
    phone_number: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    date_of_birth: &'a str,
    nationality: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::PostalAddress>)]
    address: Option<&'a PostalAddress>,
}

impl<'a> ProfileView<'a> {
    /// All of it.
    pub(super) fn of(profile: &'a Profile) -> Self {
        Self {
            id: profile.user.id.0,
            kyc_status: profile.user.kyc.as_str(),
            standing: profile.user.standing.as_str(),
            lock: profile.lock.as_ref().map(LockView::of),
            external_id: profile.external_id.as_deref(),
            email: &profile.email,
            phone_number: &profile.phone_number,
            first_name: &profile.first_name,
            last_name: &profile.last_name,
            date_of_birth: &profile.date_of_birth,
            nationality: &profile.nationality,
            address: profile.address.as_ref(),
        }
    }
}
