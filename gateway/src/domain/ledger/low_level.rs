//! When a partner is told that its balance runs low: once on the way down, and not again before it was well above.

/// The level, and from where on it is watched anew; minor units, the second not below the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LowLevel {
    level: i64,
    rearm: i64,
}

/// What is known of a watched balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// It is told when it falls below.
    Armed,
    /// It was told.
    Low,
}

impl LowLevel {
    /// A level above zero and a re-arming level not below it; none otherwise.
    #[must_use]
    pub const fn new(level: i64, rearm: i64) -> Option<Self> {
        if level > 0 && rearm >= level {
            Some(Self { level, rearm })
        } else {
            None
        }
    }

    /// Below this it is told.
    #[must_use]
    pub const fn level(self) -> i64 {
        self.level
    }

    /// Only above this it is watched anew.
    #[must_use]
    pub const fn rearm(self) -> i64 {
        self.rearm
    }

    /// The watch once `available` is what can be spent. Whoever goes from armed to low is told.
    #[must_use]
    pub const fn watch(self, watch: Watch, available: i64) -> Watch {
        match watch {
            Watch::Armed if available < self.level => Watch::Low,
            Watch::Low if available > self.rearm => Watch::Armed,
            Watch::Armed | Watch::Low => watch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_on_the_way_down_and_again_only_after_the_way_up() {
        let level = LowLevel::new(100, 150).unwrap();
        let mut watch = Watch::Armed;
        let mut told = Vec::new();
        for available in [200, 100, 99, 50, 120, 99, 150, 99, 151, 100, 99] {
            let next = level.watch(watch, available);
            told.push(watch == Watch::Armed && next == Watch::Low);
            watch = next;
        }
        assert_eq!(
            told,
            [
                false, false, true, false, false, false, false, false, false, false, true
            ]
        );
    }

    #[test]
    fn levels_that_make_no_sense_are_none() {
        assert!(LowLevel::new(1, 1).is_some());
        for (level, rearm) in [(0, 5), (-1, 5), (6, 5)] {
            assert_eq!(LowLevel::new(level, rearm), None);
        }
    }
}
