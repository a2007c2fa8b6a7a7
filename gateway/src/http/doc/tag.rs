//! Under which heading an operation stands.

/// The headings, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Pairing and sessions.
    Sessions,
    /// Users.
    Users,
    /// Who a user is.
    Kyc,
    /// Balances.
    Balances,
    /// What limits partners.
    PartnerBalances,
    /// Cards.
    Cards,
    /// Proofs by the holder.
    Proofs,
    /// Keys of the vault.
    Keys,
    /// What partners are told.
    Webhooks,
    /// Operators.
    Operators,
    /// Partners, their programs and certificates.
    Partners,
    /// The trail.
    Audit,
    /// Whether the service works.
    Health,
    /// These documents.
    Documentation,
}

impl Tag {
    /// Every heading.
    pub const ALL: [Self; 14] = [
        Self::Sessions,
        Self::Users,
        Self::Kyc,
        Self::Balances,
        Self::PartnerBalances,
        Self::Cards,
        Self::Proofs,
        Self::Keys,
        Self::Webhooks,
        Self::Operators,
        Self::Partners,
        Self::Audit,
        Self::Health,
        Self::Documentation,
    ];

    /// Its name, and what stands under it.
    pub const fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::Sessions => ("Sessions", "Pair a device, log in, log out."),
            Self::Users => ("Users", "Who they are and what devices they have."),
            Self::Kyc => (
                "KYC",
                "Establish who a user is: before that there are no balances and no cards.",
            ),
            Self::Balances => ("Balances", "What a user owns, in minor units of one currency."),
            Self::PartnerBalances => (
                "Partner balances",
                "What limits all transactions of a partner's users together: credit or deposit; and the platform's own, which \
                 pays differences between authorisation and clearing.",
            ),
            Self::Cards => (
                "Cards",
                "Cards by their masked number. Number, CVV and PIN cross this interface inside a JWE only, between the \
                 vault and whoever holds the key.",
            ),
            Self::Proofs => (
                "Proofs",
                "Nonces for `Holder-Proof`, by which a user shows the vault that it is they who ask.",
            ),
            Self::Keys => ("Keys", "The vault's public keys, to which secrets are sealed."),
            Self::Webhooks => (
                "Webhooks",
                "What happened, told to partners: signed, at least once, under one name.",
            ),
            Self::Operators => ("Operators", "Who works here, in which role."),
            Self::Partners => (
                "Partners",
                "Their programs, from where and with which certificates their servers call, and which keys they may use.",
            ),
            Self::Audit => ("Audit", "What operators did."),
            Self::Health => ("Health", "Whether the process lives, and whether it can work."),
            Self::Documentation => ("Documentation", "These documents, and a page to read them with."),
        }
    }
}
