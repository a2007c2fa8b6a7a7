//! Webhooks: where a partner is told of its events, when a message is tried again, and which addresses are called at all.

pub mod address;
mod message;
mod outcome;
pub mod schedule;
mod secret;
mod url;

use shared::ids::ProgramName;
use shared::mtls::identity::Name;
use time::OffsetDateTime;

use super::event::EventKind;

pub use message::EventMessage;
pub use outcome::{Failure, Outcome};
pub use secret::{Signer, WebhookSecret};
pub use url::WebhookUrl;

/// The gateway's number of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(pub i64);

/// The number by which partners know an event: given when it is handed out, in the order of the commits, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventNumber(pub i64);

/// The header `webhook-id`: the same for an event and an endpoint at each try and each replay.
#[must_use]
pub fn message_id(event: EventNumber, endpoint: EndpointId) -> String {
    format!("evt_{}_{}", event.0, endpoint.0)
}

/// Why nothing is sent to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledBy {
    /// The partner said so.
    Partner,
    /// An operator said so.
    Operator,
    /// The endpoint answered 410.
    Gone,
    /// Nothing has arrived for days.
    Failing,
}

impl DisabledBy {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Partner, Self::Operator, Self::Gone, Self::Failing];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partner => "PARTNER",
            Self::Operator => "OPERATOR",
            Self::Gone => "GONE",
            Self::Failing => "FAILING",
        }
    }

    /// The reason with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// Which events an endpoint wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kinds {
    /// All, those among them that later versions bring.
    All,
    /// These.
    Some(Vec<EventKind>),
}

impl Kinds {
    /// Whether events of this kind are wanted. A test goes to the endpoint that is tested, whatever it wants.
    #[must_use]
    pub fn want(&self, kind: EventKind) -> bool {
        match self {
            _ if kind == EventKind::WebhookTest => false,
            Self::All => true,
            Self::Some(kinds) => kinds.contains(&kind),
        }
    }
}

/// Where a partner is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The number.
    pub id: EndpointId,
    /// Whose endpoint it is.
    pub partner: Name,
    /// The program whose remote URL it is; none: the partner made it.
    pub program: Option<ProgramName>,
    /// Where it is.
    pub url: WebhookUrl,
    /// What it wants.
    pub kinds: Kinds,
    /// What the partner calls it.
    pub description: Option<String>,
    /// Why nothing is sent; none: it is enabled.
    pub disabled_by: Option<DisabledBy>,
    /// Since when nothing has arrived.
    pub failing_since: Option<OffsetDateTime>,
    /// Until when the former secret signs too.
    pub old_secret_until: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

impl Endpoint {
    /// Whether it is to get an event of this kind and program. What is of no program is the partner's as a whole, and each of
    /// its programs is concerned by it.
    #[must_use]
    pub fn wants(&self, kind: EventKind, program: Option<&ProgramName>) -> bool {
        let is_concerned = match (&self.program, program) {
            (Some(own), Some(program)) => own == program,
            _ => true,
        };
        is_concerned && self.kinds.want(kind)
    }

    /// The same endpoint at another address. What was found out about the former one says nothing of it; what somebody has
    /// decided stays.
    #[must_use]
    pub fn moved_to(self, url: WebhookUrl) -> Self {
        let decided = |by: &DisabledBy| matches!(by, DisabledBy::Partner | DisabledBy::Operator);
        Self {
            url,
            disabled_by: self.disabled_by.filter(decided),
            failing_since: None,
            ..self
        }
    }
}

/// How far the delivery of an event to an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried, now or later.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// Given up: it can be replayed.
    Failed,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Delivered => "DELIVERED",
            Self::Failed => "FAILED",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive() {
        for reason in DisabledBy::ALL {
            assert_eq!(DisabledBy::from_name(reason.as_str()), Some(reason));
        }
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::from_name(state.as_str()), Some(state));
        }
    }

    #[test]
    fn a_test_is_wanted_by_nobody_but_who_asked_for_it() {
        let some = Kinds::Some(vec![EventKind::CardLocked]);
        assert!(some.want(EventKind::CardLocked) && !some.want(EventKind::CardCreated));
        assert!(Kinds::All.want(EventKind::CardCreated));
        assert!(!Kinds::All.want(EventKind::WebhookTest));
    }

    fn endpoint(program: Option<&str>, disabled_by: Option<DisabledBy>) -> Endpoint {
        Endpoint {
            id: EndpointId(1001),
            partner: "bank".parse().unwrap(),
            program: program.map(|name| name.parse().unwrap()),
            url: WebhookUrl::parse("https://bank.example/").unwrap(),
            kinds: Kinds::All,
            description: None,
            disabled_by,
            failing_since: Some(OffsetDateTime::UNIX_EPOCH),
            old_secret_until: None,
            created_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_remote_url_is_told_of_its_program_and_of_the_partner_as_a_whole() {
        let (eur, pln) = ("bank-eur".parse().unwrap(), "bank-pln".parse().unwrap());
        for (own, of, wanted) in [
            (Some("bank-eur"), Some(&eur), true),
            (Some("bank-eur"), Some(&pln), false),
            (Some("bank-eur"), None, true),
            (None, Some(&pln), true),
            (None, None, true),
        ] {
            let endpoint = endpoint(own, None);
            assert_eq!(
                endpoint.wants(EventKind::CardLocked, of),
                wanted,
                "{own:?} {of:?}"
            );
            assert!(!endpoint.wants(EventKind::WebhookTest, of));
        }
    }

    #[test]
    fn another_address_starts_anew_unless_somebody_has_switched_it_off() {
        let other = WebhookUrl::parse("https://bank.example/other").unwrap();
        for by in DisabledBy::ALL {
            let moved = endpoint(Some("bank-eur"), Some(by)).moved_to(other.clone());
            let decided = [DisabledBy::Partner, DisabledBy::Operator].contains(&by);
            assert_eq!(moved.disabled_by, decided.then_some(by));
            assert_eq!((moved.failing_since, &moved.url), (None, &other));
        }
    }

    #[test]
    fn a_message_is_named_by_event_and_endpoint() {
        assert_eq!(message_id(EventNumber(1005), EndpointId(1001)), "evt_1005_1001");
    }
}
