//! What a sealed value is bound to. The associated data of every AEAD call names the value completely, so that a value
//! moved to another place, or relabelled, does not open (PCI DSS 3.7.7). There is no way to make an empty one.

use shared::ids::{CardToken, ProgramName};

use super::aead::Format;
use crate::environment::Environment;
use crate::store::Tree;

/// A secret member of a card record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The primary account number.
    Pan,
    /// The card verification value (CVC2).
    Cvv,
    /// The CVV2 of the plastic that is to take over.
    NextCvv,
    /// The PIN.
    Pin,
}

impl Field {
    const fn name(self) -> &'static str {
        match self {
            Self::Pan => "pan",
            Self::Cvv => "cvv",
            Self::NextCvv => "next-cvv",
            Self::Pin => "pin",
        }
    }
}

/// The full name of a sealed value. Each kind is a purpose of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueName<'a> {
    /// A value of the store.
    Record {
        /// The tree it lies in.
        tree: Tree,
        /// Its key in that tree.
        key: &'a [u8],
    },
    /// A secret member of a card record.
    CardField {
        /// The card's program.
        program: &'a ProgramName,
        /// The card.
        card: &'a CardToken,
        /// The member.
        field: Field,
        /// How often the member was written, so that an earlier CVV does not pass for the current one.
        record_version: u32,
    },
    /// A card record's data key, wrapped.
    DataKey {
        /// The card's program.
        program: &'a ProgramName,
        /// The card.
        card: &'a CardToken,
    },
    /// A key of the keyring, wrapped.
    Key {
        /// Everything the keyring says of the key in clear: purpose, version, state, times. As stored, byte for byte.
        header: &'a [u8],
    },
    /// The root key, wrapped for one slot.
    RootKey {
        /// The slot's id.
        slot: &'a [u8],
    },
    /// A slot's secret, wrapped by a key of a PKCS#11 token.
    SlotSecret {
        /// The slot's id.
        slot: &'a [u8],
        /// The token's label.
        token: &'a str,
        /// The key's label.
        key: &'a str,
    },
}

/// Encoded associated data.
pub(super) struct Aad(Vec<u8>);

/// The associated data for a value that a token seals under a key of its own: AES-GCM too, with a random nonce.
#[must_use]
pub fn for_token(environment: Environment, key_version: u32, name: &ValueName<'_>) -> Vec<u8> {
    Aad::encode(Format::Direct, environment, key_version, name).0
}

/// First bytes of all associated data: this product, this encoding.
const DOMAIN: &[u8] = b"tessera.aad.1";

