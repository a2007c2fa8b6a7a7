//! Doors to cards. Users, partners and operators ask for the same things in the same words, so a door is written once and
//! opened on each channel; what one channel lacks is left out of the table in `http`.

pub(super) mod activate;
pub(super) mod body;
pub(super) mod challenge;
pub(super) mod create_async;
pub(super) mod create_virtual;
pub(super) mod list;
pub(super) mod lock;
pub(super) mod order_physical;
pub(super) mod orders;
pub(super) mod print;
pub(super) mod remove;
pub(super) mod replace;
pub(super) mod reset_cvv;
pub(super) mod reveal;
pub(super) mod reveals;
pub(super) mod rules;
pub(super) mod set_pin;
pub(super) mod set_renewal;
pub(super) mod shapes;
pub(super) mod tokenise;
pub(super) mod unlock;

use std::ops::Deref;

use actix_web::FromRequest;

use shared::mtls::identity::Name;

use super::call::Call;
use super::caller::{Customer, PartnerCall, UserCall};
use super::enc::Enc;
use super::operator::OperatorCall;
use crate::domain::card::{Card, CardId};
use crate::domain::operator::Permitted;
use crate::error::{Code, Error};
use crate::flows::cards::CardCaller;
use crate::flows::partners::rules::settings_of;

/// A caller who may ask about a user's cards: the user, the user's partner, or an operator. Headers are judged before it is settled
/// whose cards these are.
pub(super) trait CardCall: FromRequest + Deref<Target = Call> + 'static {
    /// Settles whose cards the path speaks of.
    ///
    /// # Errors
    /// `NOT_FOUND` for a user who is not the partner's.
    async fn customer(self) -> Result<Customer, Error>;

    /// The partner whose rules the caller's keys are under; none for operators, whose keys are the platform's own matter.
    fn sealing_under(&self) -> Option<&Name>;

    /// The headers of an encrypted endpoint, by what the contract and the partner allow.
    ///
    /// # Errors
    /// `ENCRYPTION_REQUIRED`, `INVALID_PUBLIC_KEY`.
    async fn enc(&self) -> Result<Enc, Error> {
        let enc = self.enc_by_contract()?;
        if let Some(partner) = self.sealing_under() {
            let settings = settings_of(self.services(), partner).await?;
            if !settings.sealing.permit(&enc.public_key) {
                return Err(Code::InvalidPublicKey.into());
            }
        }
        Ok(enc)
    }
}

impl CardCall for UserCall {
    fn sealing_under(&self) -> Option<&Name> {
        Some(&self.user().partner)
    }

    async fn customer(self) -> Result<Customer, Error> {
        Ok(self.into_customer())
    }
}

impl<P: Permitted> CardCall for OperatorCall<P> {
    fn sealing_under(&self) -> Option<&Name> {
        None
    }

    async fn customer(self) -> Result<Customer, Error> {
        self.into_customer().await
    }
}

impl CardCall for PartnerCall {
    fn sealing_under(&self) -> Option<&Name> {
        Some(self.partner())
    }

    async fn customer(self) -> Result<Customer, Error> {
        self.into_customer().await
    }
}

/// Settles whose cards the path speaks of, and by which rules.
pub(super) async fn settle<C: CardCall>(call: C) -> Result<(Customer, CardCaller), Error> {
    let customer = call.customer().await?;
    let caller = customer.card_caller()?;
    Ok((customer, caller))
}

/// The card that the path names, as it stands.
///
/// # Errors
/// `NOT_FOUND` for a card that is not the user's.
pub(super) async fn card(call: &Customer, caller: &CardCaller) -> Result<Card, Error> {
    caller.card(call.services(), CardId(call.number("cardId")?)).await
}
