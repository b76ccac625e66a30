//! The table of built-in jobs in `docs/operations.md` is what the code says.

use std::collections::BTreeMap;
use std::time::Duration;

use common::jobs::{Backoff, JobState, NewJob, types};
use common::webhooks::{Delivery, DeliveryState, WebhookEvent};
use common::{BlobKey, Clock as _, FileId, UserId};
use runtime::settings::Span;
use testkit::{TestClock, TestIds};
use worker_service::{
    BuiltInJobs, Concurrency, JobHandler as _, JobTypeSection, JobsSection, MAINTENANCE_DOCS,
    MaintenanceSection, MaintenanceTask, Pauses, UpkeepHandler, WebhooksSection,
};

use crate::support::{Does, World, registry, until, until_true};

/// The rows by their types; the other cells in their order.
fn rows() -> BTreeMap<String, Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let (_, section) = guide.split_once("\n## Built-in jobs\n").expect("it has the section");
    let (section, _) = section.split_once("\n## ").unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let lines: Vec<Vec<String>> = section.lines().filter(|line| line.starts_with('|')).map(cells).collect();
    assert!(lines[0].len() == 8 && lines[0][0] == "type", "{:?}", lines[0]);
    let mut rows = BTreeMap::new();
    for mut line in lines.into_iter().skip(2) {
        let kind = line.remove(0).trim_matches('`').to_owned();
        assert_eq!(line.len(), 7, "{kind}");
        assert!(rows.insert(kind.clone(), line).is_none(), "{kind} stands there twice");
    }
    rows
}

/// A time as settings write it.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60)] {
        if seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

/// A job of a built-in type, as the product makes it.
fn made(kind: &str, every: Option<Duration>) -> NewJob {
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let (user, file, blob) =
        (UserId::from_bytes([1; 12]), FileId::from_bytes([2; 12]), BlobKey::from_bytes([3; 16]));
    match (kind, every) {
        (_, Some(every)) => types::upkeep(kind, every, 1, at),
        (types::THUMBNAILS, _) => types::thumbnails(ids.next(), user, file, blob, at),
        (types::MEDIA_FACTS, _) => types::media_facts(ids.next(), user, file, (blob, 1), at),
        (types::TEXT, _) => types::text(ids.next(), user, file, (blob, 1), "text/plain", at),
        (types::WELCOME_MAIL, _) => types::welcome_mail(ids.next(), user, at),
        (types::ACCOUNT_MAIL, _) => types::account_mail(ids.next(), Vec::new(), at),
        (types::COPY, _) => types::copy(ids.next(), ids.next(), user, at, at),
        (types::PURGE, _) => types::purge(ids.next(), file, user, at),
        (types::ACCOUNT_ENDED, _) => types::account_ended(user, at),
        (types::LINK_NOTICE, _) => types::link_notice(ids.next(), ids.next(), user, at),
        (types::ACCOUNT_EXPORT, _) => types::account_export(ids.next(), user, at),
        (types::WEBHOOK_DELIVER, _) => {
            let delivery = Delivery {
                id: ids.next(),
                webhook: ids.next(),
                event: WebhookEvent::JobComplete,
                body: String::new(),
                created_at: at,
                state: DeliveryState::Pending,
                attempts: Vec::new(),
                finished_at: None,
            };
            let section = WebhooksSection::default();
            let ms = |span: Span| span.duration().as_millis() as u64;
            let (delay_ms, max_delay_ms) = (ms(section.first_pause), ms(section.longest_pause));
            let backoff = Backoff::Exponential { delay_ms, max_delay_ms };
            let max_attempts = section.attempts;
            NewJob { max_attempts, backoff, ..types::webhook_deliver(&delivery, user, at) }
        }
        _ => panic!("this test does not know how the product makes a job of the type {kind}"),
    }
}

