use std::sync::Arc;

use async_trait::async_trait;
use clients::{AuthClient, FilesClient};
use common::files::internal::UserEnd;
use common::jobs::types::{self, AccountEndedData};
use common::jobs::{ChangeJobError, JobAdmin, JobFilter, JobOrder, Schedule, ScheduleStore};
use common::notifications::NotificationStore;
use common::webhooks::WebhookStore;
use common::{JobId, PortResult, UserId};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::service::Parts;
use crate::work::{GivenUp, HandlerError, JobContext, JobHandler};

/// Steps without effect after which the job is tried again later.
const MOST_IDLE_STEPS: u32 = 3;
/// Jobs and notifications removed at a time.
const BATCH: u32 = 100;

/// Removes what is left of an account that is gone: its files by file-service's internal API, its jobs, schedules, webhooks and notifications here. Each part
/// can be repeated, and is done by as many runs as it takes.
pub(crate) struct AccountEndedHandler {
    auth: AuthClient,
    files: FilesClient,
    jobs: Arc<dyn JobAdmin>,
    schedules: Arc<dyn ScheduleStore>,
    webhooks: Arc<dyn WebhookStore>,
    notifications: Arc<dyn NotificationStore>,
    given_up: GivenUp,
}

impl AccountEndedHandler {
    /// Works on the stores of this service; `given_up` removes jobs.
    pub(crate) fn new(parts: &Parts, given_up: GivenUp) -> Self {
        Self {
            auth: parts.auth.clone(),
            files: parts.files.clone(),
            jobs: Arc::clone(&parts.admin),
            schedules: Arc::clone(&parts.schedules),
            webhooks: Arc::clone(&parts.webhooks),
            notifications: Arc::clone(&parts.notifications),
            given_up,
        }
    }

    async fn end_files(&self, job: &JobContext, user: UserId) -> Result<u64, HandlerError> {
        let (mut removed, mut idle) = (0, 0);
        loop {
            let step = self.files.end_user(&UserEnd { user }).await?;
            removed += step.changed;
            if step.done {
                return Ok(removed);
            }
            idle = if step.changed == 0 { idle + 1 } else { 0 };
            if idle == MOST_IDLE_STEPS {
                return Err(HandlerError::Retry("not all files could be removed just now".to_owned()));
            }
            // how much there is, nobody has counted; this only gives the attempt its time again
            job.progress(50).await?;
        }
    }

    /// What makes jobs goes before the jobs, and what tells of them before what was told.
    async fn end_jobs(&self, job: &JobContext, user: UserId) -> Result<u64, HandlerError> {
        let mut after = None;
        loop {
            let page = self.schedules.list_schedules(after, BATCH).await?;
            after = page.items.last().map(Schedule::place);
            for schedule in page.items.iter().filter(|schedule| schedule.user == Some(user)) {
                self.schedules.delete_schedule(schedule.id).await?;
            }
            if !page.more {
                break;
            }
        }
        for webhook in self.webhooks.list_webhooks(user).await? {
            self.webhooks.delete_webhook(webhook.id).await?;
        }
        let filter = JobFilter { user: Some(user), ..JobFilter::default() };
        let (mut removed, mut after) = (0, None);
        loop {
            let page = self.jobs.list(&filter, JobOrder::Ascending, after, BATCH).await?;
            for found in &page.items {
                removed += u64::from(self.end_job(found.spec.id).await?);
            }
            after = page.items.last().map(|last| last.number);
            if !page.more {
                break;
            }
            job.progress(75).await?;
        }
        while self.notifications.forget_notifications_of(user, BATCH).await? == BATCH {}
        Ok(removed)
    }

    /// Calls a job off, whoever works it, and removes it. False if it is gone.
    async fn end_job(&self, id: JobId) -> PortResult<bool> {
        match self.given_up.remove(id, true).await {
            Ok(()) => Ok(true),
            // somebody had it tried again meanwhile: it will find nothing to do
            Err(ChangeJobError::NotFound | ChangeJobError::State(_) | ChangeJobError::Taken(_)) => Ok(false),
            Err(ChangeJobError::Port(error)) => Err(error),
        }
    }
}

#[async_trait]
impl JobHandler for AccountEndedHandler {
    fn kind(&self) -> &'static str {
        types::ACCOUNT_ENDED
    }

    fn concurrency(&self) -> usize {
        1
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let AccountEndedData { user_id: user } = AccountEndedData::deserialize(&job.job().spec.data)
            .map_err(|_| HandlerError::Permanent("userId is missing, or none".to_owned()))?;
        // whoever made this job: what belongs to somebody who is there is not touched
        if self.auth.find_user(user).await?.is_some() {
            return Err(HandlerError::Permanent("The account is there".to_owned()));
        }
        let rows = self.end_files(job, user).await?;
        let jobs = self.end_jobs(job, user).await?;
        tracing::info!(%user, rows, jobs, "what was left of an account is removed");
        Ok(Some(json!({ "rows": rows, "jobs": jobs })))
    }
}
