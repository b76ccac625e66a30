//! What accounts have asked to take with them.

use async_trait::async_trait;
use bytes::Bytes;
use common::auth::{AuditEntry, Export, ExportEnd, ExportPart, ExportState, ExportStore, NewExport};
use common::jobs::NewJob;
use common::{ExportId, PortError, PortResult, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{AuthDb, audit, users};
use crate::engine::Durability::Durable;
use crate::engine::{Abort, Tx, damaged};
use crate::outbox;
use crate::row::{RowExt as _, int};

const COLUMNS: &str = "id, user, state, requested_at, ended_at, expires_at, size_bytes, files";

fn export(row: &Row<'_>) -> rusqlite::Result<Export> {
    let size: Option<i64> = row.get(6)?;
    Ok(Export {
        id: row.id(0)?,
        user: row.id(1)?,
        state: row.word(2, ExportState::parse)?,
        requested_at: row.time(3)?,
        ended_at: row.time_opt(4)?,
        expires_at: row.time(5)?,
        size_bytes: size.and_then(|size| u64::try_from(size).ok()),
        files: serde_json::from_str(row.get_ref(7)?.as_str()?)
            .map_err(|_| damaged("files of an export that are none"))?,
    })
}

fn find(connection: &Connection, user: UserId) -> rusqlite::Result<Option<Export>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM exports WHERE user = ?1"))?
        .query_row([user.bytes()], export)
        .optional()
}

/// The export, and whether it was begun just now.
fn begin(tx: &Tx<'_>, new: &NewExport) -> rusqlite::Result<Option<(Export, bool)>> {
    if users::find(tx, new.user)?.is_none() {
        return Ok(None);
    }
    if let Some(found) = find(tx, new.user)?
        && found.state == ExportState::Running
        && found.is_live(new.at)
    {
        return Ok(Some((found, false)));
    }
    remove_of(tx, new.user)?;
    tx.prepare_cached(
        "INSERT INTO exports (user, id, state, requested_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((
        new.user.bytes(),
        new.id.bytes(),
        ExportState::Running.word(),
        new.at.millis(),
        new.expires_at.millis(),
    ))?;
    Ok(find(tx, new.user)?.map(|export| (export, true)))
}

