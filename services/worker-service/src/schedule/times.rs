//! The times of a schedule.
//!
//! Clocks that change for summer: a time that is skipped is served at the next moment that there is, a time that comes twice is served the first time. What
//! goes by steps (`*/10 * * * *`) follows the time that passes, and so runs through a doubled hour twice, as in other crons.

use common::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};

/// Longest expression, in bytes.
const MAX_CRON_BYTES: usize = 200;
/// Passed times that are counted one by one; of more, only the last ones are looked for.
const MOST_STEPS: usize = 1000;

/// What is wrong with the times of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WrongTimes {
    /// The expression.
    #[error("{0}")]
    Cron(String),
    /// The zone.
    #[error("there is no time zone of this name")]
    Zone,
}

/// When a schedule fires.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    cron: Cron,
    zone: TimeZone,
}

impl Times {
    /// Reads an expression of five fields, or six with seconds, and the name of a time zone.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn parse(cron: &str, zone: &str) -> Result<Self, WrongTimes> {
        if cron.len() > MAX_CRON_BYTES {
            return Err(WrongTimes::Cron("a cron expression has at most 200 bytes".to_owned()));
        }
        let cron = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build()
            .parse(cron)
            .map_err(|error| WrongTimes::Cron(error.to_string()))?;
        let zone = TimeZone::get(zone).map_err(|_| WrongTimes::Zone)?;
        Ok(Self { cron, zone })
    }

    /// What the expression says, in English.
    pub(crate) fn description(&self) -> String {
        self.cron.describe()
    }

    /// The first time after this one. None if it never fires again.
    pub(crate) fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&self.zoned(at)?, false).ok()?;
        Some(timestamp(&next)).filter(|next| *next > at)
    }

    /// The next times after this one.
    pub(crate) fn following(&self, at: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(at), |at| self.next_after(*at)).take(count).collect()
    }

    /// Of the times from `first` (which is one of them) to `now`, the last ones, up to `most`, oldest first.
    pub(crate) fn passed(&self, first: Timestamp, now: Timestamp, most: usize) -> Vec<Timestamp> {
        let mut times = Vec::new();
        let mut next = Some(first);
        for _ in 0..MOST_STEPS {
            match next.filter(|at| *at <= now) {
                Some(at) => times.push(at),
                None => {
                    let surplus = times.len().saturating_sub(most);
                    return times.split_off(surplus);
                }
            }
            next = self.next_after(*times.last().unwrap_or(&first));
        }
        let mut times = self.backwards(now, most);
        times.reverse();
        times
    }

    fn backwards(&self, now: Timestamp, most: usize) -> Vec<Timestamp> {
        let before = |at: Timestamp, inclusive| {
            let found = self.cron.find_previous_occurrence(&self.zoned(at)?, inclusive).ok()?;
            Some(timestamp(&found)).filter(|found| inclusive || *found < at)
        };
        // a time that is no whole second is after all times of that second
        std::iter::successors(before(now, true), |at| before(*at, false)).take(most).collect()
    }

    fn zoned(&self, at: Timestamp) -> Option<Zoned> {
        Some(Instant::from_millisecond(at.millis()).ok()?.to_zoned(self.zone.clone()))
    }
}

fn timestamp(at: &Zoned) -> Timestamp {
    Timestamp::from_millis(at.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn following(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let times = Times::parse(cron, zone).unwrap();
        times.following(at(after), count).into_iter().map(|at| at.to_string()).collect()
    }

    #[test]
    fn times_follow_the_clock_of_their_zone() {
        assert_eq!(
            following("0 3 * * *", "UTC", "2026-01-01T00:00:00Z", 2),
            ["2026-01-01T03:00:00.000Z", "2026-01-02T03:00:00.000Z"]
        );
        assert_eq!(
            following("0 3 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", 1),
            ["2026-01-01T21:30:00.000Z"]
        );
        assert_eq!(
            following("*/30 * * * * *", "UTC", "2026-01-01T00:00:00.500Z", 2),
            ["2026-01-01T00:00:30.000Z", "2026-01-01T00:01:00.000Z"]
        );
        assert_eq!(following("0 12 29 2 *", "UTC", "2026-01-01T00:00:00Z", 1), ["2028-02-29T12:00:00.000Z"]);
        // exactly at a time, the next one is meant
        assert_eq!(following("0 3 * * *", "UTC", "2026-01-01T03:00:00Z", 1), ["2026-01-02T03:00:00.000Z"]);
    }

    #[test]
    fn a_skipped_time_is_served_at_the_next_moment_once() {
        // in Berlin, on 29 March 2026, 02:00 is followed by 03:00, which is 01:00 UTC
        assert_eq!(
            following("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"]
        );
    }

    #[test]
    fn a_doubled_time_is_served_once() {
        // on 25 October 2026, 03:00 is followed by 02:00: 02:30 comes at 00:30 and at 01:30 UTC
        assert_eq!(
            following("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]
        );
        assert_eq!(
            following("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59:00Z", 4),
            [
                "2026-10-25T00:00:00.000Z",
                "2026-10-25T00:30:00.000Z",
                "2026-10-25T01:00:00.000Z",
                "2026-10-25T01:30:00.000Z"
            ]
        );
    }

    #[test]
    fn passed_times_are_counted_up_to_a_bound() {
        let times = Times::parse("*/10 * * * *", "UTC").unwrap();
        let first = at("2026-01-01T00:10:00Z");
        let passed = |now: &str, most| times.passed(first, at(now), most);
        assert_eq!(passed("2026-01-01T00:09:59Z", 9), []);
        assert_eq!(passed("2026-01-01T00:10:00Z", 9), [first]);
        assert_eq!(
            passed("2026-01-01T00:35:00Z", 9),
            [first, at("2026-01-01T00:20:00Z"), at("2026-01-01T00:30:00Z")]
        );
        assert_eq!(passed("2026-01-01T00:35:00Z", 1), [at("2026-01-01T00:30:00Z")]);
        // more than are counted one by one
        assert_eq!(
            passed("2027-01-01T00:00:00.700Z", 2),
            [at("2026-12-31T23:50:00Z"), at("2027-01-01T00:00:00Z")]
        );
        let seconds = Times::parse("* * * * * *", "Europe/Berlin").unwrap();
        assert_eq!(
            seconds.passed(first, at("2027-01-01T00:00:00.700Z"), 2),
            [at("2026-12-31T23:59:59Z"), at("2027-01-01T00:00:00Z")]
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for cron in ["", "* * * *", "61 * * * *", "* * * * * * *", "a b c d e", "0 0 0 * *", "*/0 * * * *"] {
            assert!(matches!(Times::parse(cron, "UTC"), Err(WrongTimes::Cron(_))), "{cron}");
        }
        for zone in ["", "Europe/Atlantis", "../etc/passwd", "+02:00"] {
            assert_eq!(Times::parse("* * * * *", zone).unwrap_err(), WrongTimes::Zone, "{zone}");
        }
        let never = Times::parse("0 0 30 2 *", "UTC").unwrap();
        assert_eq!(never.next_after(at("2026-01-01T00:00:00Z")), None);
        assert_eq!(Times::parse("@daily", "UTC").unwrap().following(at("2026-01-01T00:00:00Z"), 1).len(), 1);
    }
}
