use common::webhooks::{
    Delivery, DeliveryAttempt, DeliveryPage, DeliveryPlace, DeliveryState, MAX_ATTEMPTS_KEPT, WebhookEvent,
};
use common::{DeliveryId, Timestamp, WebhookId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::engine::Tx;
use crate::jobs::job::{from_json, to_json};
use crate::row::{RowExt as _, int};

const COLUMNS: &str = "id, webhook, event, body, created_at, state, attempts, finished_at";

/// Where `meta` keeps up to which event everybody has been told.
const TOLD: &str = "events_told";

fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: row.id(0)?,
        webhook: row.id(1)?,
        event: row.word(2, WebhookEvent::parse)?,
        body: row.get(3)?,
        created_at: row.time(4)?,
        state: row.word(5, DeliveryState::parse)?,
        attempts: from_json(row, 6)?,
        finished_at: row.time_opt(7)?,
    })
}

pub(super) fn create(tx: &Tx<'_>, deliveries: &[Delivery]) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(&format!(
        "INSERT OR IGNORE INTO deliveries ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    ))?;
    for delivery in deliveries {
        insert.execute((
            delivery.id.bytes(),
            delivery.webhook.bytes(),
            delivery.event.word(),
            &delivery.body,
            delivery.created_at.millis(),
            delivery.state.word(),
            to_json(&delivery.attempts)?,
            delivery.finished_at.map(Timestamp::millis),
        ))?;
    }
    Ok(())
}

pub(super) fn find(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<Delivery>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM deliveries WHERE id = ?1"))?
        .query_row([id.bytes()], read)
        .optional()
}

pub(super) fn note(
    tx: &Tx<'_>,
    id: DeliveryId,
    attempt: Option<DeliveryAttempt>,
    state: DeliveryState,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let Some(mut delivery) = find(tx, id)? else { return Ok(()) };
    if let Some(attempt) = attempt {
        delivery.attempts.push(attempt);
        let excess = delivery.attempts.len().saturating_sub(MAX_ATTEMPTS_KEPT);
        delivery.attempts.drain(..excess);
    }
    if delivery.state != DeliveryState::Delivered {
        delivery.state = state;
        delivery.finished_at = (state != DeliveryState::Pending).then_some(now);
    }
    tx.prepare_cached("UPDATE deliveries SET attempts = ?2, state = ?3, finished_at = ?4 WHERE id = ?1")?
        .execute((
            id.bytes(),
            to_json(&delivery.attempts)?,
            delivery.state.word(),
            delivery.finished_at.map(Timestamp::millis),
        ))
        .map(drop)
}

pub(super) fn list(
    connection: &Connection,
    webhook: WebhookId,
    after: Option<DeliveryPlace>,
    limit: u32,
) -> rusqlite::Result<DeliveryPage> {
    let mut items: Vec<Delivery> = match after {
        None => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM deliveries WHERE webhook = ?1 ORDER BY created_at DESC, id DESC LIMIT ?2"
            ))?
            .query_map((webhook.bytes(), i64::from(limit) + 1), read)?
            .collect::<Result<_, _>>()?,
        Some(place) => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM deliveries WHERE webhook = ?1 AND (created_at, id) < (?3, ?4)
                 ORDER BY created_at DESC, id DESC LIMIT ?2"
            ))?
            .query_map(
                (webhook.bytes(), i64::from(limit) + 1, place.at.millis(), place.id.bytes()),
                read,
            )?
            .collect::<Result<_, _>>()?,
    };
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    Ok(DeliveryPage { items, more })
}

pub(super) fn forget(tx: &Tx<'_>, before: Timestamp, limit: u32) -> rusqlite::Result<u32> {
    let forgotten = tx
        .prepare_cached(
            "DELETE FROM deliveries WHERE rowid IN
                 (SELECT rowid FROM deliveries WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)",
        )?
        .execute((before.millis(), limit))?;
    Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
}

pub(super) fn events_told(connection: &Connection) -> rusqlite::Result<u64> {
    let told: Option<String> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([TOLD], |row| row.get(0))
        .optional()?;
    Ok(told.and_then(|told| told.parse().ok()).unwrap_or(0))
}

pub(super) fn set_events_told(tx: &Tx<'_>, seq: u64, restart: bool) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value
             WHERE ?3 OR CAST(value AS INTEGER) < CAST(excluded.value AS INTEGER)",
    )?
    .execute((TOLD, int(seq).to_string(), restart))
    .map(drop)
}
