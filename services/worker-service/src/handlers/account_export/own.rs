//! What is known here of an account.

use std::sync::Arc;

use common::files::internal::{ExportPage, ExportQuestion};
use common::jobs::{Job, JobAdmin, JobFilter, JobOrder, ScheduleStore, short_error, types};
use common::notifications::{Notification, NotificationPlace, NotificationStore};
use common::webhooks::{Webhook, WebhookEvent, WebhookStore};
use common::{NotificationId, PortError, PortResult, ScheduleId, Timestamp, UserId};
use serde_json::{Value, json};

use crate::service::Parts;

/// The subjects, each a file.
pub(super) const EXPORTED: &[&str] = &["jobs", "schedules", "webhooks", "notifications"];

/// Items of a page.
const PAGE: u32 = 200;

/// The stores of this service.
pub(super) struct Own {
    jobs: Arc<dyn JobAdmin>,
    schedules: Arc<dyn ScheduleStore>,
    webhooks: Arc<dyn WebhookStore>,
    notifications: Arc<dyn NotificationStore>,
}

impl Own {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            jobs: Arc::clone(&parts.admin),
            schedules: Arc::clone(&parts.schedules),
            webhooks: Arc::clone(&parts.webhooks),
            notifications: Arc::clone(&parts.notifications),
        }
    }

    /// Some of what is known of an account, without secrets.
    ///
    /// # Errors
    /// `Unavailable`; `Broken` for an unknown subject.
    pub(super) async fn page(&self, asked: &ExportQuestion) -> PortResult<ExportPage> {
        match &*asked.what {
            "jobs" => self.jobs(asked).await,
            "schedules" => self.schedules(asked).await,
            "webhooks" => self.webhooks(asked.user).await,
            "notifications" => self.notifications(asked).await,
            _ => Err(PortError::broken("exports", "an unknown subject")),
        }
    }

    async fn jobs(&self, asked: &ExportQuestion) -> PortResult<ExportPage> {
        let after = asked.cursor.as_deref().and_then(|text| text.parse().ok());
        let filter = JobFilter { user: Some(asked.user), ..JobFilter::default() };
        let page = self.jobs.list(&filter, JobOrder::Ascending, after, PAGE).await?;
        let cursor = page.items.last().filter(|_| page.more).map(|last| last.number.to_string());
        Ok(ExportPage { items: page.items.into_iter().map(job).collect(), cursor })
    }

    async fn schedules(&self, asked: &ExportQuestion) -> PortResult<ExportPage> {
        let after = asked.cursor.as_deref().and_then(|text| {
            let (at, id) = text.split_once(' ')?;
            Some((Timestamp::from_millis(at.parse().ok()?), id.parse::<ScheduleId>().ok()?))
        });
        let page = self.schedules.list_schedules(after, PAGE).await?;
        let last = page.items.last().filter(|_| page.more).map(common::jobs::Schedule::place);
        let cursor = last.map(|(at, id)| format!("{} {id}", at.millis()));
        let item = |schedule: common::jobs::Schedule| {
            json!({
                "id": schedule.id,
                "schedule": schedule.spec,
                "paused": schedule.paused,
                "nextAt": schedule.next_at,
                "lastAt": schedule.last_at,
                "createdAt": schedule.created_at,
            })
        };
        let is_own = |schedule: &common::jobs::Schedule| schedule.user == Some(asked.user);
        let items = page.items.into_iter().filter(is_own).map(item).collect();
        Ok(ExportPage { items, cursor })
    }

    async fn webhooks(&self, user: UserId) -> PortResult<ExportPage> {
        let items = self.webhooks.list_webhooks(user).await?.iter().map(webhook).collect();
        Ok(ExportPage { items, cursor: None })
    }

    async fn notifications(&self, asked: &ExportQuestion) -> PortResult<ExportPage> {
        let after = asked.cursor.as_deref().and_then(|text| {
            let (at, id) = text.split_once(' ')?;
            let at = Timestamp::from_millis(at.parse().ok()?);
            Some(NotificationPlace { at, id: id.parse::<NotificationId>().ok()? })
        });
        let page = self.notifications.list_notifications(asked.user, false, after, PAGE).await?;
        let cursor = page.items.last().filter(|_| page.more).map(|last| {
            let NotificationPlace { at, id } = last.place();
            format!("{} {id}", at.millis())
        });
        Ok(ExportPage { items: page.items.into_iter().map(notification).collect(), cursor })
    }
}

fn job(job: Job) -> Value {
    let mut data = job.spec.data;
    if let Value::Object(members) = &mut data
        && types::BUILT_IN.contains(&&*job.spec.kind)
    {
        // where a content lies is nobody's business
        members.remove("blob");
    }
    json!({
        "id": job.spec.id,
        "type": job.spec.kind,
        "state": job.state,
        "data": data,
        "result": job.result,
        "error": job.error.as_deref().map(short_error),
        "attempts": job.attempts_made,
        "createdAt": job.spec.created_at,
        "startedAt": job.started_at,
        "finishedAt": job.finished_at,
    })
}

/// Neither its secret, nor what its address may carry for the receiver alone: the owner has both.
fn webhook(webhook: &Webhook) -> Value {
    let address = webhook.url.split(['?', '#']).next();
    json!({
        "id": webhook.id,
        "url": address,
        "description": webhook.description,
        "events": webhook.events.iter().copied().map(WebhookEvent::word).collect::<Vec<_>>(),
        "allJobs": webhook.all_jobs,
        "off": webhook.off.map(|off| off.why.word()),
        "createdAt": webhook.created_at,
        "updatedAt": webhook.updated_at,
    })
}

fn notification(notification: Notification) -> Value {
    json!({
        "id": notification.news.id,
        "kind": notification.news.kind,
        "text": notification.news.text,
        "data": notification.news.data,
        "at": notification.created_at,
        "readAt": notification.read_at,
    })
}
