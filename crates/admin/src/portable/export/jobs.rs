//! Jobs that are yet to be done, and what else the job store keeps.

use common::Timestamp;
use common::jobs::NewJob;
use common::jobs::types::ACCOUNT_EXPORT;
use common::portable::PortableJob;

use super::super::folder::LineWriter;
use super::super::records::{
    DeliveryRecord, JobRecord, NotificationRecord, ScheduleRecord, ToldRecord, TypeRecord, WebhookRecord,
};
use super::super::{FileFacts, JOBS_PAGE, PAGE, PortableError, Stores};
use super::{Files, write_all};
use crate::held::Held;

pub(super) async fn write(
    stores: &Stores,
    folder: &Held,
    now: Timestamp,
    files: &mut Files,
) -> Result<(), PortableError> {
    files.insert("jobs.ndjson".to_owned(), live_jobs(stores, folder, now).await?);
    files.insert("job-types.ndjson".to_owned(), types(stores, folder).await?);
    let mut lines = LineWriter::create(folder, "schedules.ndjson")?;
    let mut after = None;
    loop {
        let page = stores.schedules.list_schedules(after, PAGE).await?;
        after = page.items.last().map(common::jobs::Schedule::place);
        for schedule in page.items {
            lines.write(&ScheduleRecord::of(schedule))?;
        }
        if !page.more {
            break;
        }
    }
    files.insert("schedules.ndjson".to_owned(), lines.finish()?);
    files.extend([
        write_all!(
            folder,
            "webhooks.ndjson",
            |after| stores.webhooks.page_webhooks(after, PAGE),
            |webhook| webhook.id,
            WebhookRecord::of
        ),
        write_all!(
            folder,
            "notifications.ndjson",
            |after| stores.notifications.page_notifications(after, PAGE),
            |kept| kept.news.id,
            NotificationRecord::of
        ),
    ]);
    files.insert("webhooks-told.ndjson".to_owned(), told(stores, folder).await?);
    files.insert("deliveries.ndjson".to_owned(), deliveries(stores, folder).await?);
    Ok(())
}

/// Jobs of the job store, and those on their way to it.
async fn live_jobs(stores: &Stores, folder: &Held, now: Timestamp) -> Result<FileFacts, PortableError> {
    let mut lines = LineWriter::create(folder, "jobs.ndjson")?;
    let mut after = None;
    loop {
        let page = stores.notifications.page_jobs(after, JOBS_PAGE).await?;
        let is_last = page.len() < JOBS_PAGE as usize;
        after = page.last().map(|kept| kept.job.number);
        for kept in page.into_iter().filter(|kept| goes_along(&kept.job.spec)) {
            lines.write(&JobRecord::of(kept))?;
        }
        if is_last {
            break;
        }
    }
    let mut after = None;
    loop {
        let page = stores.auth.page_outbox(after, JOBS_PAGE).await?;
        after = page.last().map(|job| job.id);
        let is_last = page.len() < JOBS_PAGE as usize;
        write_unknown(stores, &mut lines, page, now).await?;
        if is_last {
            break;
        }
    }
    let mut after = None;
    loop {
        let page = stores.files.page_outbox(after, JOBS_PAGE).await?;
        after = page.last().map(|job| job.id);
        let is_last = page.len() < JOBS_PAGE as usize;
        write_unknown(stores, &mut lines, page, now).await?;
        if is_last {
            break;
        }
    }
    lines.finish()
}

/// The export of an account stays behind, with what it was to write.
fn goes_along(job: &NewJob) -> bool {
    job.kind != ACCOUNT_EXPORT
}

/// Jobs of an outbox, but for those that the job store has, or has had.
async fn write_unknown(
    stores: &Stores,
    lines: &mut LineWriter,
    jobs: Vec<NewJob>,
    now: Timestamp,
) -> Result<(), PortableError> {
    let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    let known = stores.jobs.known(&ids).await?;
    for job in jobs.into_iter().filter(|job| !known.contains(&job.id) && goes_along(job)) {
        lines.write(&JobRecord::of(PortableJob::new(job, now)))?;
    }
    Ok(())
}

/// What types of jobs were told: they are few.
async fn types(stores: &Stores, folder: &Held) -> Result<FileFacts, PortableError> {
    let mut lines = LineWriter::create(folder, "job-types.ndjson")?;
    let told = stores.job_lists.types(None).await?;
    if told.paused {
        lines.write(&TypeRecord::ALL_PAUSED)?;
    }
    for record in told.types.into_iter().filter_map(TypeRecord::of) {
        lines.write(&record)?;
    }
    lines.finish()
}

/// How far webhooks were told of files.
async fn told(stores: &Stores, folder: &Held) -> Result<FileFacts, PortableError> {
    let mut lines = LineWriter::create(folder, "webhooks-told.ndjson")?;
    let mut after = None;
    loop {
        let page = stores.webhooks.webhooks_of_files(after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|(webhook, _)| webhook.id);
        for (webhook, told) in page {
            if let Some(event) = told {
                lines.write(&ToldRecord::of(webhook.id, event))?;
            }
        }
        if is_last {
            break;
        }
    }
    lines.finish()
}

/// Messages to webhooks, those under way too: their jobs find them by their ids.
async fn deliveries(stores: &Stores, folder: &Held) -> Result<FileFacts, PortableError> {
    let mut lines = LineWriter::create(folder, "deliveries.ndjson")?;
    let mut after = None;
    loop {
        let webhooks = stores.webhooks.page_webhooks(after, PAGE).await?;
        let is_last = webhooks.len() < PAGE as usize;
        after = webhooks.last().map(|webhook| webhook.id);
        for webhook in webhooks {
            let mut place = None;
            loop {
                let page = stores.webhooks.list_deliveries(webhook.id, place, JOBS_PAGE).await?;
                place = page.items.last().map(|delivery| delivery.place());
                for delivery in page.items {
                    lines.write(&DeliveryRecord::of(delivery))?;
                }
                if !page.more {
                    break;
                }
            }
        }
        if is_last {
            break;
        }
    }
    lines.finish()
}
