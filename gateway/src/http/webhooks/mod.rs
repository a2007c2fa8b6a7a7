//! What the doors of webhooks share: how endpoints and deliveries are shown, how wishes and replays are read.

pub(super) mod docs;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use super::body::Fields;
use super::page::Filters;
use crate::clients::webhook::WebhookClient;
use crate::domain::event::EventKind;
use crate::domain::number::NUMBER_END;
use crate::domain::rule::{NOT_TEXT, Rule};
use crate::domain::text::is_line;
use crate::domain::webhook::{
    DeliveryState, Endpoint, EndpointId, EventNumber, Kinds, WebhookUrl, message_id,
};
use crate::error::Error;
use crate::flows::webhooks::create::Wish;
use crate::flows::webhooks::replay::Replayed;
use crate::store::webhooks::deliveries::{Delivery, Replay};

/// Most events that a replay names one by one.
const EVENTS_MAX: usize = 1_000;

const NOT_KINDS: Rule = Rule {
    code: "NOT_EVENT_KINDS",
    message: "Must be a list of at least one kind of event, each once.",
};
const NOT_EVENTS: Rule = Rule {
    code: "NOT_EVENT_IDS",
    message: "Must be a list of 1 to 1000 ids of events, each once.",
};
const NOT_A_TIME: Rule = Rule {
    code: "NOT_A_TIME",
    message: "Must be a time of RFC 3339.",
};
const NOT_A_BOOLEAN: Rule = Rule {
    code: "NOT_A_BOOLEAN",
    message: "Must be true or false.",
};
const NOT_A_DESCRIPTION: Rule = Rule {
    code: "NOT_A_LABEL",
    message: "Must be 1 to 128 characters on one line.",
};
const ONE_OF_TWO: Rule = Rule {
    code: "FROM_OR_EVENT_IDS",
    message: "Takes from (and to), or eventIds.",
};
const NOT_A_STATE: Rule = Rule {
    code: "NOT_A_STATE",
    message: "Must be PENDING, DELIVERED or FAILED.",
};

/// A webhook endpoint.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookEndpoint)]
pub(super) struct EndpointView<'a> {
    id: i64,
    /// To operators: whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    partner: Option<&'a str>,
    /// Of a program's remote URL, which the operator sets: the program whose events it is told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'a str>,
    url: &'a str,
    /// Left out: every kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    kinds: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    enabled: bool,
    /// `PARTNER`, `OPERATOR`, `GONE` (it answered 410) or `FAILING`.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_by: Option<&'static str>,
    /// Since when nothing has arrived.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<OffsetDateTime>,
    /// Until when the former secret signs too.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    old_secret_until: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// Shown once: when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

impl<'a> EndpointView<'a> {
    /// As its partner is shown it.
    pub(super) fn of(endpoint: &'a Endpoint) -> Self {
        let kinds = match &endpoint.kinds {
            Kinds::All => None,
            Kinds::Some(kinds) => Some(kinds.iter().map(|kind| kind.as_str()).collect()),
        };
        Self {
            id: endpoint.id.0,
            partner: None,
            program: endpoint.program.as_ref().map(|program| program.as_str()),
            url: endpoint.url.as_str(),
            kinds,
            description: endpoint.description.as_deref(),
            enabled: endpoint.disabled_by.is_none(),
            disabled_by: endpoint.disabled_by.map(|reason| reason.as_str()),
            failing_since: endpoint.failing_since,
            old_secret_until: endpoint.old_secret_until,
            created_at: endpoint.created_at,
            secret: None,
        }
    }

    /// With its secret.
    pub(super) const fn showing(mut self, secret: &'a str) -> Self {
        self.secret = Some(secret);
        self
    }

    /// As operators are shown it.
    pub(super) fn for_operators(endpoint: &'a Endpoint) -> Self {
        Self {
            partner: Some(endpoint.partner.as_str()),
            ..Self::of(endpoint)
        }
    }
}

/// How far the delivery of an event is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookDelivery)]
pub(super) struct DeliveryView {
    event_id: i64,
    #[serde(rename = "type")]
    kind: &'static str,
    /// The header `webhook-id` of each try.
    message_id: String,
    /// `PENDING`, `DELIVERED` or `FAILED`.
    state: &'static str,
    /// Tries that have begun, since it was handed out or replayed.
    attempts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<i64>,
    /// Why the last try failed: `NAME_NOT_FOUND`, `ADDRESS_REFUSED`, `NOT_REACHED`, `TLS_FAILED`, `TIMED_OUT`, `BROKEN_OFF`,
    /// `STATUS`, `GONE` or `INTERNAL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_attempt_at: Option<OffsetDateTime>,
    /// While it is PENDING.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<OffsetDateTime>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    delivered_at: Option<OffsetDateTime>,
}

