//! What the operations of webhooks and events are, for the OpenAPI documents: those of partners and of operators together.

use serde_json::{Value, json};

use super::{DeliveryView, EVENTS_MAX, EndpointView, ReplayedView, TestView};
use crate::domain::event::EventKind;
use crate::domain::number::NUMBER_END;
use crate::domain::webhook::{DeliveryState, EventMessage};
use crate::error::Code;
use crate::http::doc::shape::{
    Member, Shape, boolean, integer, line, list, object, one_of, optional, required, text,
};
use crate::http::doc::{Doc, Tag, words};

fn kind() -> Shape {
    one_of(EventKind::ALL.map(EventKind::as_str)).like(EventKind::CardLocked.as_str())
}

fn time() -> Shape {
    text(20, 35, "2026-11-26T21:30:00Z").with("format", "date-time")
}

fn wish() -> [Member; 3] {
    let url = text(9, 2_048, "https://hooks.example.com/tessera")
        .with("format", "uri")
        .saying("`https`, of a public host, without user name and fragment.");
    let kinds = list(kind(), 1, EventKind::ALL.len() as u64)
        .with("uniqueItems", true)
        .saying("Without it: every kind, those among them that later versions bring.");
    [
        required("url", url),
        optional("kinds", kinds),
        optional("description", line(128, "Core banking")),
    ]
}

