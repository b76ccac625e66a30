use common::webhooks::{ChangeWebhookError, Health, OffReason, PreviousSecret, SwitchedOff, Webhook};
use common::{Timestamp, UserId, WebhookId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::engine::{Tx, TxResult, damaged};
use crate::jobs::job::{from_json, to_json};
use crate::row::{RowExt as _, int};

const COLUMNS: &str = "id, user, url, description, events, all_jobs, secret, previous_secret, previous_until, off_why, off_at, \
     failing_since, failures, created_at, updated_at, revision";

fn read(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let previous_secret = match (row.get::<_, Option<Vec<u8>>>(7)?, row.time_opt(8)?) {
        (Some(sealed), Some(until)) => Some(PreviousSecret { sealed, until }),
        _ => None,
    };
    let off = match row.get_ref(9)?.as_str_or_null()? {
        Some(why) => Some(SwitchedOff {
            why: OffReason::parse(why).ok_or_else(|| damaged("an unknown reason"))?,
            at: row.time_opt(10)?.unwrap_or_default(),
        }),
        None => None,
    };
    Ok(Webhook {
        id: row.id(0)?,
        user: row.id(1)?,
        url: row.get(2)?,
        description: row.get(3)?,
        events: from_json(row, 4)?,
        all_jobs: row.get(5)?,
        secret: row.get(6)?,
        previous_secret,
        off,
        failing_since: row.time_opt(11)?,
        failures: row.get(12)?,
        created_at: row.time(13)?,
        updated_at: row.time(14)?,
        revision: row.count(15)?,
    })
}

pub(super) fn create(tx: &Tx<'_>, webhook: &Webhook) -> rusqlite::Result<()> {
    let places = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16";
    tx.prepare_cached(&format!("INSERT OR IGNORE INTO webhooks ({COLUMNS}) VALUES ({places})"))?
        .execute((
            webhook.id.bytes(),
            webhook.user.bytes(),
            &webhook.url,
            &webhook.description,
            to_json(&webhook.events)?,
            webhook.all_jobs,
            &webhook.secret,
            webhook.previous_secret.as_ref().map(|previous| &previous.sealed),
            webhook.previous_secret.as_ref().map(|previous| previous.until.millis()),
            webhook.off.map(|off| off.why.word()),
            webhook.off.map(|off| off.at.millis()),
            webhook.failing_since.map(Timestamp::millis),
            webhook.failures,
            webhook.created_at.millis(),
            webhook.updated_at.millis(),
            int(webhook.revision),
        ))
        .map(drop)
}

pub(super) fn list(connection: &Connection, user: UserId) -> rusqlite::Result<Vec<Webhook>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM webhooks WHERE user = ?1 ORDER BY created_at, id"))?
        .query_map([user.bytes()], read)?
        .collect()
}

pub(super) fn page(
    connection: &Connection,
    after: Option<WebhookId>,
    limit: u32,
) -> rusqlite::Result<Vec<Webhook>> {
    // no id is empty, so this stands below all of them
    let after = after.map_or_else(Vec::new, |id| id.bytes().to_vec());
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM webhooks WHERE id > ?1 ORDER BY id LIMIT ?2"))?
        .query_map((after, limit), read)?
        .collect()
}

pub(super) fn reseal(tx: &Tx<'_>, id: WebhookId, old: &[u8], new: &[u8]) -> rusqlite::Result<bool> {
    let resealed = tx
        .prepare_cached(
            "UPDATE webhooks SET secret = iif(secret = ?2, ?3, secret),
                                 previous_secret = iif(previous_secret = ?2, ?3, previous_secret)
             WHERE id = ?1 AND (secret = ?2 OR previous_secret = ?2)",
        )?
        .execute((id.bytes(), old, new))?;
    Ok(resealed == 1)
}

pub(super) fn find(connection: &Connection, id: WebhookId) -> rusqlite::Result<Option<Webhook>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM webhooks WHERE id = ?1"))?
        .query_row([id.bytes()], read)
        .optional()
}

pub(super) fn listening(connection: &Connection, users: &[UserId]) -> rusqlite::Result<Vec<Webhook>> {
    let mut listening: Vec<Webhook> = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM webhooks WHERE all_jobs = 1 AND off_why IS NULL ORDER BY created_at, id"
        ))?
        .query_map([], read)?
        .collect::<Result<_, _>>()?;
    let mut of_user = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM webhooks WHERE user = ?1 AND all_jobs = 0 AND off_why IS NULL ORDER BY created_at, id"
    ))?;
    for user in users {
        for webhook in of_user.query_map([user.bytes()], read)? {
            listening.push(webhook?);
        }
    }
    Ok(listening)
}

