//! What becomes of the times of a schedule when clocks change, over several zones.

use common::Timestamp;

use super::Times;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// What each zone's change of the clock makes of an expression: the times that follow a moment, all on whole minutes.
const CHANGES: &[(&str, &str, &str, &[&str])] = &[
    // on 29 March 2026, 02:00 is followed by 03:00, at 01:00 UTC; on 25 October, 03:00 by 02:00, at 01:00 UTC
    (
        "Europe/Berlin",
        "0 1,2,3 * * *",
        "2026-03-28T23:30",
        &["2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T23:00"],
    ),
    (
        "Europe/Berlin",
        "*/15 2 * * *",
        "2026-03-28T12:00",
        &["2026-03-29T01:00", "2026-03-30T00:00", "2026-03-30T00:15"],
    ),
    ("Europe/Berlin", "0 */2 * * *", "2026-03-28T23:30", &["2026-03-29T01:00", "2026-03-29T02:00"]),
    ("Europe/Berlin", "* 2 * * *", "2026-03-28T12:00", &["2026-03-29T01:00", "2026-03-30T00:00"]),
    ("Europe/Berlin", "30 * * * *", "2026-03-29T00:00", &["2026-03-29T00:30", "2026-03-29T01:30"]),
    ("Europe/Berlin", "30 2 29 3 *", "2026-03-28T12:00", &["2026-03-29T01:00", "2027-03-29T00:30"]),
    (
        "Europe/Berlin",
        "0 1,2,3 * * *",
        "2026-10-24T22:30",
        &["2026-10-24T23:00", "2026-10-25T00:00", "2026-10-25T02:00"],
    ),
    (
        "Europe/Berlin",
        "*/15 2 * * *",
        "2026-10-24T12:00",
        &["2026-10-25T00:00", "2026-10-25T00:15", "2026-10-25T00:30", "2026-10-25T00:45", "2026-10-26T01:00"],
    ),
    (
        "Europe/Berlin",
        "0 * * * *",
        "2026-10-24T23:30",
        &["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"],
    ),
    // whoever asks in the second hour is told of the next day
    ("Europe/Berlin", "30,45 2 * * *", "2026-10-25T01:10", &["2026-10-26T01:30", "2026-10-26T01:45"]),
    // on 8 March, 02:00 is followed by 03:00, at 07:00 UTC; on 1 November, 02:00 by 01:00, at 06:00 UTC
    (
        "America/New_York",
        "30 1,2 * * *",
        "2026-03-08T05:00",
        &["2026-03-08T06:30", "2026-03-08T07:00", "2026-03-09T05:30"],
    ),
    (
        "America/New_York",
        "30 1,2 * * *",
        "2026-11-01T04:00",
        &["2026-11-01T05:30", "2026-11-01T07:30", "2026-11-02T06:30"],
    ),
    (
        "America/New_York",
        "*/30 1 * * *",
        "2026-11-01T04:00",
        &["2026-11-01T05:00", "2026-11-01T05:30", "2026-11-02T06:00"],
    ),
    // half an hour: on 4 October, 02:00 is followed by 02:30, at 15:30 UTC of the day before; on 5 April, 02:00 by 01:30, at 15:00 UTC
    (
        "Australia/Lord_Howe",
        "0,15,45 2 * * *",
        "2026-10-03T12:00",
        &["2026-10-03T15:30", "2026-10-03T15:45", "2026-10-04T15:00"],
    ),
    ("Australia/Lord_Howe", "0 * * * *", "2026-10-03T14:00", &["2026-10-03T14:30", "2026-10-03T16:00"]),
    ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00", &["2026-04-04T14:45", "2026-04-05T15:15"]),
    (
        "Australia/Lord_Howe",
        "*/15 1,2 * * *",
        "2026-04-04T13:50",
        &["2026-04-04T14:00", "2026-04-04T14:15", "2026-04-04T14:30", "2026-04-04T14:45", "2026-04-04T15:30"],
    ),
    (
        "Australia/Lord_Howe",
        "*/30 * * * *",
        "2026-04-04T14:10",
        &["2026-04-04T14:30", "2026-04-04T15:00", "2026-04-04T15:30"],
    ),
    // at midnight: on 6 September, 00:00 is followed by 01:00, at 04:00 UTC; on 5 April, 00:00 by 23:00 of the day before, at 03:00 UTC
    ("America/Santiago", "0 0 * * *", "2026-09-05T12:00", &["2026-09-06T04:00", "2026-09-07T03:00"]),
    ("America/Santiago", "30 23 * * *", "2026-04-04T12:00", &["2026-04-05T02:30", "2026-04-06T03:30"]),
    ("America/Santiago", "0 0 * * *", "2026-04-04T12:00", &["2026-04-05T04:00", "2026-04-06T04:00"]),
    // and where no clock changes
    ("Asia/Kathmandu", "*/15 2 * * *", "2026-03-28T21:00", &["2026-03-29T20:15"]),
];

#[test]
fn times_of_day_are_served_once_when_clocks_change_and_every_hour_follows_the_time_that_passes() {
    for (zone, cron, after, expected) in CHANGES {
        let times = Times::parse_new(cron, zone).unwrap();
        let minute = |at: &Timestamp| at.to_string().trim_end_matches(":00.000Z").to_owned();
        let found = times.following(at(&format!("{after}:00Z")), expected.len());
        assert_eq!(found.iter().map(minute).collect::<Vec<_>>(), *expected, "{cron} in {zone}");
        // the same backwards, as what was missed is looked for
        let mut back = times.backwards(*found.last().unwrap(), expected.len());
        back.reverse();
        assert_eq!(back, found, "{cron} in {zone}, backwards");
    }
}

/// Whatever the hours, and wherever: each time of day comes once a day, and never is a time skipped.
#[test]
fn a_year_of_days_has_each_time_of_day_once() {
    for zone in
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca"]
    {
        for hour in 0..24 {
            let times = Times::parse(&format!("30 {hour} * * *"), zone).unwrap();
            let year = times.passed(
                times.next_after(at("2026-01-03T00:00:00Z")).unwrap(),
                at("2027-01-03T00:00:00Z"),
                1000,
            );
            assert_eq!(year.len(), 365, "{hour}:30 in {zone}");
            assert!(year.is_sorted_by(|one, next| one < next), "{hour}:30 in {zone}");
        }
    }
}
