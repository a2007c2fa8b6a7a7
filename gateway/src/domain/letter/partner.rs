//! What a partner's people have to look at.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Facts, Letter};
use crate::domain::event::EventKind;
use crate::domain::import::ImportStatus;
use crate::domain::webhook::DisabledBy;

/// What of an event stands below the text, a line each: what it is called, and the member that tells it.
type Particulars = &'static [(&'static str, Member)];

/// How a member is to be read.
enum Member {
    /// As it is: a number, a word.
    Plain(&'static str),
    /// Minor units of the event's currency.
    Amount(&'static str),
}

const BALANCE: Particulars = &[
    ("partner balance", Member::Plain("partnerBalanceId")),
    ("kind", Member::Plain("kind")),
    ("available", Member::Amount("available")),
    ("level", Member::Amount("level")),
];
const ENDPOINT: Particulars = &[("webhook endpoint", Member::Plain("webhookId"))];
const IMPORT: Particulars = &[
    ("import", Member::Plain("importId")),
    ("rows done", Member::Plain("done")),
    ("rows failed", Member::Plain("failed")),
];
const CERTIFICATE: Particulars = &[("certificate", Member::Plain("certificateId"))];

pub(super) fn letter(kind: EventKind, facts: &Facts<'_>) -> Option<Letter> {
    let (subject, text, particulars) = match kind {
        EventKind::PartnerBalanceLow => (
            "Tessera: a partner balance is low",
            "What is available of a partner balance fell below its level. Reload it before transactions are declined.",
            BALANCE,
        ),
        EventKind::WebhookDisabled => webhook_disabled(facts),
        EventKind::ImportFinished => import_finished(facts),
        EventKind::CertificateIssued => (
            "Tessera: a client certificate was issued",
            "A client certificate was issued for you. If nobody of yours has asked for one, tell us at once.",
            CERTIFICATE,
        ),
        EventKind::CertificateRevoked => (
            "Tessera: a client certificate was revoked",
            "A client certificate of yours was revoked and opens nothing any more.",
            CERTIFICATE,
        ),
        _ => return None,
    };
    let mut text = format!(
        "Hello,\n\n{text}\n\n    partner: {}\n    at: {}\n",
        facts.partner,
        facts.when()
    );
    for (name, member) in particulars {
        if let Some(told) = member.of(facts) {
            // Writing into a String does not fail.
            let _ = writeln!(text, "    {name}: {told}");
        }
    }
    Some(Letter { subject, text })
}

impl Member {
    fn of(&self, facts: &Facts<'_>) -> Option<String> {
        match self {
            Self::Amount(name) => facts.amount(name).map(|amount| amount.to_string()),
            Self::Plain(name) => match facts.data.get(*name)? {
                Value::String(word) => Some(word.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            },
        }
    }
}

fn webhook_disabled(facts: &Facts<'_>) -> (&'static str, &'static str, Particulars) {
    let text = if facts.word("reason") == Some(DisabledBy::Gone.as_str()) {
        "Nothing is sent to one of your webhook endpoints any more: it answered 410. Enable it again once it is repaired, and \
         replay what it missed."
    } else {
        "Nothing is sent to one of your webhook endpoints any more: nothing has arrived there for days. Enable it again once it \
         is repaired, and replay what it missed."
    };
    ("Tessera: a webhook endpoint was disabled", text, ENDPOINT)
}

fn import_finished(facts: &Facts<'_>) -> (&'static str, &'static str, Particulars) {
    let (subject, text) = if facts.word("status") == Some(ImportStatus::Failed.as_str()) {
        (
            "Tessera: an import could not go on",
            "A mass import could not go on. Its rows that were left are failed; its report says which.",
        )
    } else if facts.is_told("dryRun") {
        (
            "Tessera: a dry run of an import is finished",
            "A dry run of a mass import came to its end: nothing was brought in. What would become of each row is in its report.",
        )
    } else {
        (
            "Tessera: an import is finished",
            "A mass import came to its end. What became of each row is in its report.",
        )
    };
    (subject, text, IMPORT)
}
