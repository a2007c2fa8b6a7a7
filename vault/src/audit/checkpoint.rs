//! Checkpoints (C2SP tlog-checkpoint): origin, number of events and root of the log, signed by the audit key. Whoever
//! keeps one notices a log that was cut, forked or rewritten.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared::jws::audit_key::AuditKeyClaims;

use super::merkle::{self, Hash};
use super::note::{KeyKind, Note, NoteError, VerifierKey};
use crate::keys::audit_key::AuditKey;

/// A place in the log: how many events, and their root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Events up to here.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            size: 0,
            root: merkle::empty_root(),
        }
    }
}

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How far it came.
    pub head: Head,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.head.root);
        format!("{}\n{}\n{root}\n", self.origin, self.head.size)
    }

    /// Reads what a note says, signed by whomever. Lines of an extension are let through, as the format asks.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn read(note: &Note) -> Result<Self, NoteError> {
        let mut lines = note.text().split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoteError::Malformed);
        };
        let number: u64 = size.parse().map_err(|_| NoteError::Malformed)?;
        let root = STANDARD.decode(root).map_err(|_| NoteError::Malformed)?;
        let root = root.try_into().map_err(|_| NoteError::Malformed)?;
        if origin.is_empty() || number.to_string() != size {
            return Err(NoteError::Malformed);
        }
        Ok(Self {
            origin: origin.to_owned(),
            head: Head { size: number, root },
        })
    }

    /// Signs the checkpoint with each of the keys, and gives the note.
    ///
    /// # Errors
    /// [`NoteError::Key`] for an origin that cannot name a key.
    pub fn sign<'a>(&self, keys: impl IntoIterator<Item = &'a AuditKey>) -> Result<String, NoteError> {
        let text = self.text();
        let mut note = format!("{text}\n");
        for key in keys {
            let signature = key.sign(text.as_bytes());
            note += &verifier_key(key, &self.origin)?.signature_line(signature.as_ref());
        }
        Ok(note)
    }

    /// Reads a note and verifies it with a key, whose name is the origin.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let note = Note::parse(note)?;
        let checkpoint = Self::read(&note)?;
        if checkpoint.origin != key.name() {
            return Err(NoteError::OtherKey);
        }
        key.verify(&note)?;
        Ok(checkpoint)
    }
}

/// The audit key's public half under the name of its log: what verifies checkpoints.
///
/// # Errors
/// [`NoteError::Key`] for an origin that cannot name a key.
pub fn verifier_key(key: &AuditKey, origin: &str) -> Result<VerifierKey, NoteError> {
    VerifierKey::new(origin, KeyKind::Ed25519, key.public_key())
}

/// The claims by which the vault's certificate vouches for the audit key.
#[must_use]
pub fn attested(key: &VerifierKey, now: time::OffsetDateTime) -> AuditKeyClaims {
    AuditKeyClaims::new(key.to_string(), now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::audit_key::AuditKey;

    const ORIGIN: &str = "tessera.vault/development";

    fn signed(size: u64) -> (AuditKey, String) {
        let key = AuditKey::for_test();
        let head = Head {
            size,
            root: merkle::leaf(b"one"),
        };
        let origin = ORIGIN.to_owned();
        let note = Checkpoint { origin, head }.sign([&key]).unwrap();
        (key, note)
    }

    #[test]
    fn a_checkpoint_says_what_was_signed_and_nothing_else() {
        let (key, note) = signed(1);
        let verifier = verifier_key(&key, ORIGIN).unwrap();
        let read = Checkpoint::verify(&note, &verifier).unwrap();
        assert_eq!((read.head.size, read.head.root), (1, merkle::leaf(b"one")));
        assert_eq!(
            Checkpoint::verify(&note.replacen("\n1\n", "\n2\n", 1), &verifier),
            Err(NoteError::Forged)
        );
        let other = verifier_key(&key, "tessera.vault/other").unwrap();
        assert_eq!(Checkpoint::verify(&note, &other), Err(NoteError::OtherKey));
        assert_eq!(
            Checkpoint::verify(&note, &verifier_key(&AuditKey::for_test(), ORIGIN).unwrap()),
            Err(NoteError::OtherKey)
        );
    }

    #[test]
    fn sizes_have_one_form() {
        let (key, note) = signed(1);
        let verifier = verifier_key(&key, ORIGIN).unwrap();
        for bad in ["\n01\n", "\n+1\n", "\n-1\n", "\n\n"] {
            let text = note.replacen("\n1\n", bad, 1);
            assert_eq!(
                Checkpoint::verify(&text, &verifier),
                Err(NoteError::Malformed),
                "{bad:?}"
            );
        }
    }
}