fn endpoint() -> Value {
    json!({
        "id": 1001, "url": "https://hooks.example.com/tessera", "kinds": ["card.locked"], "description": "Core banking",
        "enabled": true, "createdAt": "2026-11-26T21:30:00Z",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut endpoint = endpoint();
    if let Some(members) = endpoint.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    endpoint
}

/// An endpoint and its secret: of no key that anybody has.
fn with_secret() -> Value {
    with(
        "secret",
        json!("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
    )
}

fn for_operators() -> Value {
    with("partner", json!("acme"))
}

fn delivery() -> Value {
    json!({
        "eventId": 1005, "type": "card.locked", "messageId": "evt_1005_1001", "state": "PENDING", "attempts": 2,
        "lastStatus": 503, "lastError": "STATUS", "lastAttemptAt": "2026-11-26T21:30:05Z",
        "nextAttemptAt": "2026-11-26T21:35:12Z",
    })
}

fn event() -> Value {
    json!({
        "id": 1005, "type": "card.locked", "timestamp": "2026-11-26T21:30:00Z", "occurredAt": "2026-11-26T21:30:00Z",
        "data": { "userId": 1001, "cardId": 1125, "cardSequence": 2, "reasonCode": 7, "placedBy": "PROCESSOR" },
    })
}

/// Of `GET /lifecycle/v1/events`.
pub(in crate::http) fn list_events() -> Doc {
    let after = integer(0, NUMBER_END - 1, 1004).saying("The id of the last event that was seen.");
    let kinds = text(1, 2_048, "card.locked,card.unlocked").saying("Kinds, with commas between.");
    Doc::new(Tag::Webhooks, "List events")
        .says(
            "What webhooks tell, as a list, oldest first. Ids rise in the order in which things were committed: whoever goes on \
             after the last id that was seen misses nothing.",
        )
        .query(optional("after", after))
        .query(optional("kinds", kinds))
        .answers_page::<EventMessage>("A page of events.", event())
}

/// Of `POST /lifecycle/v1/webhooks`.
pub(in crate::http) fn create() -> Doc {
    Doc::new(Tag::Webhooks, "Create a webhook endpoint")
        .says(
            "Messages follow the Standard Webhooks specification: `webhook-id`, `webhook-timestamp`, `webhook-signature` \
             (HMAC-SHA-256), tried for three days, the same `webhook-id` at each try. `secret` is shown here and never again.",
        )
        .body(wish())
        .answers::<EndpointView>(201, "The endpoint, with its secret.", with_secret())
        .errors(&[Code::TooManyWebhooks])
}

/// Of `GET /lifecycle/v1/webhooks`.
pub(in crate::http) fn list_own() -> Doc {
    Doc::new(Tag::Webhooks, "List webhook endpoints")
        .says(
            "The partner's own, oldest first. One with `program` is the remote URL of that card program: the operator has set \
             it, and it is told of the program's users and of what is the partner's as a whole.",
        )
        .answers_page::<EndpointView>("A page of endpoints.", endpoint())
}

/// Of `GET /lifecycle/v1/webhooks/{webhookId}`.
pub(in crate::http) fn get() -> Doc {
    Doc::new(Tag::Webhooks, "Get a webhook endpoint")
        .says("Without its secret.")
        .answers::<EndpointView>(200, "The endpoint.", endpoint())
}

/// Of `PUT /lifecycle/v1/webhooks/{webhookId}`.
pub(in crate::http) fn put() -> Doc {
    Doc::new(Tag::Webhooks, "Change, enable or disable a webhook endpoint")
        .says(
            "Takes the place of what was wanted before. What waited while it was disabled goes on once it is enabled. The `url` \
             of an endpoint with `program` is the operator's: it comes as it is shown.",
        )
        .body(wish().into_iter().chain([required("enabled", boolean(true))]))
        .answers::<EndpointView>(200, "The endpoint.", endpoint())
        .errors(&[Code::RemoteUrlConfigured])
}

/// Of `DELETE /lifecycle/v1/webhooks/{webhookId}`.
pub(in crate::http) fn delete() -> Doc {
    Doc::new(Tag::Webhooks, "Delete a webhook endpoint")
        .says("What waits for it is not sent.")
        .answers_nothing(204, "It is gone.")
        .errors(&[Code::RemoteUrlConfigured])
}

/// Of `POST /lifecycle/v1/webhooks/{webhookId}/secret/rotate`.
pub(in crate::http) fn rotate() -> Doc {
    Doc::new(Tag::Webhooks, "Rotate the secret of a webhook endpoint")
        .says(
            "For 24 hours both secrets sign: two signatures stand in `webhook-signature`. Of an endpoint with `program` nobody \
             was shown the first secret: this is how the partner gets one.",
        )
        .no_members()
        .answers::<EndpointView>(200, "The endpoint, with its new secret.", with_secret())
}

/// Of `POST /lifecycle/v1/webhooks/{webhookId}/test`.
pub(in crate::http) fn test() -> Doc {
    Doc::new(Tag::Webhooks, "Test a webhook endpoint")
        .says("Sends `webhook.test` there, whatever kinds it wants; what came of it is in its deliveries.")
        .no_members()
        .answers::<TestView>(
            202,
            "It is on its way.",
            json!({ "eventId": 1005, "messageId": "evt_1005_1001" }),
        )
        .errors(&[Code::WebhookDisabled])
}

/// Of `GET /lifecycle/v1/webhooks/{webhookId}/deliveries` and its twin for operators.
pub(in crate::http) fn list_deliveries() -> Doc {
    let states = one_of(DeliveryState::ALL.map(DeliveryState::as_str));
    Doc::new(Tag::Webhooks, "List deliveries to a webhook endpoint")
        .says("In the order of their events.")
        .query(optional("state", states))
        .answers_page::<DeliveryView>("A page of deliveries.", delivery())
}

/// Of `POST /lifecycle/v1/webhooks/{webhookId}/replay` and its twin for operators.
pub(in crate::http) fn replay() -> Doc {
    let of_time = object([
        required("from", time()),
        optional("to", time().saying("Without it: now.")),
    ]);
    let ids = list(words::id(), 1, EVENTS_MAX as u64).with("uniqueItems", true);
    let of_events = object([required("eventIds", ids)]);
    Doc::new(Tag::Webhooks, "Replay events to a webhook endpoint")
        .says(
            "Each under the `webhook-id` that it had. Of a time: the kinds that the endpoint wants, at most 10,000 events, the \
             earliest; `more` says that there are later ones.",
        )
        .body_of(of_time.or(of_events))
        .answers::<ReplayedView>(202, "They are on their way.", json!({ "events": 3, "more": false }))
        .errors(&[Code::WebhookDisabled])
}

/// Of `GET /admin/webhooks`.
pub(in crate::http) fn list_all() -> Doc {
    Doc::new(Tag::Webhooks, "List partners' webhook endpoints")
        .says("A partner's Admin sees the partner's endpoints.")
        .answers_page::<EndpointView>("A page of endpoints, oldest first.", for_operators())
}

/// Of `GET /admin/webhooks/{webhookId}`.
pub(in crate::http) fn look() -> Doc {
    Doc::new(Tag::Webhooks, "Look at a partner's webhook endpoint")
        .says("Without its secret.")
        .answers::<EndpointView>(200, "The endpoint.", for_operators())
}

/// Of `POST /admin/webhooks/{webhookId}/enable`.
pub(in crate::http) fn enable() -> Doc {
    Doc::new(Tag::Webhooks, "Enable a partner's webhook endpoint")
        .says("What waited goes on.")
        .no_members()
        .answers::<EndpointView>(200, "The endpoint.", for_operators())
}

/// Of `POST /admin/webhooks/{webhookId}/disable`.
pub(in crate::http) fn disable() -> Doc {
    Doc::new(Tag::Webhooks, "Disable a partner's webhook endpoint")
        .says("What waits stays; nothing new is queued.")
        .no_members()
        .answers::<EndpointView>(200, "The endpoint.", for_operators())
}
