//! Lists and counts.

use common::jobs::{Job, JobCounts, JobFilter, JobOrder, JobPage, JobState, PageBytes};
use common::{Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _};

use super::job::{COLUMNS, bytes, job, state, state_number, user_bytes};
use super::texts;
use crate::row::{RowExt as _, int};

/// Which numbers, and from which end of them.
pub(super) struct Bounds {
    /// The least that counts.
    first: i64,
    /// The greatest that counts.
    last: i64,
    order: JobOrder,
}

impl Bounds {
    /// All numbers after `after`.
    pub(super) fn ascending(after: Option<u64>) -> Self {
        Self { first: after.map_or(0, |after| int(after) + 1), last: i64::MAX, order: JobOrder::Ascending }
    }

    fn of(
        connection: &Connection,
        filter: &JobFilter,
        order: JobOrder,
        after: Option<u64>,
    ) -> rusqlite::Result<Self> {
        let mut bounds = Self { first: 0, last: i64::MAX, order };
        match (after, order) {
            (Some(after), JobOrder::Ascending) => bounds.first = int(after) + 1,
            (Some(after), JobOrder::Descending) => bounds.last = int(after) - 1,
            (None, _) => {}
        }
        if let Some(from) = filter.from {
            bounds.first = bounds.first.max(first_since(connection, from)?);
        }
        if let Some(until) = filter.until {
            bounds.last = bounds.last.min(first_since(connection, until)?.saturating_sub(1));
        }
        Ok(bounds)
    }

    const fn sql(&self) -> &'static str {
        match self.order {
            JobOrder::Ascending => "ASC",
            JobOrder::Descending => "DESC",
        }
    }
}

