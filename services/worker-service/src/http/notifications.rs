//! What the caller is told.

use actix_web::{HttpRequest, get, post, web};
use common::notifications::{Notification as Stored, NotificationPlace, ReadMark};
use common::{NotificationId, Timestamp};
use http_kit::{ApiResult, Authenticated, cursor, input};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::answers::{Refused, wrong};
use super::page::limit;
use crate::WorkerService;

/// Most ids in one call.
const MOST_IDS: usize = 1000;
/// Room for those with some white space.
const MOST_BYTES: usize = 64 * 1024;

/// Something that happened to what is the caller's.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    /// Its id.
    id: String,
    /// What it is about: `job.failed`, `webhook.switched-off`, `link.used`, `export.ready`, and others to come.
    #[schema(example = "job.failed")]
    kind: String,
    /// The news in a sentence, in English.
    text: String,
    /// What it is about, by its kind: `{jobId, type, error, fileId?}`, `{webhookId, reason}`,
    /// `{linkId, label, fileId, lastFileId, downloads, drops}`, `{exportId, expiresAt}`.
    #[schema(value_type = Object)]
    data: Value,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was marked as read; null while it is not.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    read_at: Option<Timestamp>,
}

impl From<Stored> for Notification {
    fn from(stored: Stored) -> Self {
        Self {
            id: stored.news.id.to_string(),
            kind: stored.news.kind,
            text: stored.news.text,
            data: stored.news.data,
            created_at: stored.created_at,
            read_at: stored.read_at,
        }
    }
}

/// A page of notifications, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotificationList {
    /// The notifications.
    items: Vec<Notification>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
    /// How many of all are unread.
    unread: u64,
}

/// How many notifications are unread.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Unread {
    /// Of all of the caller.
    unread: u64,
}

/// Which notifications to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those that are unread.
    #[serde(default)]
    unread: bool,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// What was read: either `ids`, or `all` with or without `upTo`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReadRequest {
    /// These, at most 1000. Unknown ones are left out.
    #[schema(value_type = Option<Vec<String>>)]
    ids: Option<Vec<NotificationId>>,
    /// All up to `upTo`.
    #[serde(default)]
    all: bool,
    /// The `createdAt` of the newest one that was seen, so that what comes meanwhile stays unread. Default: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    up_to: Option<Timestamp>,
}

/// What happened to what is the caller's, newest first. At most 1000, and for 90 days.
#[utoipa::path(
    tag = "notifications",
    operation_id = "listNotifications",
    params(ListQuery),
    responses((status = 200, description = "A page of notifications", body = NotificationList), Refused),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[get("")]
pub(super) async fn list(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
) -> ApiResult<web::Json<NotificationList>> {
    let query: ListQuery = input::query(&request)?;
    let limit = limit(query.limit)?;
    let name = format!("notifications/{}/{}", caller.user, query.unread);
    let after: Option<NotificationPlace> =
        query.cursor.map(|place| cursor::decode(&service.cursor_key, &name, &place)).transpose()?;
    let page = service.notifications.list_notifications(caller.user, query.unread, after, limit).await?;
    let last = page.items.last().filter(|_| page.more).map(Stored::place);
    let next_cursor = last.map(|place| cursor::encode(&service.cursor_key, &name, &place));
    let items = page.items.into_iter().map(Notification::from).collect();
    Ok(web::Json(NotificationList { items, next_cursor, unread: page.unread }))
}

/// Marks notifications as read.
#[utoipa::path(
    tag = "notifications",
    operation_id = "readNotifications",
    request_body = ReadRequest,
    responses((status = 200, description = "How many are unread still", body = Unread), Refused),
    security(("bearer" = []), ("token" = []), ("cookie" = [])),
)]
#[post("/read")]
pub(super) async fn read(
    caller: Authenticated,
    service: web::Data<WorkerService>,
    request: HttpRequest,
    payload: web::Payload,
) -> ApiResult<web::Json<Unread>> {
    let asked: ReadRequest = input::json(&request, payload, MOST_BYTES).await?;
    let now = service.clock.now();
    let which = match (asked.ids, asked.all, asked.up_to) {
        (Some(ids), false, None) if ids.len() <= MOST_IDS => ReadMark::Ids(ids),
        (Some(_), false, None) => return Err(wrong("/ids", "At most 1000 ids at once")),
        (None, true, up_to) => ReadMark::UpTo(up_to.unwrap_or(now)),
        (None, false, Some(_)) => return Err(wrong("/upTo", "upTo goes with all")),
        _ => return Err(wrong("", "Either ids, or all")),
    };
    let unread = service.notifications.mark_read(caller.user, &which, now).await?;
    // other pages of the same person
    service.bells.ring_news([caller.user]).await;
    Ok(web::Json(Unread { unread }))
}
