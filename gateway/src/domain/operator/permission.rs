//! What operators can be permitted to do: one table of permission and role, which the doors, the answers and the tests read.
//!
//! The roles are those of the capability matrix, column `/admin`; where a row of it names no role, all three may.

use super::Role;

const ALL_ROLES: &[Role] = &Role::ALL;
const ADMIN: &[Role] = &[Role::Admin];
const ADMIN_AND_MANAGER: &[Role] = &[Role::Admin, Role::Manager];

/// What an operator is about to do. Its name is also the action in the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Look at and end one's own session.
    OwnSession,
    /// List, invite, change, disable operators and reset their second factor.
    ManageOperators,
    /// Read the trail of what operators did.
    ReadAudit,
    /// Search customers and look at one (row 21).
    ViewCustomers,
    /// Lock a customer (row 21).
    LockCustomer,
    /// Unlock a customer (row 21).
    UnlockCustomer,
    /// Look at masked cards.
    ViewCards,
    /// Look at who saw a card (row 26).
    ViewReveals,
    /// Look at a customer's installations.
    ViewInstallations,
    /// Revoke an installation (row 23).
    RevokeInstallation,
    /// Create a virtual card (row 1).
    CreateCard,
    /// Lock a card (row 3).
    LockCard,
    /// Lift a lock (row 4).
    UnlockCard,
    /// Remove a card for good (row 5).
    RemoveCard,
    /// Reset a CVV, which nobody is told (row 7).
    ResetCvv,
    /// Order plastic of a virtual card (row 10).
    PrintCard,
    /// Order a physical card (row 8).
    OrderCard,
    /// Activate a physical card (row 12).
    ActivateCard,
    /// Put another card in the place of one that is lost, stolen or replaced.
    ReplaceCard,
    /// Decide whether a card is renewed by itself.
    SetCardRenewal,
    /// View and decide KYC applications (row 14).
    DecideKyc,
    /// Create a balance (row 16).
    CreateBalance,
    /// Look at balances (row 17).
    ViewBalances,
    /// Look at the sums of all balances (row 20).
    ViewSummary,
    /// Look at partners' webhook endpoints and deliveries, enable, disable and replay.
    ManageWebhooks,
    /// Look at partners, programs and certificates.
    ViewPartners,
    /// Change a partner's settings; file, return and revoke its certificates (row 24).
    ManagePartners,
    /// Lock, unlock and close balances.
    ChangeBalanceState,
    /// Reload a user's balance (row 18).
    ReloadBalance,
    /// Look at, create and reload partner balances (row 19).
    ManagePartnerBalances,
    /// Look at transactions (row 25).
    ViewTransactions,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 31] = [
        Self::OwnSession,
        Self::ManageOperators,
        Self::ReadAudit,
        Self::ViewCustomers,
        Self::LockCustomer,
        Self::UnlockCustomer,
        Self::ViewCards,
        Self::ViewReveals,
        Self::ViewInstallations,
        Self::RevokeInstallation,
        Self::CreateCard,
        Self::LockCard,
        Self::UnlockCard,
        Self::RemoveCard,
        Self::ResetCvv,
        Self::PrintCard,
        Self::OrderCard,
        Self::ActivateCard,
        Self::ReplaceCard,
        Self::SetCardRenewal,
        Self::DecideKyc,
        Self::CreateBalance,
        Self::ViewBalances,
        Self::ViewSummary,
        Self::ManageWebhooks,
        Self::ViewPartners,
        Self::ManagePartners,
        Self::ChangeBalanceState,
        Self::ReloadBalance,
        Self::ManagePartnerBalances,
        Self::ViewTransactions,
    ];

    /// Who has it: the whole table.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::ManageOperators
            | Self::ReadAudit
            | Self::DecideKyc
            | Self::ManageWebhooks
            | Self::ManagePartners
            | Self::ManagePartnerBalances => ADMIN,
            Self::CreateCard
            | Self::RemoveCard
            | Self::ReplaceCard
            | Self::ViewPartners
            | Self::ChangeBalanceState
            | Self::ReloadBalance => ADMIN_AND_MANAGER,
            Self::OwnSession
            | Self::ViewCustomers
            | Self::LockCustomer
            | Self::UnlockCustomer
            | Self::ViewCards
            | Self::ViewReveals
            | Self::ViewInstallations
            | Self::RevokeInstallation
            | Self::LockCard
            | Self::UnlockCard
            | Self::ResetCvv
            | Self::PrintCard
            | Self::OrderCard
            | Self::ActivateCard
            | Self::SetCardRenewal
            | Self::CreateBalance
            | Self::ViewBalances
            | Self::ViewSummary
            | Self::ViewTransactions => ALL_ROLES,
        }
    }

    /// Whether it shows a customer's data and changes nothing.
    #[must_use]
    pub const fn only_looks(self) -> bool {
        matches!(
            self,
            Self::ViewCustomers
                | Self::ViewCards
                | Self::ViewReveals
                | Self::ViewInstallations
                | Self::ViewBalances
                | Self::ViewTransactions
        )
    }

    /// The name in the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnSession => "OWN_SESSION",
            Self::ManageOperators => "MANAGE_OPERATORS",
            Self::ReadAudit => "READ_AUDIT",
            Self::ViewCustomers => "VIEW_CUSTOMERS",
            Self::LockCustomer => "LOCK_CUSTOMER",
            Self::UnlockCustomer => "UNLOCK_CUSTOMER",
            Self::ViewCards => "VIEW_CARDS",
            Self::ViewReveals => "VIEW_REVEALS",
            Self::ViewInstallations => "VIEW_INSTALLATIONS",
            Self::RevokeInstallation => "REVOKE_INSTALLATION",
            Self::CreateCard => "CREATE_CARD",
            Self::LockCard => "LOCK_CARD",
            Self::UnlockCard => "UNLOCK_CARD",
            Self::RemoveCard => "REMOVE_CARD",
            Self::ResetCvv => "RESET_CVV",
            Self::PrintCard => "PRINT_CARD",
            Self::OrderCard => "ORDER_CARD",
            Self::ActivateCard => "ACTIVATE_CARD",
            Self::ReplaceCard => "REPLACE_CARD",
            Self::SetCardRenewal => "SET_CARD_RENEWAL",
            Self::DecideKyc => "DECIDE_KYC",
            Self::CreateBalance => "CREATE_BALANCE",
            Self::ViewBalances => "VIEW_BALANCES",
            Self::ViewSummary => "VIEW_SUMMARY",
            Self::ManageWebhooks => "MANAGE_WEBHOOKS",
            Self::ViewPartners => "VIEW_PARTNERS",
            Self::ManagePartners => "MANAGE_PARTNERS",
            Self::ChangeBalanceState => "CHANGE_BALANCE_STATE",
            Self::ReloadBalance => "RELOAD_BALANCE",
            Self::ManagePartnerBalances => "MANAGE_PARTNER_BALANCES",
            Self::ViewTransactions => "VIEW_TRANSACTIONS",
        }
    }
}

/// A permission as a type, for callers who were found to have it.
pub trait Permitted: 'static {
    /// The permission.
    const PERMISSION: Permission;
}

/// The permissions as types, by the same names.
pub mod marker {
    use super::{Permission, Permitted};

    macro_rules! markers {
        ($($name:ident)*) => {$(
            #[doc = concat!("[`Permission::", stringify!($name), "`].")]
            pub struct $name;
            impl Permitted for $name {
                const PERMISSION: Permission = Permission::$name;
            }
        )*};
    }

    markers! {
        OwnSession ManageOperators ReadAudit ViewCustomers LockCustomer UnlockCustomer ViewCards ViewInstallations RevokeInstallation CreateCard
        LockCard UnlockCard RemoveCard ResetCvv PrintCard OrderCard ActivateCard ReplaceCard SetCardRenewal DecideKyc
        CreateBalance ViewBalances ViewSummary ManageWebhooks
        ViewReveals ViewPartners ManagePartners
        ChangeBalanceState ReloadBalance ManagePartnerBalances ViewTransactions
    }
}
