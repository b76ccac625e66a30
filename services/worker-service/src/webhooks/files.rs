//! Asks file-service what happened to files, and makes of it messages to webhooks. Nothing is asked while no webhook is told of files.
//!
//! Each webhook has its own place among the events of its owner's files. It moves on after the messages are kept, and these have ids that follow from webhook
//! and event: whoever dies in between leaves what the next one does again without effect. Any number of processes may do it at once.

use std::sync::Arc;
use std::time::Duration;

use clients::FilesClient;
use common::files::FileEventPage;
use common::files::internal::{FileEventsPlace, FileEventsQuestion, MAX_EVENT_PLACES};
use common::jobs::{JobStore, NewJob, types};
use common::webhooks::{Delivery, Webhook, WebhookEvent, WebhookStore};
use common::{Causes, Clock, PortError, PortResult};
use metrics::counter;
use runtime::retry::RetryDelay;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::message::{delivery_job, of_file};
use crate::work::Bells;
use crate::{Parts, WebhookSettings};

/// Tells webhooks of files.
pub(crate) struct FileTeller {
    files: FilesClient,
    store: Arc<dyn JobStore>,
    webhooks: Arc<dyn WebhookStore>,
    clock: Arc<dyn Clock>,
    bells: Bells,
    settings: WebhookSettings,
    look: Duration,
}

impl FileTeller {
    pub(crate) fn new(parts: &Parts, bells: Bells) -> Self {
        let settings = parts.settings.webhooks;
        Self {
            files: parts.files.clone(),
            store: Arc::clone(&parts.store),
            webhooks: Arc::clone(&parts.webhooks),
            clock: Arc::clone(&parts.clock),
            bells,
            settings,
            look: settings.look_at_files,
        }
    }

    /// Works until `stop` is cancelled. May be dropped at any point.
    pub(crate) async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            let mut delay = RetryDelay::default();
            loop {
                match self.round().await {
                    Ok(true) => delay.reset(),
                    Ok(false) => {
                        delay.reset();
                        sleep(self.look).await;
                    }
                    Err(error) => {
                        let wait = delay.next_delay();
                        tracing::warn!(cause = %Causes(&error), ?wait, "cannot tell webhooks of files");
                        sleep(wait).await;
                    }
                }
            }
        })
        .await;
    }

    /// Tells each webhook of one page of events; whether any may have more.
    async fn round(&self) -> PortResult<bool> {
        let (mut more, mut after) = (false, None);
        loop {
            let limit = u32::try_from(MAX_EVENT_PLACES).unwrap_or(u32::MAX);
            let some = self.webhooks.webhooks_of_files(after, limit).await?;
            let Some((last, _)) = some.last() else { return Ok(more) };
            after = Some(last.id);
            more |= self.tell(&some).await?;
        }
    }

    async fn tell(&self, some: &[(Webhook, Option<u64>)]) -> PortResult<bool> {
        let place = |(webhook, told): &(Webhook, Option<u64>)| FileEventsPlace {
            user: webhook.user,
            after: *told,
            // it was made then, or switched on, or first wanted to hear of files
            since: webhook.updated_at,
        };
        let question = FileEventsQuestion { places: some.iter().map(place).collect() };
        let answer = self.files.events_after(&question).await?;
        if answer.pages.len() != some.len() {
            return Err(PortError::broken("file-service", "another number of pages than was asked for"));
        }
        let mut more = false;
        for ((webhook, told), page) in some.iter().zip(answer.pages) {
            more |= !page.events.is_empty();
            self.tell_one(webhook, *told, &page).await?;
        }
        Ok(more)
    }

    async fn tell_one(&self, webhook: &Webhook, told: Option<u64>, page: &FileEventPage) -> PortResult<()> {
        if page.gap && told.is_some() {
            tracing::warn!(webhook = %webhook.id, "events of files were forgotten before a webhook was told of them");
        }
        let now = self.clock.now();
        let (mut deliveries, mut jobs): (Vec<Delivery>, Vec<NewJob>) = Default::default();
        for event in &page.events {
            let word = WebhookEvent::of_file(event.kind);
            let Some(word) = word.filter(|word| webhook.events.contains(word)) else { continue };
            let delivery = of_file(webhook, word, event, now);
            jobs.push(delivery_job(&delivery, webhook, &self.settings, now));
            deliveries.push(delivery);
        }
        if !jobs.is_empty() {
            // in this order: a job whose delivery is not there has nothing to do
            self.webhooks.create_deliveries(&deliveries).await?;
            self.store.insert(&jobs, now).await?;
            counter!("fm_webhooks_messages_total").increment(deliveries.len() as u64);
            self.bells.ring(&[types::WEBHOOK_DELIVER.to_owned()]).await;
        }
        if told != Some(page.last) {
            // whoever was quicker has told the same
            self.webhooks.set_files_told(webhook.id, told, page.last).await?;
        }
        Ok(())
    }
}
