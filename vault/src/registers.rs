//! Programs and registered parties: read on every request, changed only by two officers.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::ids::ProgramName;
use shared::mtls::identity::{Identity, Role};
use shared::mtls::peer::SpkiThumbprint;
use shared::vault_api::governance::{Party, Program};

use crate::domain::program::Rules;
use crate::error::Error;
use crate::records::{Record, Records};
use crate::store::Tree;

/// More programs or parties than any vault has: a bound on what is read at once.
const MOST_ENTRIES: usize = 10_000;

/// A program as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProgramRecord(pub Program);

impl Record for ProgramRecord {
    const TREE: Tree = Tree::Programs;
    fn key(&self) -> Vec<u8> {
        self.0.name.as_str().as_bytes().to_vec()
    }
}

/// A person or party with every key under which it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyRecord {
    /// Who.
    pub identity: Identity,
    /// The keys, oldest first; more than one while a certificate is being renewed.
    pub keys: Vec<SpkiThumbprint>,
}

impl PartyRecord {
    /// The tree's key of an identity.
    #[must_use]
    pub fn key_of(identity: &Identity) -> Vec<u8> {
        identity.to_string().into_bytes()
    }
}

impl Record for PartyRecord {
    const TREE: Tree = Tree::Parties;
    fn key(&self) -> Vec<u8> {
        Self::key_of(&self.identity)
    }
}

/// What the records said when they were last read.
#[derive(Debug, Default)]
pub struct Registers {
    programs: HashMap<ProgramName, Arc<Rules>>,
    parties: HashMap<Identity, Vec<SpkiThumbprint>>,
}

impl Registers {
    /// Reads both registers.
    ///
    /// # Errors
    /// A record cannot be read, or a program breaks its own rules.
    pub fn read(records: &Records) -> Result<Self, Error> {
        let mut programs: HashMap<ProgramName, Arc<Rules>> = HashMap::new();
        for ProgramRecord(program) in records.scan::<ProgramRecord>(b"", Bound::Unbounded, MOST_ENTRIES)? {
            let name = program.name.clone();
            let rules = Rules::check(program, programs.values().map(Arc::as_ref));
            let rules = rules.map_err(|error| Error::Corrupt(format!("program {name}: {error}")))?;
            programs.insert(name, Arc::new(rules));
        }
        let parties = records.scan::<PartyRecord>(b"", Bound::Unbounded, MOST_ENTRIES)?;
        let parties = parties
            .into_iter()
            .map(|party| (party.identity, party.keys))
            .collect();
        Ok(Self { programs, parties })
    }

    /// A program's rules.
    #[must_use]
    pub fn program(&self, name: &ProgramName) -> Option<&Arc<Rules>> {
        self.programs.get(name)
    }

    /// All programs.
    pub fn programs(&self) -> impl Iterator<Item = &Rules> {
        self.programs.values().map(Arc::as_ref)
    }

    /// Whether somebody is registered with this key.
    #[must_use]
    pub fn knows(&self, identity: &Identity, key: &SpkiThumbprint) -> bool {
        self.parties.get(identity).is_some_and(|keys| keys.contains(key))
    }

    /// All registered officers.
    pub fn officers(&self) -> impl Iterator<Item = &Identity> {
        self.parties
            .keys()
            .filter(|identity| identity.role() == Role::Officer)
    }

    /// All parties, one entry per key.
    pub fn parties(&self) -> impl Iterator<Item = Party> {
        self.parties.iter().flat_map(|(identity, keys)| {
            let party = |key: &SpkiThumbprint| Party {
                identity: identity.clone(),
                key_thumbprint: *key,
            };
            keys.iter().map(party)
        })
    }
}
