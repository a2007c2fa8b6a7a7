//! Evidence by ticket: the partner signed, with the key of its certificate, that whoever knows a secret may enrol a key of
//! one of its users. The secret travels from partner to app by their own way; here it comes in a JWE of `{secret, jkt}`
//! that only the vault opens. So not even the first key rests on the gateway's word.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use shared::jws::enrolment_ticket::{CertifiedTicket, EnrolmentTicketClaims, SecretHash};
use shared::mtls::identity::Identity;
use shared::thumbprint::Thumbprint;

use crate::bytes::Base64Bytes;
use crate::domain::holder::Holder;
use crate::domain::program::Rules;
use crate::error::Error;
use crate::open_vault::OpenVault;
use crate::records::{Record, Tx};
use crate::store::Tree;

/// For whom a ticket must be.
const AUDIENCE: &str = "spiffe://tessera/vault";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown<'a> {
    secret: &'a str,
    jkt: Thumbprint,
}

/// A ticket whose secret was shown, to be spent with the enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    name: Vec<u8>,
    external_id: String,
}

/// A spent ticket. Kept for good: tickets are few, and one must never come back.
#[derive(Serialize, Deserialize)]
struct SpentTicket {
    name: Base64Bytes,
}

impl Record for SpentTicket {
    const TREE: Tree = Tree::Counters;
    fn key(&self) -> Vec<u8> {
        key_of(&self.name.0)
    }
}

fn key_of(name: &[u8]) -> Vec<u8> {
    [b"ticket/".as_slice(), name].concat()
}

/// Judges a ticket and the secret that came with it.
///
/// # Errors
/// The payload's, else [`Error::EnrolmentProofInvalid`].
pub(super) async fn judge(
    vault: &OpenVault,
    program: &Rules,
    new_key: &Thumbprint,
    ticket: &str,
    payload: &str,
) -> Result<Ticket, Error> {
    let certified = CertifiedTicket::verify(ticket).map_err(|_| invalid("the ticket is not well signed"))?;
    let peer = vault
        .surroundings
        .partner_trust
        .check_client(certified.x5c().chain());
    let peer = peer.map_err(|_| invalid("the ticket's certificate is not accepted"))?;
    let own_partner =
        matches!(&peer.identity, Identity::Partner(name) if name.as_str() == program.program().partner);
    if !own_partner || !vault.registers().knows(&peer.identity, &peer.key) {
        return Err(invalid("the ticket is not by the holder's partner"));
    }
    let claims = certified.into_claims();
    if claims.aud != AUDIENCE || claims.exp <= vault.now() {
        return Err(invalid("the ticket is for somebody else, or over"));
    }
    let plain = vault.open_payload(payload).await?;
    let shown: Shown<'_> =
        serde_json::from_slice(&plain).map_err(|_| Error::InvalidPayload("not {secret, jkt}".into()))?;
    if SecretHash::of(shown.secret.as_bytes()) != claims.secret_hash || shown.jkt != *new_key {
        return Err(invalid(
            "the secret is not that of the ticket, or for another key",
        ));
    }
    Ok(Ticket::new(&peer.identity, claims))
}

impl Ticket {
    fn new(partner: &Identity, claims: EnrolmentTicketClaims) -> Self {
        let name = digest(&SHA256, format!("{partner} {}", claims.jti).as_bytes())
            .as_ref()
            .to_vec();
        Self {
            name,
            external_id: claims.external_id,
        }
    }

    /// Spends the ticket and fixes the partner's name for the holder, or finds that both were so already.
    ///
    /// # Errors
    /// [`Error::EnrolmentProofInvalid`] for a ticket that was spent, or one for another user of the partner.
    pub(super) fn spend(&self, tx: &mut Tx<'_, '_>, holder: &mut Holder) -> Result<(), Error> {
        if tx.exists::<SpentTicket>(&key_of(&self.name))? {
            return Err(invalid("the ticket was spent"));
        }
        match &holder.external_id {
            Some(known) if *known != self.external_id => {
                return Err(invalid("the ticket is for another user"));
            }
            Some(_) => {}
            None => holder.external_id = Some(self.external_id.clone()),
        }
        tx.put(&SpentTicket {
            name: Base64Bytes(self.name.clone()),
        })
    }
}

fn invalid(reason: &'static str) -> Error {
    Error::EnrolmentProofInvalid(reason)
}
