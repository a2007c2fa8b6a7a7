//! What the vault tells the gateway by itself: it never calls the gateway, so it keeps notices, which the gateway fetches in
//! their order and acknowledges.
//!
//! Indexes are given in the order of the commits, without a gap: whoever has seen one has been able to see all before it.
//! No card data and no personal data.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::expiry::Expiry;
use crate::ids::{CardToken, OrderToken};

/// Notices of one answer, at most.
pub const MOST_NOTICES: u64 = 200;
/// Longest wait for a notice, seconds.
pub const MOST_WAIT_SECONDS: u64 = 20;

/// Something that happened in the vault without the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Its place: 1, 2, 3, …
    pub index: u64,
    /// When, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What happened.
    #[serde(flatten)]
    pub kind: NoticeKind,
    /// The card it is about.
    pub card: CardToken,
    /// The order it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderToken>,
}

/// What happened. A reader that does not know a kind must stop there: what it passed over it never sees again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "SCREAMING_SNAKE_CASE",
    rename_all_fields = "camelCase"
)]
pub enum NoticeKind {
    /// The bureau fetched the order.
    OrderInProduction,
    /// The bureau has made the plastic: card, user and balance belong together from now on.
    OrderLinked {
        /// The card's end from now on, where the plastic is the next of a card and has taken over with this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exp: Option<Expiry>,
    },
    /// The plastic was handed to the carrier.
    OrderShipped {
        /// Who carries it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        carrier: Option<String>,
        /// The carrier's name for the letter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tracking_reference: Option<String>,
    },
    /// The plastic could not be made or delivered.
    OrderFailed {
        /// The bureau's reason, from a fixed list.
        reason: String,
        /// The vault closed the card with it: it was nobody's yet.
        card_closed: bool,
        /// No plastic exists: a virtual card is virtual again, and plastic may be ordered anew.
        plastic_void: bool,
    },
    /// The plastic came back.
    OrderReturned {
        /// The bureau's reason, from a fixed list.
        reason: String,
    },
    /// The processor locked the card. Of an irreversible code the vault has set its own flag with it.
    LockedOutside {
        /// The reason, 1 to 8.
        code: u8,
    },
    /// The processor asked for the lifting of a lock that can be lifted.
    UnlockedOutside,
    /// The card was closed without the gateway: by an officer, or because its time to be kept has ended.
    Erased,
}

/// Answer (200) of [`super::paths::NOTICES`]: `?after=` an index, `?limit=` at most [`MOST_NOTICES`], `?wait=` seconds, at
/// most [`MOST_WAIT_SECONDS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticePage<N = Notice> {
    /// In the order of their indexes; none when nothing came within the wait.
    pub items: Vec<N>,
    /// The oldest index that is still kept, or would be the next.
    pub first: u64,
    /// The newest index; 0 when there never was a notice. Smaller than `after`: this vault was put back to an earlier state.
    pub last: u64,
}

/// Says that everything up to an index was applied: the vault may forget it after a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcknowledgeNotices {
    /// The last index that was applied.
    pub up_to: u64,
}

/// Answer (200) to [`AcknowledgeNotices`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticesAcknowledged {
    /// How far this gateway has acknowledged.
    pub up_to: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_flat_and_an_unknown_kind_does_not_read() {
        let text = r#"{"index":7,"at":"2027-01-15T12:00:00Z","kind":"ORDER_SHIPPED","carrier":"Post","trackingReference":"A1",
                       "card":"crd_aaaaaaaaaaaaaaaaaaaaaaaaaa","order":"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
        let notice: Notice = serde_json::from_str(text).unwrap();
        let shipped = NoticeKind::OrderShipped {
            carrier: Some("Post".to_owned()),
            tracking_reference: Some("A1".to_owned()),
        };
        assert_eq!((notice.index, &notice.kind), (7, &shipped));
        let linked = |kind: &str| {
            let plain =
                r#"{"index":1,"at":"2027-01-15T12:00:00Z","card":"crd_aaaaaaaaaaaaaaaaaaaaaaaaaa","kind":"#;
            serde_json::from_str::<Notice>(&format!("{plain}{kind}}}"))
                .unwrap()
                .kind
        };
        assert_eq!(
            linked(r#""ORDER_LINKED""#),
            NoticeKind::OrderLinked { exp: None },
            "as it always was"
        );
        let exp = Some("2029-11-30".parse().unwrap());
        assert_eq!(
            linked(r#""ORDER_LINKED","exp":"2029-11-30""#),
            NoticeKind::OrderLinked { exp }
        );
        let again: Notice = serde_json::from_str(&serde_json::to_string(&notice).unwrap()).unwrap();
        assert_eq!(again, notice);
        assert!(serde_json::from_str::<Notice>(&text.replace("ORDER_SHIPPED", "TO_COME")).is_err());
    }
}