#[test]
fn the_guide_lists_all_built_in_jobs_as_they_are() {
    let rows = rows();
    let tasks = MaintenanceSection::default().tasks();
    let concurrency = Concurrency::default();
    let mut kinds: Vec<&str> = types::BUILT_IN.to_vec();
    kinds.sort_unstable();
    assert_eq!(rows.keys().collect::<Vec<_>>(), kinds, "docs/operations.md has a row for each type");
    for (kind, row) in &rows {
        let task = tasks.iter().find(|task| task.name == kind);
        let job = made(kind, task.map(|task| task.every));
        let at_once = match &**kind {
            types::THUMBNAILS => "processes + 1".to_owned(),
            types::MEDIA_FACTS => concurrency.media_facts.to_string(),
            types::TEXT => concurrency.text.to_string(),
            types::WELCOME_MAIL | types::ACCOUNT_MAIL => concurrency.mail.to_string(),
            types::PURGE => concurrency.purge.to_string(),
            // they walk through all that somebody had
            types::ACCOUNT_ENDED | types::ACCOUNT_EXPORT | types::LINK_NOTICE => 1.to_string(),
            types::COPY => concurrency.copy.to_string(),
            types::WEBHOOK_DELIVER => WebhooksSection::default().concurrency.to_string(),
            _ => {
                let task = task.expect("the others are upkeep");
                UpkeepHandler::new(task.name, crate::files_double::nowhere()).concurrency().to_string()
            }
        };
        let [what, when, attempts, pauses, silent, places, settings] = &row[..] else {
            unreachable!("seven cells")
        };
        assert!(!what.is_empty() && !when.is_empty(), "{kind}");
        let expected = (job.max_attempts.to_string(), span(Duration::from_millis(job.ttl_ms)), at_once);
        assert_eq!((attempts, silent, places), (&expected.0, &expected.1, &expected.2), "{kind}");
        assert_eq!(*pauses, Pauses(job.backoff).to_string(), "{kind}");
        if let Some(task) = task {
            assert_eq!(*when, format!("every {}", span(task.every)), "{kind}");
            let is_named =
                |key: &str| settings.contains(&format!("FM_{}", key.to_uppercase().replace('.', "__")));
            assert!(MAINTENANCE_DOCS.iter().any(|doc| is_named(doc.key)), "{kind}: {settings}");
        }
    }
}

/// Each setting of the table changes its tasks, and no other one does.
#[test]
fn the_settings_of_upkeep_are_those_that_the_guide_names() {
    let second = runtime::settings::Span::from_secs(1);
    for (setting, section) in [
        ("FM_MAINTENANCE__EVERY", MaintenanceSection { every: second, ..Default::default() }),
        ("FM_MAINTENANCE__STRAYS_EVERY", MaintenanceSection { strays_every: second, ..Default::default() }),
        ("FM_MAINTENANCE__RECOUNT_EVERY", MaintenanceSection { recount_every: second, ..Default::default() }),
        ("FM_MAINTENANCE__SCRUB_EVERY", MaintenanceSection { scrub_every: second, ..Default::default() }),
    ] {
        for task in section.tasks() {
            let is_changed = task.every == second.duration();
            let row = &rows()[task.name];
            assert_eq!(row[6].contains(&format!("`{setting}`")), is_changed, "{}: {setting}", task.name);
        }
    }
}

/// Attempts, pauses, times to live and concurrency of built-in types were no settings.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_of_a_built_in_type_is_what_its_jobs_have() {
    let set = JobTypeSection {
        attempts: Some(2),
        backoff: Some("7s..9s".parse().unwrap()),
        timeout: Some(Span::from_secs(70)),
        concurrency: Some(3),
    };
    let section: JobsSection =
        ["thumbnails", "collect_blobs"].map(|name| (name.to_owned(), set.clone())).into();
    let mut world = World::new();
    world.settings.jobs = BuiltInJobs::of(&section).unwrap();
    world.settings.maintenance =
        vec![MaintenanceTask { name: types::COLLECT_BLOBS, every: Duration::from_secs(60) }];
    // by itself it works one at a time
    let hangs = Does::new(types::THUMBNAILS, 1, |_| Box::pin(std::future::pending()));
    let running = world.run(registry(&[&hangs]));
    let jobs: Vec<NewJob> = (0..4).map(|_| made(types::THUMBNAILS, None)).collect();
    let jobs: Vec<NewJob> = jobs.into_iter().map(|job| NewJob { id: world.ids.next(), ..job }).collect();
    let other = NewJob { id: world.ids.next(), ..made(types::PURGE, None) };
    world.submit(&[jobs.clone(), vec![other.clone()]].concat()).await;
    until_true("three at once", || hangs.runs() == 3).await;
    let backoff = Backoff::Exponential { delay_ms: 7000, max_delay_ms: 9000 };
    let is_set = |job: &NewJob| (job.max_attempts, job.backoff, job.ttl_ms) == (2, backoff, 70_000);
    let mut active = 0;
    for job in &jobs {
        let stored = world.job(job.id).await.unwrap();
        assert!(is_set(&stored.spec), "{:?}", stored.spec);
        active += u32::from(stored.state == JobState::Active);
    }
    assert_eq!(active, 3);
    assert_eq!(world.job(other.id).await.unwrap().spec, other, "of a type of which nothing is set");
    let (every, now) = (Duration::from_secs(60), world.clock.now());
    let next = types::upkeep(types::COLLECT_BLOBS, every, types::upkeep_period(every, now) + 1, now);
    let planned = until("the upkeep", || world.job(next.id)).await;
    assert!(is_set(&planned.spec), "{:?}", planned.spec);
    running.kill().await;
}
