//! The times of a schedule.
//!
//! An expression that names hours means times of day: one that the clock skips is served at the first moment after the gap, all that one gap skips together
//! once, and one that comes twice is served the first time. An expression of every hour means the time that passes: it is served whenever the clock shows what
//! it says, through a doubled hour twice, and what the clock skips does not come. [`super::fields`] refuses what nobody can mean.

use common::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp as Instant};

use super::fields;

/// Longest expression, in bytes.
const MAX_CRON_BYTES: usize = 200;
/// Passed times that are counted one by one; of more, only the last ones are looked for.
const MOST_STEPS: usize = 1000;
/// Changes of the clock within which a time is looked for: centuries, and a 29 February is at most eight years away.
const MOST_CHANGES: usize = 1000;
/// Hours of a day.
const HOURS: usize = 24;
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

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
    /// It names hours.
    is_of_day: bool,
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
        let is_of_day = cron.pattern.hours.values().len() < HOURS;
        Ok(Self { cron, zone, is_of_day })
    }

    /// Reads what somebody has just written, as [`Times::parse`] does, and refuses what can only be a mistake. Schedules of before go on as they are.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn parse_new(cron: &str, zone: &str) -> Result<Self, WrongTimes> {
        fields::check(cron).map_err(WrongTimes::Cron)?;
        Self::parse(cron, zone)
    }

    /// What the expression says, in English.
    pub(crate) fn description(&self) -> String {
        self.cron.describe()
    }

    /// The first time after this one. None if it never fires again.
    pub(crate) fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let after = instant(at)?;
        let next = if self.is_of_day { self.next_of_day(after) } else { self.next_of_every_hour(after) };
        next.map(timestamp).filter(|next| *next > at)
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

    /// The last times up to this one, newest first.
    pub(super) fn backwards(&self, now: Timestamp, most: usize) -> Vec<Timestamp> {
        let until = |at: Timestamp, is_inclusive: bool| {
            let at = instant(at)?;
            let at = if is_inclusive { at } else { at.checked_sub(MILLISECOND).ok()? };
            let last = if self.is_of_day { self.last_of_day(at) } else { self.last_of_every_hour(at) };
            last.map(timestamp)
        };
        std::iter::successors(until(now, true), |at| until(*at, false)).take(most).collect()
    }

    fn next_of_day(&self, after: Instant) -> Option<Instant> {
        let mut civil = self.served_until(after)?;
        loop {
            civil = self.cron.find_next_occurrence(&civil, false).ok()?;
            // else a change of the clock has skipped it, and has been served
            if let Some(at) = self.served_at(civil).filter(|at| *at > after) {
                return Some(at);
            }
        }
    }

    fn last_of_day(&self, until: Instant) -> Option<Instant> {
        let mut civil = self.served_until(until)?;
        let mut is_inclusive = true;
        loop {
            civil = self.cron.find_previous_occurrence(&civil, is_inclusive).ok()?;
            is_inclusive = false;
            if let Some(at) = self.served_at(civil).filter(|at| *at <= until) {
                return Some(at);
            }
        }
    }

    /// The last time of day that is served up to this moment: what the clock shows, or, the second time, the last one that it shows twice.
    fn served_until(&self, at: Instant) -> Option<DateTime> {
        let civil = self.zone.to_datetime(at);
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Fold { before, after } if self.zone.to_offset(at) == after => {
                before.to_datetime(self.change_until(at)?).checked_sub(SECOND).ok()
            }
            _ => Some(civil),
        }
    }

    /// When a time of day is served.
    fn served_at(&self, civil: DateTime) -> Option<Instant> {
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil).ok(),
            // by the clock of before it would be within the length of the gap after the change
            AmbiguousOffset::Gap { before, .. } => self.change_until(before.to_timestamp(civil).ok()?),
        }
    }

    /// The last change of the clock up to this moment.
    fn change_until(&self, at: Instant) -> Option<Instant> {
        // what precedes a moment is before it
        Some(self.zone.preceding(at.checked_add(MILLISECOND).ok()?).next()?.timestamp())
    }

    fn next_of_every_hour(&self, after: Instant) -> Option<Instant> {
        let (mut from, mut is_inclusive) = (after, false);
        for _ in 0..MOST_CHANGES {
            let offset = self.zone.to_offset(from);
            let next = self.cron.find_next_occurrence(&offset.to_datetime(from), is_inclusive).ok()?;
            let next = offset.to_timestamp(next).ok()?;
            match self.zone.following(from).next().map(|change| change.timestamp()) {
                Some(change) if change <= next => (from, is_inclusive) = (change, true),
                _ => return Some(next),
            }
        }
        None
    }

    fn last_of_every_hour(&self, until: Instant) -> Option<Instant> {
        let mut until = until;
        for _ in 0..MOST_CHANGES {
            let offset = self.zone.to_offset(until);
            let last = self.cron.find_previous_occurrence(&offset.to_datetime(until), true).ok()?;
            let last = offset.to_timestamp(last).ok()?;
            match self.change_until(until) {
                Some(change) if last < change => until = change.checked_sub(MILLISECOND).ok()?,
                _ => return Some(last),
            }
        }
        None
    }
}

fn instant(at: Timestamp) -> Option<Instant> {
    Instant::from_millisecond(at.millis()).ok()
}

fn timestamp(at: Instant) -> Timestamp {
    Timestamp::from_millis(at.as_millisecond())
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
        // what can only be a mistake is refused where it is written, and goes on where it was taken before
        for (cron, said) in [
            ("*/100 * * * *", "*/100: the step is larger than the range 0-59"),
            ("*/60 * * * *", "*/60: the step is larger than the range 0-59"),
            ("0 */24 * * *", "*/24: the step is larger than the range 0-23"),
            ("0 0 */31 * *", "*/31: the step is larger than the range 1-31"),
            ("0 10-12/5 * * *", "10-12/5: the step is larger than the range 10-12"),
            ("*/90 0 * * * *", "*/90: the step is larger than the range 0-59"),
        ] {
            let wrong = Times::parse_new(cron, "UTC").unwrap_err();
            assert_eq!(wrong, WrongTimes::Cron(said.to_owned()), "{cron}");
            assert!(Times::parse(cron, "UTC").is_ok(), "{cron}");
        }
        for (cron, said) in [
            ("5-2 * * * *", "5-2: a range begins with its smaller end"),
            ("0 22-6 * * *", "22-6: a range begins with its smaller end"),
            ("0 22-6/2 * * *", "22-6/2: a range begins with its smaller end"),
            ("0 0 * * FRI-MON", "FRI-MON: a range begins with its smaller end"),
            ("0 0 * NOV-FEB *", "NOV-FEB: a range begins with its smaller end"),
        ] {
            let wrong = Times::parse_new(cron, "UTC").unwrap_err();
            assert_eq!(wrong, WrongTimes::Cron(said.to_owned()), "{cron}");
        }
        for cron in
            ["*/59 * * * *", "0 8-18/2 * * MON-FRI", "0 0 * * FRI-SUN", "@hourly", "0 0 L * *", "0 0 * * 5#2"]
        {
            assert!(Times::parse_new(cron, "UTC").is_ok(), "{cron}");
        }
        let never = Times::parse("0 0 30 2 *", "UTC").unwrap();
        assert_eq!(never.next_after(at("2026-01-01T00:00:00Z")), None);
        assert_eq!(Times::parse("@daily", "UTC").unwrap().following(at("2026-01-01T00:00:00Z"), 1).len(), 1);
    }
}