impl Aad {
    /// Encodes the name of a value together with the format, the environment and the version of the sealing key.
    ///
    /// Every member is written with its length before it (4 bytes, big-endian), in a fixed order and number that the
    /// first of them, the purpose, determines: no two names share an encoding.
    pub(super) fn encode(
        format: Format,
        environment: Environment,
        key_version: u32,
        name: &ValueName<'_>,
    ) -> Self {
        let mut aad = Self(Vec::with_capacity(192));
        aad.member(DOMAIN);
        aad.member(purpose(name).as_bytes());
        aad.member(&[format.byte()]);
        aad.member(environment.as_str().as_bytes());
        aad.member(&key_version.to_be_bytes());
        match name {
            ValueName::Record { tree, key } => {
                aad.member(&[tree.tag()]);
                aad.member(key);
            }
            ValueName::CardField {
                program,
                card,
                field,
                record_version,
            } => {
                aad.member(program.as_str().as_bytes());
                aad.member(card.as_str().as_bytes());
                aad.member(field.name().as_bytes());
                aad.member(&record_version.to_be_bytes());
            }
            ValueName::DataKey { program, card } => {
                aad.member(program.as_str().as_bytes());
                aad.member(card.as_str().as_bytes());
            }
            ValueName::Key { header } => aad.member(header),
            ValueName::RootKey { slot } => aad.member(slot),
            ValueName::SlotSecret { slot, token, key } => {
                aad.member(slot);
                aad.member(token.as_bytes());
                aad.member(key.as_bytes());
            }
        }
        aad
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn member(&mut self, bytes: &[u8]) {
        // Keys, names and headers are bounded far below 4 GiB; a longer one would saturate and then fail to open.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }
}

const fn purpose(name: &ValueName<'_>) -> &'static str {
    match name {
        ValueName::Record { .. } => "record",
        ValueName::CardField { .. } => "card-field",
        ValueName::DataKey { .. } => "data-key",
        ValueName::Key { .. } => "key",
        ValueName::RootKey { .. } => "root-key",
        ValueName::SlotSecret { .. } => "slot-secret",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_oneof};
    use proptest::{collection, prop_assert_eq, proptest};

    use super::*;

    /// A name that owns its members.
    #[derive(Clone, Debug, PartialEq)]
    enum Owned {
        Record(Tree, Vec<u8>),
        CardField(ProgramName, CardToken, Field, u32),
        DataKey(ProgramName, CardToken),
        Key(Vec<u8>),
        RootKey(Vec<u8>),
        SlotSecret(Vec<u8>, String, String),
    }

    impl Owned {
        fn encode(&self, format: Format, environment: Environment, version: u32) -> Vec<u8> {
            let name = match self {
                Self::Record(tree, key) => ValueName::Record { tree: *tree, key },
                Self::CardField(program, card, field, record_version) => ValueName::CardField {
                    program,
                    card,
                    field: *field,
                    record_version: *record_version,
                },
                Self::DataKey(program, card) => ValueName::DataKey { program, card },
                Self::Key(header) => ValueName::Key { header },
                Self::RootKey(slot) => ValueName::RootKey { slot },
                Self::SlotSecret(slot, token, key) => ValueName::SlotSecret { slot, token, key },
            };
            Aad::encode(format, environment, version, &name).0
        }
    }

    /// Few values each, so that random pairs often agree in all members but one.
    fn names() -> impl Strategy<Value = Owned> {
        let bytes = || collection::vec(prop_oneof![Just(0u8), Just(b'a')], 0..6);
        let program = prop_oneof![Just("a"), Just("ab"), Just("a-b")].prop_map(|name| name.parse().unwrap());
        let card = (0u8..3).prop_map(|bits| CardToken::from_random(&[bits; 16]).unwrap());
        let field = prop_oneof![
            Just(Field::Pan),
            Just(Field::Cvv),
            Just(Field::NextCvv),
            Just(Field::Pin)
        ];
        let tree = prop_oneof![Just(Tree::Cards), Just(Tree::Audit)];
        prop_oneof![
            (tree, bytes()).prop_map(|(tree, key)| Owned::Record(tree, key)),
            (program.clone(), card.clone(), field, 0u32..3)
                .prop_map(|(program, card, field, version)| Owned::CardField(program, card, field, version)),
            (program, card).prop_map(|(program, card)| Owned::DataKey(program, card)),
            bytes().prop_map(Owned::Key),
            bytes().prop_map(Owned::RootKey),
            (bytes(), "a{0,2}", "a{0,2}").prop_map(|(slot, token, key)| Owned::SlotSecret(slot, token, key)),
        ]
    }

    fn surroundings() -> impl Strategy<Value = (Format, Environment, u32)> {
        let format = prop_oneof![Just(Format::Derived), Just(Format::Direct)];
        let environment = prop_oneof![Just(Environment::Development), Just(Environment::Production)];
        (
            format,
            environment,
            prop_oneof![Just(1u32), Just(2), any::<u32>()],
        )
    }

    /// Reads the members back: an encoding that can be read back is injective.
    fn members(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut members = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let (member, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            members.push(member.to_vec());
            bytes = rest;
        }
        assert!(bytes.is_empty());
        members
    }

    proptest! {
        #[test]
        fn different_names_never_share_an_encoding(
            a in names(), at in surroundings(), b in names(), bt in surroundings(),
        ) {
            let encode = |name: &Owned, (format, environment, version)| name.encode(format, environment, version);
            prop_assert_eq!(encode(&a, at) == encode(&b, bt), a == b && at == bt);
        }

        #[test]
        fn every_member_can_be_read_back(name in names(), (format, environment, version) in surroundings()) {
            let members = members(&name.encode(format, environment, version));
            prop_assert_eq!(&members[0], DOMAIN);
            prop_assert_eq!(&members[2], &[format.byte()]);
            prop_assert_eq!(&members[3], environment.as_str().as_bytes());
            prop_assert_eq!(&members[4], &version.to_be_bytes());
            let own: Vec<Vec<u8>> = match &name {
                Owned::Record(tree, key) => vec![vec![tree.tag()], key.clone()],
                Owned::CardField(program, card, field, version) => vec![
                    program.as_str().into(), card.as_str().into(), field.name().into(), version.to_be_bytes().into(),
                ],
                Owned::DataKey(program, card) => vec![program.as_str().into(), card.as_str().into()],
                Owned::Key(bytes) | Owned::RootKey(bytes) => vec![bytes.clone()],
                Owned::SlotSecret(slot, token, key) => vec![slot.clone(), token.as_bytes().into(), key.as_bytes().into()],
            };
            prop_assert_eq!(&members[5..], &own[..]);
        }
    }
}