fn put(tx: &Tx<'_>, part: ExportPart, run: i64, bytes: &[u8]) -> rusqlite::Result<bool> {
    let last: Option<i64> = tx
        .prepare_cached("SELECT run FROM exports WHERE user = ?1 AND id = ?2 AND state = ?3")?
        .query_row((part.user.bytes(), part.export.bytes(), ExportState::Running.word()), |row| row.get(0))
        .optional()?;
    let Some(last) = last.filter(|last| *last <= run) else { return Ok(false) };
    if last < run {
        remove_parts(tx, part.export)?;
        tx.prepare_cached("UPDATE exports SET run = ?2 WHERE user = ?1")?
            .execute((part.user.bytes(), run))?;
    }
    tx.prepare_cached(
        "INSERT OR REPLACE INTO export_parts (export, file, number, bytes) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((part.export.bytes(), part.file, part.number, bytes))?;
    Ok(true)
}

fn end(
    tx: &Tx<'_>,
    (user, id): (UserId, ExportId),
    end: &ExportEnd,
    (at, expires_at): (Timestamp, Timestamp),
) -> rusqlite::Result<bool> {
    let (state, run, size, files) = match end {
        ExportEnd::Ready { run, files, size_bytes } => {
            let files = serde_json::to_string(files).expect("names and numbers become JSON");
            (ExportState::Ready, Some(*run), Some(int(*size_bytes)), files)
        }
        ExportEnd::Failed => (ExportState::Failed, None, None, "[]".to_owned()),
    };
    let ended = tx
        .prepare_cached(
            "UPDATE exports SET state = ?4, ended_at = ?5, expires_at = ?6, size_bytes = ?7, files = ?8
             WHERE user = ?1 AND id = ?2 AND state = ?3 AND (?9 IS NULL OR run <= ?9)",
        )?
        .execute((
            user.bytes(),
            id.bytes(),
            ExportState::Running.word(),
            state.word(),
            at.millis(),
            expires_at.millis(),
            size,
            files,
            run,
        ))?;
    if ended == 1 && state == ExportState::Failed {
        remove_parts(tx, id)?;
    }
    Ok(ended == 1)
}

fn remove_parts(tx: &Tx<'_>, export: ExportId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM export_parts WHERE export = ?1")?.execute([export.bytes()]).map(drop)
}

/// The export of an account, with its parts.
pub(super) fn remove_of(tx: &Tx<'_>, user: UserId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM export_parts WHERE export IN (SELECT id FROM exports WHERE user = ?1)")?
        .execute([user.bytes()])?;
    tx.prepare_cached("DELETE FROM exports WHERE user = ?1")?.execute([user.bytes()]).map(drop)
}

fn remove_expired(tx: &Tx<'_>, now: Timestamp, limit: u32) -> rusqlite::Result<u32> {
    let expired: Vec<UserId> = tx
        .prepare_cached("SELECT user FROM exports WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2")?
        .query_map((now.millis(), limit), |row| row.id(0))?
        .collect::<Result<_, _>>()?;
    for user in &expired {
        remove_of(tx, *user)?;
    }
    Ok(u32::try_from(expired.len()).unwrap_or(limit))
}

#[async_trait]
impl ExportStore for AuthDb {
    async fn begin_export(
        &self,
        export: &NewExport,
        jobs: &[NewJob],
        entry: &AuditEntry,
    ) -> PortResult<Option<Export>> {
        let (export, jobs, entry) = (*export, jobs.to_vec(), entry.clone());
        self.engine
            .write(Durable, move |tx| {
                let begun = begin(tx, &export)?;
                if let Some((_, true)) = &begun {
                    audit::insert(tx, &entry)?;
                    outbox::push(tx, &jobs)?;
                }
                Ok::<_, Abort<PortError>>(begun.map(|(export, _)| export))
            })
            .await
    }

    async fn find_export(&self, user: UserId) -> PortResult<Option<Export>> {
        self.engine.read(move |connection| Ok(find(connection, user)?)).await
    }

    async fn put_export_part(&self, part: ExportPart, run: i64, bytes: &[u8]) -> PortResult<bool> {
        let bytes = bytes.to_vec();
        self.engine.write(Durable, move |tx| Ok::<_, Abort<PortError>>(put(tx, part, run, &bytes)?)).await
    }

    async fn read_export_part(&self, part: ExportPart) -> PortResult<Option<Bytes>> {
        self.engine
            .read(move |connection| {
                let bytes: Option<Vec<u8>> = connection
                    .prepare_cached(
                        "SELECT bytes FROM export_parts WHERE export = ?1 AND file = ?2 AND number = ?3
                         AND EXISTS (SELECT 1 FROM exports WHERE user = ?4 AND id = ?1)",
                    )?
                    .query_row((part.export.bytes(), part.file, part.number, part.user.bytes()), |row| {
                        row.get(0)
                    })
                    .optional()?;
                Ok(bytes.map(Bytes::from))
            })
            .await
    }

    async fn end_export(
        &self,
        user: UserId,
        id: ExportId,
        how: &ExportEnd,
        at: Timestamp,
        expires_at: Timestamp,
        jobs: &[NewJob],
    ) -> PortResult<bool> {
        let (how, jobs) = (how.clone(), jobs.to_vec());
        self.engine
            .write(Durable, move |tx| {
                let ended = end(tx, (user, id), &how, (at, expires_at))?;
                if ended {
                    outbox::push(tx, &jobs)?;
                }
                Ok::<_, Abort<PortError>>(ended)
            })
            .await
    }

    async fn remove_expired_exports(&self, now: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.write(Durable, move |tx| Ok::<_, Abort<PortError>>(remove_expired(tx, now, limit)?)).await
    }
}
