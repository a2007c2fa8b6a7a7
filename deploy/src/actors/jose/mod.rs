//! The client's own JOSE, on josekit and OpenSSL alone: nothing of `shared::jwe` or `shared::jws` is used here, so that the
//! two sides of the wire are two implementations.

mod compact;
mod enrolment_ticket;
mod holder_proof;
mod receiving_key;
mod thumbprint;
mod vault_key;
mod vault_word;

pub use compact::{base64url, sha256_base64url, unverified_claims};
pub use enrolment_ticket::EnrolmentTicket;
pub(crate) use holder_proof::random_id;
pub use holder_proof::{HolderProof, ProofSigner};
pub use receiving_key::ReceivingKey;
pub use vault_key::VaultKey;
pub use vault_word::{Trust, VaultProof};
