//! Signed notes (C2SP signed-note): a text that ends in a newline, an empty line, and a line for each signature. Keys are
//! written as verifier keys: `name+hex(key id)+base64(type ‖ public key)`.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, SHA256};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The text of a note (`0x01`).
    Ed25519,
    /// A timestamp and the text: a witness' cosignature (C2SP tlog-cosignature, `0x04`).
    Cosignature,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

/// Bytes of a key id.
const ID_BYTES: usize = 4;
const PUBLIC_KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const TIMESTAMP_BYTES: usize = 8;
/// Longest name of a key: it is a word in a line.
const MOST_NAME_BYTES: usize = 256;
/// More signatures than any note of ours carries.
const MOST_SIGNATURES: usize = 64;
const DASH: &str = "\u{2014} ";

/// A text that is no note, no key, no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not of the form of a signed note.
    #[error("not a signed note")]
    Malformed,
    /// Not of the form of a verifier key.
    #[error("not a verifier key")]
    Key,
    /// The note carries no signature by this key.
    #[error("not signed by this key")]
    OtherKey,
    /// A signature that says it is by this key, and is not.
    #[error("a forged signature")]
    Forged,
}

/// A public key with a name: what checkpoints are verified with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    public_key: [u8; PUBLIC_KEY_BYTES],
}

impl VerifierKey {
    /// The key of this name.
    ///
    /// # Errors
    /// [`NoteError::Key`] for a name with white space or `+`, or a key that is not 32 bytes long.
    pub fn new(name: &str, kind: KeyKind, public_key: &[u8]) -> Result<Self, NoteError> {
        let public_key = public_key.try_into().map_err(|_| NoteError::Key)?;
        if is_name(name) {
            let name = name.to_owned();
            Ok(Self {
                name,
                kind,
                public_key,
            })
        } else {
            Err(NoteError::Key)
        }
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).
    #[must_use]
    pub fn id(&self) -> [u8; ID_BYTES] {
        let mut context = Context::new(&SHA256);
        context.update(self.name.as_bytes());
        context.update(&[0x0A, self.kind.byte()]);
        context.update(&self.public_key);
        let digest = context.finish();
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// The line of a signature by this key. `signature` is what the key's kind puts behind the key id.
    #[must_use]
    pub fn signature_line(&self, signature: &[u8]) -> String {
        let bytes = [&self.id(), signature].concat();
        format!("{DASH}{} {}\n", self.name, STANDARD.encode(bytes))
    }

    /// Whether one of the note's signatures is by this key, and good. Of a cosignature: its time, Unix seconds.
    ///
    /// # Errors
    /// [`NoteError::OtherKey`], [`NoteError::Forged`].
    pub fn verify(&self, note: &Note) -> Result<Option<u64>, NoteError> {
        let id = self.id();
        let own = note
            .signatures
            .iter()
            .find(|line| line.name == self.name && line.id == id);
        let own = own.ok_or(NoteError::OtherKey)?;
        let (time, signature) = match self.kind {
            KeyKind::Ed25519 => (None, own.signature.as_slice()),
            KeyKind::Cosignature => {
                let (time, rest) = own
                    .signature
                    .split_first_chunk::<TIMESTAMP_BYTES>()
                    .ok_or(NoteError::Forged)?;
                (Some(u64::from_be_bytes(*time)), rest)
            }
        };
        if signature.len() != SIGNATURE_BYTES {
            return Err(NoteError::Forged);
        }
        let message = time.map_or_else(|| note.text.clone(), |time| cosigned(time, &note.text));
        let key = UnparsedPublicKey::new(&ED25519, self.public_key);
        key.verify(message.as_bytes(), signature)
            .map(|()| time)
            .map_err(|_| NoteError::Forged)
    }
}

/// What a witness signs: the time, Unix seconds, and the checkpoint.
#[must_use]
pub fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// Whether this can name a key.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    (1..=MOST_NAME_BYTES).contains(&name.len()) && name.chars().all(plain)
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.kind.byte()], self.public_key.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), STANDARD.encode(bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let bytes = STANDARD.decode(key).map_err(|_| NoteError::Key)?;
        let (kind, public_key) = match bytes.split_first() {
            Some((0x01, rest)) => (KeyKind::Ed25519, rest),
            Some((0x04, rest)) => (KeyKind::Cosignature, rest),
            _ => return Err(NoteError::Key),
        };
        let read = Self::new(name, kind, public_key)?;
        if hex(&read.id()) == id {
            Ok(read)
        } else {
            Err(NoteError::Key)
        }
    }
}