pub(super) fn of_files(
    connection: &Connection,
    after: Option<WebhookId>,
    limit: u32,
) -> rusqlite::Result<Vec<(Webhook, Option<u64>)>> {
    let after = after.map_or_else(Vec::new, |id| id.bytes().to_vec());
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, files_told FROM webhooks INDEXED BY webhooks_of_files
             WHERE off_why IS NULL AND instr(events, '\"file.') > 0 AND id > ?1 ORDER BY id LIMIT ?2"
        ))?
        .query_map((after, limit), |row| {
            let told = if row.get::<_, Option<i64>>(16)?.is_some() { Some(row.count(16)?) } else { None };
            Ok((read(row)?, told))
        })?
        .collect()
}

pub(super) fn set_files_told(
    tx: &Tx<'_>,
    id: WebhookId,
    from: Option<u64>,
    to: u64,
) -> rusqlite::Result<bool> {
    let set = tx
        .prepare_cached("UPDATE webhooks SET files_told = ?3 WHERE id = ?1 AND files_told IS ?2")?
        .execute((id.bytes(), from.map(int), int(to)))?;
    Ok(set == 1)
}

pub(super) fn forget_files_told(tx: &Tx<'_>, id: WebhookId) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE webhooks SET files_told = NULL WHERE id = ?1")?.execute([id.bytes()]).map(drop)
}

pub(super) fn update(tx: &Tx<'_>, webhook: &Webhook) -> TxResult<(), ChangeWebhookError> {
    let updated = tx
        .prepare_cached(
            "UPDATE webhooks SET url = ?3, description = ?4, events = ?5, all_jobs = ?6, secret = ?7, previous_secret = ?8,
                    previous_until = ?9, off_why = ?10, off_at = ?11, failing_since = ?12, failures = ?13, updated_at = ?14,
                    revision = revision + 1
             WHERE id = ?1 AND revision = ?2",
        )?
        .execute((
            webhook.id.bytes(),
            int(webhook.revision),
            &webhook.url,
            &webhook.description,
            to_json(&webhook.events)?,
            webhook.all_jobs,
            &webhook.secret,
            webhook.previous_secret.as_ref().map(|previous| &previous.sealed),
            webhook.previous_secret.as_ref().map(|previous| previous.until.millis()),
            webhook.off.map(|off| off.why.word()),
            webhook.off.map(|off| off.at.millis()),
            webhook.failing_since.map(Timestamp::millis),
            webhook.failures,
            webhook.updated_at.millis(),
        ))?;
    if updated == 1 {
        return Ok(());
    }
    Err(match find(tx, webhook.id)? {
        Some(_) => ChangeWebhookError::Changed,
        None => ChangeWebhookError::NotFound,
    }
    .into())
}

pub(super) fn delete(tx: &Tx<'_>, id: WebhookId) -> rusqlite::Result<bool> {
    tx.prepare_cached("DELETE FROM deliveries WHERE webhook = ?1")?.execute([id.bytes()])?;
    Ok(tx.prepare_cached("DELETE FROM webhooks WHERE id = ?1")?.execute([id.bytes()])? == 1)
}

pub(super) fn switch_off(
    tx: &Tx<'_>,
    id: WebhookId,
    why: OffReason,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let switched = tx
        .prepare_cached(
            "UPDATE webhooks SET off_why = ?2, off_at = ?3, revision = revision + 1 WHERE id = ?1 AND off_why IS NULL",
        )?
        .execute((id.bytes(), why.word(), now.millis()))?;
    Ok(switched == 1)
}

pub(super) fn note_attempt(
    tx: &Tx<'_>,
    id: WebhookId,
    worked: bool,
    now: Timestamp,
) -> rusqlite::Result<Option<Health>> {
    let change = if worked {
        "failing_since = NULL, failures = 0"
    } else {
        "failing_since = coalesce(failing_since, ?2), failures = failures + 1"
    };
    // the time is a parameter of both, so that they take the same ones
    let query = format!(
        "UPDATE webhooks SET {change} WHERE id = ?1 AND ?2 IS NOT NULL RETURNING failing_since, failures"
    );
    tx.prepare_cached(&query)?
        .query_row((id.bytes(), now.millis()), |row| {
            Ok(Health { failing_since: row.time_opt(0)?, failures: row.get(1)? })
        })
        .optional()
}
