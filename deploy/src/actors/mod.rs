//! Who uses the pair: each actor holds its own keys and knows the public API alone. What an attacker would do is written with
//! the same parts, bent by hand.

mod auditor;
mod bureau;
mod card_desk;
mod credentials;
mod document;
mod door;
mod existing_card;
mod identity_house;
mod jose;
mod mail_server;
mod officer;
mod operator;
mod partner;
mod phone;
mod processor;
mod raw_gateway;
mod tlog;
mod webhook_server;
mod witness;

pub use auditor::{AuditReport, Auditor};
pub use bureau::Bureau;
pub use card_desk::{Card, CardDesk, Opened};
pub use credentials::Credentials;
pub use document::SampleDocument;
pub use door::{Call, Door, tls};
pub use existing_card::{SignedRow, Tokenisation};
pub use identity_house::{Callback, IdentityHouse, Received, ReceivedDocument};
pub use jose::{
    EnrolmentTicket, HolderProof, ProofSigner, ReceivingKey, Trust, VaultKey, VaultProof, base64url,
    sha256_base64url, unverified_claims,
};
pub use mail_server::{MailServer, ReceivedMail};
pub use officer::Officer;
pub use operator::Operator;
pub use partner::{NewUser, PartnerServer};
pub use phone::Phone;
pub use processor::Processor;
pub use raw_gateway::RawGateway;
pub use tlog::{Checkpoint, NoteKey};
pub use webhook_server::{ReceivedWebhook, WebhookServer, WebhookTls};
pub use witness::Witness;
