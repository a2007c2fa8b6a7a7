//! The names of the store's trees. A tree is a key space of its own; its tag is on the disk and never changes meaning.

/// A logical tree: a prefix in sled, a column's value on PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Tree {
    /// Facts about the store itself, the commit record among them.
    Meta = 1,
    /// Root key slots.
    Slots = 2,
    /// Wrapped key-encryption keys by version.
    Keks = 3,
    /// Wrapped data keys, apart from the records, so that a rotation rewrites some hundred bytes a card.
    DataKeys = 4,
    /// Sealed card records.
    Cards = 5,
    /// Keyed PAN fingerprints.
    Fingerprints = 6,
    /// Holders.
    Holders = 7,
    /// Keys enrolled for holders.
    HolderKeys = 8,
    /// Programs: BIN ranges, policies, budgets.
    Programs = 9,
    /// Registered officers, custodians, partners, processors and bureaus.
    Parties = 10,
    /// Approvals that wait for their second officer.
    Approvals = 11,
    /// Answers kept for idempotent replay.
    Idempotency = 12,
    /// Try counters and sequences.
    Counters = 14,
    /// Orders for plastic.
    Orders = 15,
    /// Audit events, by index.
    Audit = 16,
    /// When the secrets of erased cards are due.
    Erasures = 17,
    /// Long work: how far it is.
    Jobs = 18,
    /// Challenges and spent proofs, where several processes share the store.
    Challenges = 19,
    /// Inner nodes of the audit log's Merkle tree.
    AuditNodes = 20,
    /// What became of each row of an import.
    ImportRows = 21,
    /// Backups whose life has not ended.
    Backups = 22,
    /// Shares that wait for their custodians, sealed to them.
    Shares = 23,
    /// Facts about retention: halts, purges, destroyed cards.
    Retention = 24,
    /// What the gateway is to be told.
    Notices = 25,
    /// What the bureau has to do, and what it was given.
    Batches = 26,
    /// Where in the audit log an answer with a holder's or a card's data stands.
    Emissions = 30,
}

impl Tree {
    /// Every tree, in the order of its tag.
    pub const ALL: [Self; 26] = [
        Self::Meta,
        Self::Slots,
        Self::Keks,
        Self::DataKeys,
        Self::Cards,
        Self::Fingerprints,
        Self::Holders,
        Self::HolderKeys,
        Self::Programs,
        Self::Parties,
        Self::Approvals,
        Self::Idempotency,
        Self::Counters,
        Self::Orders,
        Self::Audit,
        Self::Erasures,
        Self::Jobs,
        Self::Challenges,
        Self::AuditNodes,
        Self::ImportRows,
        Self::Backups,
        Self::Shares,
        Self::Retention,
        Self::Notices,
        Self::Batches,
        Self::Emissions,
    ];

    /// The byte that names the tree on the disk.
    #[must_use]
    pub const fn tag(self) -> u8 {
        self as u8
    }

    /// The tree's name in logs, reports and table names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Slots => "slots",
            Self::Keks => "keks",
            Self::DataKeys => "data_keys",
            Self::Cards => "cards",
            Self::Fingerprints => "fingerprints",
            Self::Holders => "holders",
            Self::HolderKeys => "holder_keys",
            Self::Programs => "programs",
            Self::Parties => "parties",
            Self::Approvals => "approvals",
            Self::Idempotency => "idempotency",
            Self::Counters => "counters",
            Self::Orders => "orders",
            Self::Audit => "audit",
            Self::Erasures => "erasures",
            Self::Jobs => "jobs",
            Self::Challenges => "challenges",
            Self::AuditNodes => "audit_nodes",
            Self::ImportRows => "import_rows",
            Self::Backups => "backups",
            Self::Shares => "shares",
            Self::Retention => "retention",
            Self::Notices => "notices",
            Self::Batches => "batches",
            Self::Emissions => "emissions",
        }
    }
}
