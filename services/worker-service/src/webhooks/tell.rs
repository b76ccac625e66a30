//! Reads how jobs ended, and makes of it messages to webhooks and notifications of users.
//!
//! The place up to which that was done moves on after both are kept, and both have ids that follow from the event: whoever dies in between leaves what the
//! next one does again without effect. Any number of processes may do it at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use common::jobs::{JobEvent, JobEventFilter, JobEventKind, JobEvents, JobStore, NewJob, short_error, types};
use common::notifications::{JOB_FAILED, NewNotification, NotificationStore};
use common::webhooks::{Delivery, WebhookStore};
use common::{Causes, Clock, NotificationId, ObjectId, PortResult, UserId};
use metrics::counter;
use runtime::retry::RetryDelay;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::cut;
use super::message::{delivery_job, event_of, of_job};
use crate::work::Bells;
use crate::{Parts, WebhookSettings};

/// Events read at once.
const PAGE: u32 = 200;
/// Events after which the place is kept though nothing ended.
const FAR: u64 = 1000;
/// Messages kept at once.
const CHUNK: usize = 200;
/// Shortest time between two reads, so that many changes become few reads.
const BREATH: Duration = Duration::from_millis(100);

/// Built-in types whose failures their users need not hear of: what they lose is nothing that they see, or is made good by upkeep.
const UNHEARD: [&str; 5] =
    [types::WEBHOOK_DELIVER, types::WELCOME_MAIL, types::PURGE, types::MEDIA_FACTS, types::TEXT];

/// Tells of ends of jobs.
pub(crate) struct Teller {
    store: Arc<dyn JobStore>,
    events: Arc<dyn JobEvents>,
    webhooks: Arc<dyn WebhookStore>,
    notifications: Arc<dyn NotificationStore>,
    clock: Arc<dyn Clock>,
    bells: Bells,
    settings: WebhookSettings,
    look_around: Duration,
}

impl Teller {
    pub(crate) fn new(parts: &Parts, bells: Bells) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            events: Arc::clone(&parts.events),
            webhooks: Arc::clone(&parts.webhooks),
            notifications: Arc::clone(&parts.notifications),
            clock: Arc::clone(&parts.clock),
            bells,
            settings: parts.settings.webhooks,
            look_around: parts.settings.look_around,
        }
    }

    /// Works until `stop` is cancelled. May be dropped at any point.
    pub(crate) async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            let mut delay = RetryDelay::default();
            let mut seen = 0;
            loop {
                match self.tell(&mut seen).await {
                    Ok(true) => delay.reset(),
                    Ok(false) => {
                        delay.reset();
                        tokio::select! {
                            () = self.bells.something_to_tell() => {}
                            () = sleep(self.look_around) => {}
                        }
                        sleep(BREATH.min(self.look_around)).await;
                    }
                    Err(error) => {
                        let wait = delay.next_delay();
                        tracing::warn!(cause = %Causes(&error), ?wait, "cannot tell how jobs ended");
                        sleep(wait).await;
                    }
                }
            }
        })
        .await;
    }

    /// Tells of one page of events; whether there may be more. `seen` is up to where this process has looked, which is beyond the place that the store
    /// keeps while nothing ended: not every progress of a job is a write.
    async fn tell(&self, seen: &mut u64) -> PortResult<bool> {
        let ordered = self.events.order_events(PAGE, self.clock.now()).await?;
        let kept = self.webhooks.events_told().await?;
        let told = kept.max(*seen);
        let filter = JobEventFilter { only_ends: true, ..JobEventFilter::default() };
        let page = self.events.events_after(told, &filter, PAGE).await?;
        if page.gap && told > 0 {
            tracing::warn!(after = told, "events of jobs were forgotten before anybody was told of them");
        }
        if page.last == told {
            return Ok(ordered > 0);
        }
        // the store may be one of before, brought back from a backup
        let restart = page.last < told;
        let is_worth_keeping = restart || !page.events.is_empty() || page.last - kept >= FAR;
        // of deliveries nobody is told: each would make the next one
        let events: Vec<JobEvent> =
            page.events.into_iter().filter(|event| event.kind != types::WEBHOOK_DELIVER).collect();
        if !events.is_empty() {
            self.tell_webhooks(&events).await?;
            self.tell_users(&events).await?;
        }
        if is_worth_keeping {
            self.webhooks.set_events_told(page.last, restart).await?;
        }
        *seen = page.last;
        Ok(true)
    }

    async fn tell_webhooks(&self, events: &[JobEvent]) -> PortResult<()> {
        let users: BTreeSet<UserId> = events.iter().filter_map(|event| event.user).collect();
        let webhooks = self.webhooks.listening_webhooks(&Vec::from_iter(users)).await?;
        let now = self.clock.now();
        let mut made: Vec<(Delivery, NewJob)> = Vec::new();
        for event in events {
            let Some(told) = event_of(event) else { continue };
            for webhook in &webhooks {
                let is_concerned = webhook.all_jobs || event.user == Some(webhook.user);
                if is_concerned && webhook.events.contains(&told) && event.at >= webhook.created_at {
                    let delivery = of_job(webhook, told, event, now);
                    let job = delivery_job(&delivery, webhook, &self.settings, now);
                    made.push((delivery, job));
                }
            }
        }
        for some in made.chunks(CHUNK) {
            let (deliveries, jobs): (Vec<_>, Vec<_>) = some.iter().cloned().unzip();
            // in this order: a job whose delivery is not there has nothing to do
            self.webhooks.create_deliveries(&deliveries).await?;
            self.store.insert(&jobs, now).await?;
            counter!("fm_webhooks_messages_total").increment(deliveries.len() as u64);
        }
        if !made.is_empty() {
            self.bells.ring(&[types::WEBHOOK_DELIVER.to_owned()]).await;
        }
        Ok(())
    }

    async fn tell_users(&self, events: &[JobEvent]) -> PortResult<()> {
        let mut news = Vec::new();
        for event in events {
            if event.event == JobEventKind::Failed
                && let Some(user) = event.user
                && !UNHEARD.contains(&&*event.kind)
            {
                news.push(self.news(event, user).await?);
            }
        }
        if news.is_empty() {
            return Ok(());
        }
        let new = self.notifications.notify(&news, self.clock.now()).await?;
        counter!("fm_notifications_total", "kind" => JOB_FAILED).increment(new.len() as u64);
        let users: BTreeSet<UserId> =
            news.iter().filter(|one| new.contains(&one.id)).map(|one| one.user).collect();
        self.bells.ring_news(users).await;
        Ok(())
    }

    async fn news(&self, event: &JobEvent, user: UserId) -> PortResult<NewNotification> {
        let error = event.data.as_ref().and_then(|data| data.get("error")?.as_str()).unwrap_or("it failed");
        // the stack is for administrators
        let error = short_error(error);
        let mut data = json!({ "jobId": event.job, "type": event.kind, "error": error });
        // what the page can lead to
        let job = self.store.find(event.job).await?;
        if let Some(file) = job.as_ref().and_then(|job| job.spec.data.get("fileId")?.as_str()) {
            data["fileId"] = cut(file, 24).into();
        }
        let text = if event.kind == types::THUMBNAILS {
            format!("The thumbnails of a file could not be made: {error}")
        } else {
            format!("A job of type {} failed: {error}", event.kind)
        };
        let id = format!("job failed {} {} {}", event.seq, event.job, event.at.millis());
        Ok(NewNotification {
            id: NotificationId(ObjectId::named(&id)),
            user,
            kind: JOB_FAILED.to_owned(),
            text,
            data,
        })
    }
}