/// The least number of a job that arrived at this time or later. Numbers ascend with arrival, so halving finds it.
fn first_since(connection: &Connection, time: Timestamp) -> rusqlite::Result<i64> {
    let newest: Option<i64> =
        connection.prepare_cached("SELECT max(number) FROM jobs")?.query_row([], |row| row.get(0))?;
    let (mut low, mut high) = (0, newest.map_or(0, |newest| newest + 1));
    let mut at_or_after = connection
        .prepare_cached("SELECT number, inserted_at FROM jobs WHERE number >= ?1 ORDER BY number LIMIT 1")?;
    while low < high {
        let middle = low + (high - low) / 2;
        let found =
            at_or_after.query_row([middle], |row| Ok((row.get::<_, i64>(0)?, row.time(1)?))).optional()?;
        match found {
            Some((number, at)) if at < time => low = number + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

pub(super) fn list(
    connection: &Connection,
    filter: &JobFilter,
    order: JobOrder,
    after: Option<u64>,
    limit: u32,
) -> rusqlite::Result<JobPage> {
    let bounds = Bounds::of(connection, filter, order, after)?;
    let mut numbers = match &filter.text {
        Some(text) => numbers_with(connection, text, filter, &bounds, limit as usize + 1)?,
        None => numbers(connection, filter, &bounds, i64::from(limit) + 1)?,
    };
    numbers.sort_unstable();
    if order == JobOrder::Descending {
        numbers.reverse();
    }
    let mut more = numbers.len() > limit as usize;
    numbers.truncate(limit as usize);
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE number = ?1"))?;
    let (mut items, mut on_page): (Vec<Job>, _) = (Vec::new(), PageBytes::default());
    for number in numbers {
        let next =
            select.query_row([number], |row| on_page.takes(bytes(row)?).then(|| job(row)).transpose())?;
        let Some(next) = next else {
            more = true;
            break;
        };
        items.push(next);
    }
    Ok(JobPage { items, more })
}

/// The first jobs of each range that the filter is made of: no more than `limit` of each can be on the page.
fn numbers(
    connection: &Connection,
    filter: &JobFilter,
    bounds: &Bounds,
    limit: i64,
) -> rusqlite::Result<Vec<i64>> {
    let states: &[JobState] = filter.state.as_ref().map_or(&JobState::ALL, std::slice::from_ref);
    match (&filter.user, &filter.kind, filter.state) {
        (None, None, None) => connection
            .prepare_cached(&format!(
                "SELECT number FROM jobs WHERE number BETWEEN ?1 AND ?2 ORDER BY number {} LIMIT ?3",
                bounds.sql()
            ))?
            .query_map((bounds.first, bounds.last, limit), |row| row.get(0))?
            .collect(),
        (Some(user), kind, _) => {
            let kinds = match kind {
                Some(kind) => vec![kind.clone()],
                None => kinds_of(connection, *user)?,
            };
            let mut numbers = Vec::new();
            let mut select = connection.prepare_cached(&format!(
                "SELECT number FROM jobs INDEXED BY jobs_by_user
                 WHERE user = ?1 AND user <> x'' AND type = ?2 AND state = ?3 AND number BETWEEN ?4 AND ?5
                 ORDER BY number {} LIMIT ?6",
                bounds.sql()
            ))?;
            for kind in kinds {
                for state in states {
                    let parameters =
                        (user.bytes(), &kind, state_number(*state), bounds.first, bounds.last, limit);
                    for number in select.query_map(parameters, |row| row.get(0))? {
                        numbers.push(number?);
                    }
                }
            }
            Ok(numbers)
        }
        (None, kind, _) => numbers_of(connection, kind.as_deref(), states, bounds, limit),
    }
}

/// The same for anybody's jobs of one type or of all.
pub(super) fn numbers_of(
    connection: &Connection,
    kind: Option<&str>,
    states: &[JobState],
    bounds: &Bounds,
    limit: i64,
) -> rusqlite::Result<Vec<i64>> {
    let kinds = match kind {
        Some(kind) => vec![kind.to_owned()],
        None => kinds(connection)?,
    };
    let mut numbers = Vec::new();
    let mut select = connection.prepare_cached(&format!(
        "SELECT number FROM jobs INDEXED BY jobs_by_type
         WHERE type = ?1 AND state = ?2 AND number BETWEEN ?3 AND ?4 ORDER BY number {} LIMIT ?5",
        bounds.sql()
    ))?;
    for kind in kinds {
        for state in states {
            let parameters = (&kind, state_number(*state), bounds.first, bounds.last, limit);
            for number in select.query_map(parameters, |row| row.get(0))? {
                numbers.push(number?);
            }
        }
    }
    Ok(numbers)
}

/// The first jobs with these words, by the index of texts; the rest of the filter is looked up for each.
fn numbers_with(
    connection: &Connection,
    text: &str,
    filter: &JobFilter,
    bounds: &Bounds,
    limit: usize,
) -> rusqlite::Result<Vec<i64>> {
    let Some(query) = texts::query(text) else { return Ok(Vec::new()) };
    let mut matches = connection.prepare_cached(&format!(
        "SELECT rowid FROM texts WHERE texts MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid {}",
        bounds.sql()
    ))?;
    let mut is_let_through = connection.prepare_cached(
        "SELECT 1 FROM jobs WHERE number = ?1 AND (?2 IS NULL OR user = ?2) AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR type = ?4)",
    )?;
    let user = filter.user.as_ref().map(UserId::bytes);
    let state = filter.state.map(state_number);
    let mut numbers = Vec::new();
    let mut rows = matches.query((query, bounds.first, bounds.last))?;
    while numbers.len() < limit
        && let Some(row) = rows.next()?
    {
        let number: i64 = row.get(0)?;
        if is_let_through.exists((number, user, state, &filter.kind))? {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// Types of which this user has jobs.
fn kinds_of(connection: &Connection, user: UserId) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT DISTINCT type FROM user_counts WHERE user = ?1")?
        .query_map([user.bytes()], |row| row.get(0))?
        .collect()
}

fn kinds(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT DISTINCT type FROM type_counts WHERE count > 0")?
        .query_map([], |row| row.get(0))?
        .collect()
}

pub(super) fn total(connection: &Connection, filter: &JobFilter) -> rusqlite::Result<Option<u64>> {
    if filter.text.is_some() || filter.from.is_some() || filter.until.is_some() {
        return Ok(None);
    }
    let state = filter.state.map(state_number);
    let total = match &filter.user {
        Some(user) => connection
            .prepare_cached(
                "SELECT coalesce(sum(count), 0) FROM user_counts
                 WHERE user = ?1 AND (?2 IS NULL OR type = ?2) AND (?3 IS NULL OR state = ?3)",
            )?
            .query_row((user.bytes(), &filter.kind, state), |row| row.count(0)),
        None => connection
            .prepare_cached(
                "SELECT coalesce(sum(count), 0) FROM type_counts
                 WHERE (?1 IS NULL OR type = ?1) AND (?2 IS NULL OR state = ?2)",
            )?
            .query_row((&filter.kind, state), |row| row.count(0)),
    };
    total.map(Some)
}

pub(super) fn counts(connection: &Connection, user: Option<UserId>) -> rusqlite::Result<JobCounts> {
    let mut counts: JobCounts = JobState::ALL.into_iter().map(|state| (state, 0)).collect();
    let mut add = |row: &rusqlite::Row<'_>| -> rusqlite::Result<()> {
        *counts.entry(state(row, 0)?).or_default() += row.count(1)?;
        Ok(())
    };
    let mut select = connection.prepare_cached(match user {
        Some(_) => "SELECT state, count FROM user_counts WHERE user = ?1",
        // the parameter is the same for both
        None => "SELECT state, count FROM type_counts WHERE ?1 = x''",
    })?;
    let mut rows = select.query([user_bytes(user.as_ref())])?;
    while let Some(row) = rows.next()? {
        add(row)?;
    }
    Ok(counts)
}
