//! When a message is tried again: the schedule that the Standard Webhooks specification recommends, each pause up to a tenth
//! longer, so that what failed together does not come back together.

use time::Duration;

/// The pauses after the first, the second, … try that failed; some three days in all.
pub const PAUSES: [Duration; 9] = [
    Duration::seconds(5),
    Duration::minutes(5),
    Duration::minutes(30),
    Duration::hours(2),
    Duration::hours(5),
    Duration::hours(10),
    Duration::hours(14),
    Duration::hours(20),
    Duration::hours(24),
];

/// The longest `Retry-After` that is heeded.
const RETRY_AFTER_MAX: Duration = Duration::hours(1);

/// The pause after so many tries; none when it is given up. `chance` is any random byte. An endpoint that asks for a longer
/// pause gets it, up to an hour.
#[must_use]
pub fn pause_after(tries: i64, chance: u8, retry_after: Option<Duration>) -> Option<Duration> {
    let index = usize::try_from(tries.checked_sub(1)?).ok()?;
    let pause = *PAUSES.get(index)?;
    let jittered = pause + pause * i32::from(chance) / (10 * i32::from(u8::MAX));
    let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
    Some(jittered.max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_that_of_the_specification_and_ends() {
        let seconds = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        for (tries, seconds) in (1..).zip(seconds) {
            assert_eq!(pause_after(tries, 0, None), Some(Duration::seconds(seconds)));
            let longest = pause_after(tries, u8::MAX, None).unwrap();
            assert_eq!(longest, Duration::seconds(seconds) * 11 / 10, "{tries}");
        }
        for none in [10, 11, 0, -1, i64::MIN, i64::MAX] {
            assert_eq!(pause_after(none, 7, None), None, "{none}");
        }
    }

    #[test]
    fn a_longer_pause_is_granted_within_an_hour() {
        let asked = |seconds| pause_after(1, 0, Some(Duration::seconds(seconds)));
        assert_eq!(asked(1), Some(Duration::seconds(5)));
        assert_eq!(asked(60), Some(Duration::seconds(60)));
        assert_eq!(asked(1_000_000), Some(Duration::hours(1)));
        assert_eq!(asked(-9), Some(Duration::seconds(5)));
    }
}
