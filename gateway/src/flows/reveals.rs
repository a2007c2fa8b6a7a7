//! Who saw a card (row 26 of the contract): what the vault's audit log says, in the words of this side.
//!
//! The vault names card and key by token and thumbprint; here they become the card's number and the device. What the vault
//! says is relayed: with the index, an auditor finds the event in the log and proves it.

use std::collections::HashMap;

use shared::ids::{CardToken, HolderToken};
use shared::thumbprint::Thumbprint;
use shared::vault_api::Channel;
use shared::vault_api::reveals::{ProvenBy, Reveal};
use time::OffsetDateTime;

use crate::domain::card::{Card, CardId};
use crate::domain::installation::InstallationId;
use crate::domain::user::{User, UserId};
use crate::error::Error;
use crate::services::Services;
use crate::store::{cards, installations};

/// Devices that are looked through for a key: more than anybody pairs.
const DEVICES_MAX: i64 = 500;

/// Whose or which card's reveals are wanted.
pub enum Of<'a> {
    /// All cards of the user.
    Holder(&'a HolderToken),
    /// One card of the user.
    Card(&'a Card),
}

/// One answer with card data.
pub struct Seen {
    /// The index of its event in the vault's audit log.
    pub audit_index: i64,
    /// When, UTC.
    pub at: OffsetDateTime,
    /// Which card, by its token.
    pub token: CardToken,
    /// Which card; none when it is not (or not yet) known here.
    pub card: Option<CardId>,
    /// What was asked for, by the audit log's name.
    pub operation: String,
    /// Who proved that they may.
    pub by: SeenBy,
    /// Through which channel.
    pub channel: Option<Channel>,
}

/// Who proved that they may see it.
pub enum SeenBy {
    /// A key of the user's.
    User {
        /// Its thumbprint (RFC 7638).
        key: Thumbprint,
        /// The device that has it, where it was paired here.
        device: Option<Device>,
    },
    /// The partner's server.
    Partner(String),
    /// Two security officers of the vault.
    Officers,
}

/// A device of the user's.
#[derive(Clone)]
pub struct Device {
    /// The installation.
    pub installation: InstallationId,
    /// What it calls itself.
    pub name: Option<String>,
}

/// At most `most` answers with card data, oldest first, after the event `after`.
///
/// # Errors
/// When the vault or the database is away.
pub async fn reveals(
    services: &Services,
    user: &User,
    of: Of<'_>,
    after: i64,
    most: i64,
) -> Result<Vec<Seen>, Error> {
    let vault = &services.vault;
    let found = match of {
        Of::Holder(holder) => vault.reveals_of_holder(holder, after, most).await?,
        Of::Card(card) => vault.reveals_of_card(&card.token, after, most).await?,
    };
    let mut known = Known::of(services, user.id).await?;
    let mut seen = Vec::with_capacity(found.items.len());
    for item in found.items {
        seen.push(known.tell(services, item).await?);
    }
    Ok(seen)
}

/// What this side calls the user's devices and cards.
struct Known {
    user: UserId,
    devices: HashMap<Thumbprint, Device>,
    cards: HashMap<CardToken, Option<CardId>>,
}

impl Known {
    async fn of(services: &Services, user: UserId) -> Result<Self, Error> {
        let mut read = services.db.read().await?;
        let mut devices = HashMap::new();
        // A device that was paired again with the same key: the newest installation has it.
        for paired in installations::keys_of_user(&mut read, user, DEVICES_MAX).await? {
            let device = Device {
                installation: paired.id,
                name: paired.device_name,
            };
            devices.entry(paired.key.thumbprint()).or_insert(device);
        }
        Ok(Self {
            user,
            devices,
            cards: HashMap::new(),
        })
    }

    async fn card(&mut self, services: &Services, token: &CardToken) -> Result<Option<CardId>, Error> {
        if let Some(known) = self.cards.get(token) {
            return Ok(*known);
        }
        let mut read = services.db.read().await?;
        let number = cards::number_of(&mut read, self.user, token).await?;
        self.cards.insert(token.clone(), number);
        Ok(number)
    }

    async fn tell(&mut self, services: &Services, item: Reveal) -> Result<Seen, Error> {
        let card = self.card(services, &item.card).await?;
        let by = match item.proven_by {
            ProvenBy::HolderKey { thumbprint } => SeenBy::User {
                device: self.devices.get(&thumbprint).cloned(),
                key: thumbprint,
            },
            ProvenBy::Partner { partner } => SeenBy::Partner(partner),
            ProvenBy::Officers => SeenBy::Officers,
        };
        let audit_index = i64::try_from(item.index);
        Ok(Seen {
            audit_index: audit_index
                .map_err(|_| Error::internal("the vault's log is longer than numbers"))?,
            at: item.at,
            token: item.card,
            card,
            operation: item.operation,
            by,
            channel: item.channel,
        })
    }
}
