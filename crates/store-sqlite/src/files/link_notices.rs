//! What is told of uses of links.

use common::files::{LinkNotice, LinkUse};
use common::jobs::NewJob;
use common::{JobId, LinkId, Timestamp};
use rusqlite::OptionalExtension as _;

use super::links;
use crate::engine::Tx;
use crate::outbox;
use crate::row::RowExt as _;

/// Counts a use of a link that notifies for the next notice, and sees to it that there is one.
pub(super) fn count(
    tx: &Tx<'_>,
    id: LinkId,
    [downloads, drops]: [i64; 2],
    at: Timestamp,
    used: &LinkUse,
) -> rusqlite::Result<()> {
    let counted: Option<(Option<Timestamp>, Option<Timestamp>)> = tx
        .prepare_cached(
            "UPDATE links SET new_downloads = new_downloads + ?2, new_drops = new_drops + ?3, new_file = ?4
             WHERE id = ?1 AND notify RETURNING iif(notice_job IS NULL, NULL, notice_due), noticed_at",
        )?
        .query_row((id.bytes(), downloads, drops, used.file.bytes()), |row| {
            Ok((row.time_opt(0)?, row.time_opt(1)?))
        })
        .optional()?;
    match counted {
        None => Ok(()),
        Some((Some(due), _)) if LinkNotice::is_awaited(at, due) => Ok(()),
        Some((_, told_at)) => plan(tx, id, LinkNotice::due(at, told_at), &used.job),
    }
}

/// What the notice told that never came is told by the next one.
fn plan(tx: &Tx<'_>, id: LinkId, due: Timestamp, job: &NewJob) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE links SET notice_job = ?2, notice_due = ?3,
                          new_downloads = new_downloads + told_downloads, new_drops = new_drops + told_drops,
                          told_downloads = 0, told_drops = 0
         WHERE id = ?1",
    )?
    .execute((id.bytes(), job.id.bytes(), due.millis()))?;
    outbox::push(tx, &[NewJob { run_at: Some(due), ..job.clone() }])
}

pub(super) fn open(tx: &Tx<'_>, id: LinkId, job: JobId) -> rusqlite::Result<Option<LinkNotice>> {
    tx.prepare_cached(
        "UPDATE links SET told_downloads = new_downloads, told_drops = new_drops, new_downloads = 0, new_drops = 0
         WHERE id = ?1 AND notice_job = ?2 AND told_downloads = 0 AND told_drops = 0",
    )?
    .execute((id.bytes(), job.bytes()))?;
    let told = tx
        .prepare_cached(
            "SELECT told_downloads, told_drops, new_file FROM links WHERE id = ?1 AND notice_job = ?2",
        )?
        .query_row((id.bytes(), job.bytes()), |row| Ok((row.count(0)?, row.count(1)?, row.id(2)?)))
        .optional()?;
    let Some((downloads, drops, file)) = told else { return Ok(None) };
    let link = links::find(tx, "id", id.bytes())?;
    Ok(link.map(|link| LinkNotice { link, file, downloads, drops }))
}

pub(super) fn close(
    tx: &Tx<'_>,
    id: LinkId,
    job: JobId,
    next: &NewJob,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let left: Option<u64> = tx
        .prepare_cached(
            "UPDATE links SET notice_job = NULL, notice_due = NULL, noticed_at = ?3, told_downloads = 0, told_drops = 0
             WHERE id = ?1 AND notice_job = ?2 RETURNING new_downloads + new_drops",
        )?
        .query_row((id.bytes(), job.bytes(), at.millis()), |row| row.count(0))
        .optional()?;
    match left {
        None | Some(0) => Ok(()),
        Some(_) => plan(tx, id, LinkNotice::due(at, Some(at)), next),
    }
}