impl TryFrom<String> for VerifierKey {
    type Error = NoteError;

    fn try_from(text: String) -> Result<Self, NoteError> {
        text.parse()
    }
}

impl From<VerifierKey> for String {
    fn from(key: VerifierKey) -> Self {
        key.to_string()
    }
}

/// A note as it was read: not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SignatureLine {
    name: String,
    id: [u8; ID_BYTES],
    signature: Vec<u8>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        let signatures: Result<Vec<_>, _> = lines.split('\n').map(signature).collect();
        let signatures = signatures?;
        let odd = |c: char| c.is_control() && c != '\n';
        if text.is_empty() || text.contains(odd) || signatures.len() > MOST_SIGNATURES {
            return Err(NoteError::Malformed);
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }

    /// The signed text, with the newline at its end.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Name and key id of every signature.
    pub fn signers(&self) -> impl Iterator<Item = (&str, [u8; ID_BYTES])> {
        self.signatures.iter().map(|line| (line.name.as_str(), line.id))
    }
}

fn signature(line: &str) -> Result<SignatureLine, NoteError> {
    let line = line.strip_prefix(DASH).ok_or(NoteError::Malformed)?;
    let (name, encoded) = line.split_once(' ').ok_or(NoteError::Malformed)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Malformed)?;
    match bytes.split_first_chunk::<ID_BYTES>() {
        Some((id, signature)) if is_name(name) && !signature.is_empty() => Ok(SignatureLine {
            name: name.to_owned(),
            id: *id,
            signature: signature.to_vec(),
        }),
        _ => Err(NoteError::Malformed),
    }
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the documentation of golang.org/x/mod/sumdb/note.
    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_note_of_another_implementation_verifies() {
        let key: VerifierKey = GO_KEY.parse().unwrap();
        assert_eq!(key.to_string(), GO_KEY);
        let note = Note::parse(GO_NOTE).unwrap();
        assert_eq!(key.verify(&note), Ok(None));
        let changed = Note::parse(&GO_NOTE.replacen("answer", "anSwer", 1)).unwrap();
        assert_eq!(key.verify(&changed), Err(NoteError::Forged));
        let other = VerifierKey::new("PeterNeumann", KeyKind::Ed25519, &[7; 32]).unwrap();
        assert_eq!(other.verify(&note), Err(NoteError::OtherKey));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in [
            "",
            "a",
            "a+b",
            "a+00000000+",
            &GO_KEY.replace("c74f20a3", "c74f20a4"),
            &GO_KEY.replace("ARpc", "AhpC"),
            &GO_KEY.replace("PeterNeumann", "Peter Neumann"),
            &GO_KEY[..GO_KEY.len() - 4],
        ] {
            assert_eq!(bad.parse::<VerifierKey>(), Err(NoteError::Key), "{bad}");
        }
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for bad in [
            "",
            "text\n",
            "text\n\n",
            "text\n\n\u{2014} name\n",
            "text\n\n\u{2014} name AAAA\n",
            "text\n\n- name AAAAAAA=\n",
            "\n\n\u{2014} name AAAAAAA=\n",
            "te\rxt\n\n\u{2014} name AAAAAAA=\n",
            GO_NOTE.trim_end(),
        ] {
            assert_eq!(Note::parse(bad), Err(NoteError::Malformed), "{bad:?}");
        }
    }
}
