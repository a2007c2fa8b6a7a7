//! How long what is kept (PCI DSS 3.2.1): when an expired card is closed, and from when a destroyed one is beyond recovery
//! from whatever copy of the store there may be.

use shared::expiry::Expiry;
use time::{Duration, OffsetDateTime};

/// Most hours for which two officers may halt the destruction of erased cards; a halt for longer is approved again.
pub const MOST_HALT_HOURS: u16 = 720;

/// How cards are destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionRules {
    /// Seconds between closing a card and destroying its secrets.
    pub grace_seconds: i64,
    /// Seconds between the beginnings of two purges, at least.
    pub purge_interval_seconds: i64,
    /// Days after its expiry until a card is closed by itself; `None`: never.
    pub close_after_expiry_days: Option<u16>,
}

impl RetentionRules {
    /// Whether a card with this expiry is to be closed at `now`.
    #[must_use]
    pub fn closes(&self, exp: Expiry, now: OffsetDateTime) -> bool {
        self.close_after_expiry_days
            .is_some_and(|days| exp.is_past(now - Duration::days(i64::from(days))))
    }
}

/// A purge that is done: KEK, fingerprint key and epoch secret were replaced. Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// When it began. What was destroyed after that may still be wrapped by the new keys in copies made meanwhile.
    pub begun_at: i64,
    /// When the last of the former keys was gone.
    pub ended_at: i64,
}

/// An epoch secret that is kept for a backup. Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptEpoch {
    /// The epoch's number.
    pub epoch: u32,
    /// Until when.
    pub until: i64,
}

/// From when a card that was destroyed at `destroyed_at`, in `epoch`, is beyond recovery: from the end of the first purge
/// that began after it, and not before every kept secret of an epoch in which the card lived is gone: such a secret opens
/// not only its backup but every copy of the store of that epoch. `None`: a purge is due.
#[must_use]
pub fn beyond_recovery(destroyed_at: i64, epoch: u32, purges: &[Purged], kept: &[KeptEpoch]) -> Option<i64> {
    let after = purges.iter().filter(|purge| purge.begun_at >= destroyed_at);
    let purged = after.map(|purge| purge.ended_at).min()?;
    let lived_in = kept.iter().filter(|kept| kept.epoch <= epoch);
    Some(lived_in.map(|kept| kept.until).fold(purged, i64::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_card_is_closed_so_many_days_after_its_last() {
        let exp: Expiry = "2026-01-31".parse().unwrap();
        let mut rules = RetentionRules {
            grace_seconds: 0,
            purge_interval_seconds: 3600,
            close_after_expiry_days: Some(30),
        };
        assert!(!rules.closes(exp, datetime!(2026-03-02 12:00 UTC)));
        assert!(rules.closes(exp, datetime!(2026-03-03 12:00 UTC)));
        rules.close_after_expiry_days = None;
        assert!(!rules.closes(exp, datetime!(2036-03-03 12:00 UTC)));
    }

    #[test]
    fn a_purge_that_had_begun_before_does_not_count() {
        let early = Purged {
            begun_at: 9,
            ended_at: 20,
        };
        let late = Purged {
            begun_at: 30,
            ended_at: 40,
        };
        assert_eq!(beyond_recovery(10, 1, &[early], &[]), None);
        assert_eq!(beyond_recovery(10, 1, &[early, late], &[]), Some(40));
    }

    #[test]
    fn a_kept_secret_of_an_epoch_in_which_the_card_lived_counts() {
        let purge = Purged {
            begun_at: 10,
            ended_at: 20,
        };
        let kept = |epoch, until| KeptEpoch { epoch, until };
        assert_eq!(beyond_recovery(10, 2, &[purge], &[kept(2, 99)]), Some(99));
        assert_eq!(
            beyond_recovery(10, 2, &[purge], &[kept(1, 50), kept(2, 15)]),
            Some(50)
        );
        assert_eq!(
            beyond_recovery(10, 2, &[purge], &[kept(3, 99)]),
            Some(20),
            "made when it was gone"
        );
    }
}