impl DeliveryView {
    pub(super) fn of(endpoint: EndpointId, delivery: Delivery) -> Self {
        let waits = delivery.state == DeliveryState::Pending;
        Self {
            event_id: delivery.event.0,
            kind: delivery.kind.as_str(),
            message_id: message_id(delivery.event, endpoint),
            state: delivery.state.as_str(),
            attempts: delivery.tries,
            last_status: delivery.last_status,
            last_error: delivery.last_failure,
            last_attempt_at: delivery.last_try_at,
            next_attempt_at: waits.then_some(delivery.next_try_at),
            delivered_at: delivery.delivered_at,
        }
    }
}

/// A test that is on its way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookTest)]
pub(super) struct TestView {
    event_id: i64,
    /// The header `webhook-id` of the message.
    message_id: String,
}

impl TestView {
    pub(super) fn of(endpoint: EndpointId, event: EventNumber) -> Self {
        Self {
            event_id: event.0,
            message_id: message_id(event, endpoint),
        }
    }
}

/// What came of a replay.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookReplay)]
pub(super) struct ReplayedView {
    /// How many events are delivered again.
    events: u64,
    /// Whether there are later ones that this request left out: ask again, from later on.
    more: bool,
}

impl From<Replayed> for ReplayedView {
    fn from(replayed: Replayed) -> Self {
        Self {
            events: replayed.events,
            more: replayed.more,
        }
    }
}

/// Reads `{url, kinds?, description?}`.
pub(super) fn wish(fields: &mut Fields, client: &WebhookClient) -> Option<Wish> {
    let url = fields.text("url", |text| {
        let url = WebhookUrl::parse(text)?;
        client.judge(&url)?;
        Ok(url)
    });
    let kinds = match fields.has("kinds") {
        true => fields.optional("kinds", kinds),
        false => Some(Kinds::All),
    };
    let description = fields.optional_text("description", |text| {
        is_line(text, 128)
            .then(|| text.to_owned())
            .ok_or(NOT_A_DESCRIPTION)
    });
    Some(Wish {
        url: url?,
        kinds: kinds?,
        description,
    })
}

/// Reads `enabled`.
pub(super) fn enabled(fields: &mut Fields) -> Option<bool> {
    fields.required("enabled", |value| value.as_bool().ok_or(NOT_A_BOOLEAN))
}

fn kinds(value: Value) -> Result<Kinds, Rule> {
    let names = value.as_array().ok_or(NOT_KINDS)?;
    let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
    kinds_of(&names.ok_or(NOT_KINDS)?)
}

fn kinds_of(names: &[&str]) -> Result<Kinds, Rule> {
    let kinds: Option<Vec<_>> = names.iter().map(|name| EventKind::from_name(name)).collect();
    let kinds = kinds.ok_or(NOT_KINDS)?;
    let each_once = kinds
        .iter()
        .enumerate()
        .all(|(index, kind)| !kinds.iter().take(index).any(|earlier| earlier == kind));
    if kinds.is_empty() || !each_once {
        return Err(NOT_KINDS);
    }
    Ok(Kinds::Some(kinds))
}

/// Reads `{from, to?}` or `{eventIds}`.
pub(super) fn replay(fields: &mut Fields, now: OffsetDateTime) -> Option<Replay> {
    if fields.has("eventIds") {
        if fields.has("from") || fields.has("to") {
            fields.refuse("eventIds", ONE_OF_TWO);
        }
        return fields.required("eventIds", event_ids).map(Replay::Events);
    }
    let from = fields.required("from", time);
    let to = match fields.has("to") {
        true => fields.optional("to", time),
        false => Some(now),
    };
    Some(Replay::Between(from?, to?))
}

