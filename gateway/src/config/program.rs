//! A card program as the gateway knows it. BIN ranges, lengths of PINs, proof policy and budgets are the vault's.

use serde::Deserialize;
use shared::ids::ProgramName;
use shared::money::Currency;
use shared::mtls::identity::Name;

use super::{KycDecider, ProgramMails};
use crate::domain::kyc::Requirement;
use crate::domain::webhook::WebhookUrl;

/// The rules of a program.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its name, the same as in the vault.
    pub name: ProgramName,
    /// The partner whose program it is: the name in the URI SAN of its client certificate.
    pub partner: Name,
    /// Currency of its balances.
    pub currency: Currency,
    /// Where the partner's server is told of what happens in this program, without having called an API before: a webhook
    /// endpoint that comes, moves and goes with this setting.
    #[serde(default)]
    pub remote_url: Option<WebhookUrl>,
    /// Whether plastic of a virtual card can be ordered.
    #[serde(default)]
    pub digital_first: bool,
    /// Whether a balance is created by itself when a user's identity is established.
    #[serde(default = "yes")]
    pub automatic_balance: bool,
    /// The seed's letter: a user lifts every reversible lock, also one that the scheme placed for fraud.
    #[serde(default)]
    pub users_lift_any_reversible_lock: bool,
    /// Whether cards are renewed by themselves before their end, unless a card's holder or partner decides otherwise.
    #[serde(default = "yes")]
    pub automatic_renewal: bool,
    /// How many days before its end a virtual card is renewed; at most 100, which is what the vault permits.
    #[serde(default = "thirty")]
    pub renew_days_before: u8,
    /// How many days before its end the next plastic of a card with plastic is ordered; at most 100. The bureau has to make it
    /// and the post to bring it before the old one ends.
    #[serde(default = "forty_five")]
    pub renew_plastic_days_before: u8,
    /// Most that one reload of a user balance may bring, in minor units of the balance's currency.
    #[serde(default = "reload_max")]
    pub reload_max: i64,
    /// How long an authorisation holds money that is neither cleared nor reversed, in days.
    #[serde(default = "hold_days")]
    pub hold_days: u32,
    /// Whether the partner may create its credit or deposit balance by itself.
    #[serde(default)]
    pub partners_create_balances: bool,
    /// Whether payloads wrapped with RSA-OAEP (SHA-1) are taken.
    #[serde(default = "yes")]
    pub rsa_oaep_sha1: bool,
    /// Documents that an application has to come with: each entry names a kind, or several of which one is enough
    /// (`"PASSPORT|IDENTITY_FRONT"`).
    #[serde(default)]
    pub kyc_required_documents: Vec<Requirement>,
    /// Who decides about applications: `manual` (operators, and where it may the partner), the name of a provider, or in
    /// development `sandbox`.
    #[serde(default)]
    pub kyc_provider: KycDecider,
    /// Whether the partner may say by itself that an identity is established or is not (row 15).
    #[serde(default = "yes")]
    pub kyc_partner_flag: bool,
    /// Mails about its events.
    #[serde(default)]
    pub mails: ProgramMails,
}

const fn thirty() -> u8 {
    30
}

const fn forty_five() -> u8 {
    45
}

const fn yes() -> bool {
    true
}

/// Ten thousand euro.
const fn reload_max() -> i64 {
    1_000_000
}

/// What schemes give merchants for most sales.
const fn hold_days() -> u32 {
    7
}
