//! Lists and counts.

use common::UserId;
use common::files::Page;
use common::jobs::{Job, JobCounts, JobFilter, JobState};
use rusqlite::Connection;

use super::job::{COLUMNS, job, state, state_number, user_bytes};
use crate::row::{RowExt as _, int};

pub(super) fn list(
    connection: &Connection,
    filter: &JobFilter,
    after: Option<u64>,
    limit: u32,
) -> rusqlite::Result<Page<Job>> {
    let before = after.map_or(i64::MAX, int);
    let mut numbers = numbers(connection, filter, before, i64::from(limit) + 1)?;
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let more = numbers.len() > limit as usize;
    numbers.truncate(limit as usize);
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE number = ?1"))?;
    let items =
        numbers.into_iter().map(|number| select.query_row([number], job)).collect::<Result<_, _>>()?;
    Ok(Page { items, more, total: total(connection, filter)? })
}

/// The newest jobs of each range that the filter is made of: no more than `limit` of each can be on the page.
fn numbers(
    connection: &Connection,
    filter: &JobFilter,
    before: i64,
    limit: i64,
) -> rusqlite::Result<Vec<i64>> {
    let mut numbers = Vec::new();
    let states: &[JobState] = filter.state.as_ref().map_or(&JobState::ALL, std::slice::from_ref);
    match (&filter.user, &filter.kind, filter.state) {
        (None, None, None) => {
            let mut select = connection
                .prepare_cached("SELECT number FROM jobs WHERE number < ?1 ORDER BY number DESC LIMIT ?2")?;
            for number in select.query_map((before, limit), |row| row.get(0))? {
                numbers.push(number?);
            }
        }
        (Some(user), kind, _) => {
            let mut select = connection.prepare_cached(
                "SELECT number FROM jobs INDEXED BY jobs_by_user
                 WHERE user = ?1 AND state = ?2 AND number < ?3 AND (?4 IS NULL OR type = ?4) ORDER BY number DESC LIMIT ?5",
            )?;
            for state in states {
                let parameters = (user.bytes(), state_number(*state), before, kind, limit);
                for number in select.query_map(parameters, |row| row.get(0))? {
                    numbers.push(number?);
                }
            }
        }
        (None, kind, _) => {
            let kinds = match kind {
                Some(kind) => vec![kind.clone()],
                None => kinds(connection)?,
            };
            let mut select = connection.prepare_cached(
                "SELECT number FROM jobs INDEXED BY jobs_by_type
                 WHERE type = ?1 AND state = ?2 AND number < ?3 ORDER BY number DESC LIMIT ?4",
            )?;
            for kind in kinds {
                for state in states {
                    for number in
                        select.query_map((&kind, state_number(*state), before, limit), |row| row.get(0))?
                    {
                        numbers.push(number?);
                    }
                }
            }
        }
    }
    Ok(numbers)
}

fn kinds(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT DISTINCT type FROM type_counts WHERE count > 0")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn total(connection: &Connection, filter: &JobFilter) -> rusqlite::Result<u64> {
    let state = filter.state.map(state_number);
    match &filter.user {
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
    }
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