fn event_ids(value: Value) -> Result<Vec<EventNumber>, Rule> {
    let ids = value.as_array().ok_or(NOT_EVENTS)?;
    let numbers: Option<Vec<i64>> = ids.iter().map(Value::as_i64).collect();
    let mut numbers = numbers.ok_or(NOT_EVENTS)?;
    let given = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    let fit = (1..=EVENTS_MAX).contains(&given)
        && numbers.len() == given
        && numbers.iter().all(|number| (1..NUMBER_END).contains(number));
    if fit {
        Ok(numbers.into_iter().map(EventNumber).collect())
    } else {
        Err(NOT_EVENTS)
    }
}

fn time(value: Value) -> Result<OffsetDateTime, Rule> {
    let text = value.as_str().ok_or(NOT_TEXT)?;
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NOT_A_TIME)
}

/// Reads the filter `state`.
///
/// # Errors
/// `VALIDATION_FAILED` for what is no state.
pub(super) fn state(filters: &Filters) -> Result<Option<DeliveryState>, Error> {
    let Some((_, name)) = filters.iter().find(|(filter, _)| *filter == "state") else {
        return Ok(None);
    };
    let state = DeliveryState::from_name(name);
    let mut fields = Fields::empty();
    if state.is_none() {
        fields.refuse("state", NOT_A_STATE);
    }
    fields.finish(|| Some(state))
}

/// Reads the filters `after` (the id of an event; nought: none) and `kinds` (with commas between).
///
/// # Errors
/// `VALIDATION_FAILED` for what is neither.
pub(super) fn after_and_kinds(filters: &Filters) -> Result<(i64, Kinds), Error> {
    const NOT_AN_ID: Rule = Rule {
        code: "NOT_AN_EVENT_ID",
        message: "Must be the id of an event, or 0.",
    };
    let mut fields = Fields::empty();
    let (mut after, mut wanted) = (0, Kinds::All);
    for (filter, value) in filters {
        match *filter {
            "after" => match value.parse() {
                Ok(id) if (0..NUMBER_END).contains(&id) => after = id,
                _ => fields.refuse("after", NOT_AN_ID),
            },
            _ => match kinds_of(&value.split(',').collect::<Vec<_>>()) {
                Ok(kinds) => wanted = kinds,
                Err(rule) => fields.refuse("kinds", rule),
            },
        }
    }
    fields.finish(|| Some((after, wanted)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_known_and_come_once() {
        assert!(
            matches!(kinds(json!(["card.locked", "user.created"])), Ok(Kinds::Some(both)) if both.len() == 2)
        );
        for bad in [
            json!([]),
            json!("card.locked"),
            json!(["card.locked", "card.locked"]),
            json!(["card.exploded"]),
            json!([1]),
        ] {
            assert!(kinds(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_replay_is_of_a_time_or_of_events() {
        let read = |body: &str| {
            let mut fields = Fields::read(body.as_bytes()).unwrap();
            let now = OffsetDateTime::UNIX_EPOCH;
            let replay = replay(&mut fields, now);
            fields.finish(|| replay)
        };
        let from = r#"{"from":"2026-11-23T12:00:00Z"}"#;
        let Replay::Between(_, to) = read(from).unwrap() else {
            panic!("not a time");
        };
        assert_eq!(to, OffsetDateTime::UNIX_EPOCH);
        assert_eq!(
            read(r#"{"eventIds":[1002,1001]}"#).unwrap(),
            Replay::Events(vec![EventNumber(1001), EventNumber(1002)])
        );
        for bad in [
            "{}",
            r#"{"from":"yesterday"}"#,
            r#"{"to":"2026-11-23T12:00:00Z"}"#,
            r#"{"eventIds":[]}"#,
            r#"{"eventIds":[0]}"#,
            r#"{"eventIds":[1,1]}"#,
            r#"{"eventIds":[1],"from":"2026-11-23T12:00:00Z"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_is_read_on_from_an_event_and_of_kinds() {
        let filters = |pairs: &[(&'static str, &str)]| -> Filters {
            pairs
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect()
        };
        let (after, kinds) = after_and_kinds(&filters(&[
            ("after", "1005"),
            ("kinds", "card.locked,card.removed"),
        ]))
        .unwrap();
        assert_eq!(after, 1005);
        assert_eq!(
            kinds,
            Kinds::Some(vec![EventKind::CardLocked, EventKind::CardRemoved])
        );
        for bad in [
            [("after", "-1")],
            [("after", "x")],
            [("kinds", "")],
            [("kinds", "card.locked,")],
        ] {
            assert!(after_and_kinds(&filters(&bad)).is_err(), "{bad:?}");
        }
    }
}
