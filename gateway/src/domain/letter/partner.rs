//! What a partner's people have to look at.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Facts, Letter};
use crate::domain::event::EventKind;

pub(super) fn letter(kind: EventKind, facts: &Facts<'_>) -> Option<Letter> {
    let (subject, text) = match kind {
        EventKind::PartnerBalanceLow => (
            "Tessera: a partner balance is low",
            "A partner balance fell below its level. Reload it before transactions are declined.",
        ),
        EventKind::WebhookDisabled => (
            "Tessera: a webhook endpoint was disabled",
            "Nothing is sent to one of your webhook endpoints any more: it answered 410, or nothing has arrived for days. Enable \
             it again once it is repaired, and replay what it missed.",
        ),
        EventKind::ImportFinished => (
            "Tessera: an import is finished",
            "A mass import came to its end. What became of each row is in its report.",
        ),
        EventKind::CertificateIssued => (
            "Tessera: a client certificate was issued",
            "A client certificate was issued for you. If nobody of yours has asked for one, tell us at once.",
        ),
        EventKind::CertificateRevoked => (
            "Tessera: a client certificate was revoked",
            "A client certificate of yours was revoked and opens nothing any more.",
        ),
        _ => return None,
    };
    Some(Letter {
        subject,
        text: format!(
            "Hello,\n\n{text}\n\n    partner: {}\n    at: {}\n{}",
            facts.partner,
            facts.when(),
            particulars(facts)
        ),
    })
}

/// What the event tells, a line each.
fn particulars(facts: &Facts<'_>) -> String {
    let mut lines = String::new();
    for (name, value) in facts.data {
        let told = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(yes) => yes.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        // Writing into a String does not fail.
        let _ = writeln!(lines, "    {name}: {told}");
    }
    lines
}
