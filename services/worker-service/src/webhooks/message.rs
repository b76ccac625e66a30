//! What is sent to webhooks.

use common::files::FileEvent;
use common::jobs::{Backoff, JobEvent, JobEventKind, NewJob, Priority, short_error, types};
use common::webhooks::{Delivery, DeliveryState, Webhook, WebhookEvent};
use common::{DeliveryId, ObjectId, Timestamp};
use serde_json::{Value, json};

use super::{WebhookSettings, cut};

/// Most bytes of a job's result in a message. Whoever wants more asks for the job.
const MAX_RESULT_BYTES: usize = 16 * 1024;
/// Most bytes of a job's error in a message.
const MAX_ERROR_BYTES: usize = 4096;

/// What webhooks call an event of jobs.
pub(super) fn event_of(event: &JobEvent) -> Option<WebhookEvent> {
    match event.event {
        JobEventKind::Complete => Some(WebhookEvent::JobComplete),
        JobEventKind::Failed => Some(WebhookEvent::JobFailed),
        _ => None,
    }
}

/// The message of an event to a webhook: the same, with the same id, whoever makes it.
pub(super) fn of_job(webhook: &Webhook, told: WebhookEvent, event: &JobEvent, now: Timestamp) -> Delivery {
    let id = format!("delivery {} {} {} {}", webhook.id, event.seq, event.job, event.at.millis());
    let mut data = json!({ "jobId": event.job, "jobType": event.kind, "userId": event.user });
    let more = event.data.as_ref();
    let member = |name: &str| more.and_then(|more| more.get(name)).cloned().unwrap_or(Value::Null);
    if told == WebhookEvent::JobComplete {
        let result = member("result");
        if result.to_string().len() > MAX_RESULT_BYTES {
            data["resultOmitted"] = true.into();
        } else {
            data["result"] = result;
        }
    } else {
        // stacks are for administrators, who alone are told of all jobs
        let told = |error: &str| {
            if webhook.all_jobs { cut(error, MAX_ERROR_BYTES).to_owned() } else { short_error(error) }
        };
        data["error"] = member("error").as_str().map(told).into();
        data["attempt"] = member("attempt");
    }
    let id = DeliveryId(ObjectId::named(&id));
    delivery(id, webhook, told, &body(told, event.at, &data), now)
}

/// The message of something that happened to a file: the same, with the same id, whoever makes it.
pub(super) fn of_file(webhook: &Webhook, told: WebhookEvent, event: &FileEvent, now: Timestamp) -> Delivery {
    let id = format!("delivery {} {}", webhook.id, event.id());
    let before = event.before.as_ref();
    let data = json!({
        "eventId": event.id(),
        "change": event.kind.word(),
        "fileId": event.node,
        "fileType": if event.folder { "folder" } else { "file" },
        "name": event.place.name,
        "parentId": event.place.parent,
        "oldName": before.map(|before| &before.name),
        "oldParentId": before.and_then(|before| before.parent),
        "userId": event.user,
        "linkId": event.link,
    });
    delivery(DeliveryId(ObjectId::named(&id)), webhook, told, &body(told, event.at, &data), now)
}

/// A test message.
pub(crate) fn ping(id: DeliveryId, webhook: &Webhook, now: Timestamp) -> Delivery {
    let data = json!({ "webhookId": webhook.id });
    delivery(id, webhook, WebhookEvent::Ping, &body(WebhookEvent::Ping, now, &data), now)
}

/// `type`, `timestamp` and `data`, as the specification of Standard Webhooks recommends.
fn body(event: WebhookEvent, at: Timestamp, data: &Value) -> Value {
    json!({ "type": event.word(), "timestamp": at, "data": data })
}

fn delivery(
    id: DeliveryId,
    webhook: &Webhook,
    event: WebhookEvent,
    body: &Value,
    now: Timestamp,
) -> Delivery {
    Delivery {
        id,
        webhook: webhook.id,
        event,
        body: body.to_string(),
        created_at: now,
        state: DeliveryState::Pending,
        attempts: Vec::new(),
        finished_at: None,
    }
}

/// The job that delivers a message. A test is tried once, and only one of a webhook at a time.
pub(crate) fn delivery_job(
    delivery: &Delivery,
    webhook: &Webhook,
    settings: &WebhookSettings,
    now: Timestamp,
) -> NewJob {
    let job = types::webhook_deliver(delivery, webhook.user, now);
    if delivery.event == WebhookEvent::Ping {
        return NewJob {
            priority: Priority::HIGH,
            max_attempts: 1,
            unique_key: Some(format!("{}{}", types::PING_KEY, webhook.id)),
            ..job
        };
    }
    let ms = |pause: std::time::Duration| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    NewJob {
        max_attempts: settings.attempts,
        backoff: Backoff::Exponential {
            delay_ms: ms(settings.first_pause),
            max_delay_ms: ms(settings.longest_pause),
        },
        ttl_ms: ms(settings.ttl),
        ..job
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::{JobId, UserId, WebhookId};

    use super::*;

    fn webhook(byte: u8) -> Webhook {
        Webhook {
            id: WebhookId::from_bytes([byte; 12]),
            user: UserId::from_bytes([9; 12]),
            url: "https://example.org/".to_owned(),
            description: String::new(),
            events: WebhookEvent::CHOICE.to_vec(),
            all_jobs: false,
            secret: Vec::new(),
            previous_secret: None,
            off: None,
            failing_since: None,
            failures: 0,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            revision: 1,
        }
    }

    fn event(seq: u64, event: JobEventKind, data: Value) -> JobEvent {
        JobEvent {
            seq,
            at: Timestamp::from_millis(1000),
            job: JobId::from_bytes([7; 12]),
            kind: "report".to_owned(),
            user: Some(UserId::from_bytes([9; 12])),
            event,
            data: Some(data),
        }
    }

    #[test]
    fn a_message_says_what_happened_and_has_one_id() {
        let now = Timestamp::from_millis(2000);
        let done = event(3, JobEventKind::Complete, json!({ "result": { "pages": 2 } }));
        let told = event_of(&done).unwrap();
        let one = of_job(&webhook(1), told, &done, now);
        assert_eq!(
            serde_json::from_str::<Value>(&one.body).unwrap(),
            json!({
                "type": "job.complete", "timestamp": "1970-01-01T00:00:01.000Z",
                "data": {
                    "jobId": "07".repeat(12), "jobType": "report", "userId": "09".repeat(12),
                    "result": { "pages": 2 },
                },
            })
        );
        assert_eq!(of_job(&webhook(1), told, &done, now + Duration::from_secs(1)).id, one.id);
        assert_ne!(of_job(&webhook(2), told, &done, now).id, one.id);
        let later = JobEvent { seq: 4, ..done.clone() };
        assert_ne!(of_job(&webhook(1), told, &later, now).id, one.id);
        let failed = event(5, JobEventKind::Failed, json!({ "error": "no", "attempt": 2 }));
        let failed = of_job(&webhook(1), event_of(&failed).unwrap(), &failed, now);
        let data = serde_json::from_str::<Value>(&failed.body).unwrap()["data"].take();
        assert_eq!((&data["error"], &data["attempt"]), (&json!("no"), &json!(2)));
        let stack =
            event(8, JobEventKind::Failed, json!({ "error": "app.Jam: no\n  at /srv/x", "attempt": 1 }));
        let error = |webhook: &Webhook| {
            let delivery = of_job(webhook, WebhookEvent::JobFailed, &stack, now);
            serde_json::from_str::<Value>(&delivery.body).unwrap()["data"]["error"].take()
        };
        assert_eq!(error(&webhook(1)), "Jam: no");
        assert_eq!(error(&Webhook { all_jobs: true, ..webhook(1) }), "app.Jam: no\n  at /srv/x");
        let long = event(6, JobEventKind::Complete, json!({ "result": "x".repeat(MAX_RESULT_BYTES) }));
        let long = of_job(&webhook(1), told, &long, now);
        assert!(long.body.contains("\"resultOmitted\":true") && long.body.len() < 1000);
        assert_eq!(event_of(&event(7, JobEventKind::Cancel, Value::Null)), None);
    }

    #[test]
    fn a_message_is_tried_for_most_of_a_day_and_no_longer_than_anybody_looks() {
        let (hook, settings) = (webhook(1), WebhookSettings::default());
        let now = Timestamp::default();
        let done = event(3, JobEventKind::Complete, Value::Null);
        let delivery = of_job(&hook, WebhookEvent::JobComplete, &done, now);
        let job = delivery_job(&delivery, &hook, &settings, now);
        job.check().unwrap();
        assert_eq!((job.id, job.user), (delivery.job(), Some(hook.user)));
        let pauses: Duration = (1..job.max_attempts).map(|made| job.backoff.delay(made, 0.0)).sum();
        assert!(
            (Duration::from_secs(16 * 3600)..Duration::from_secs(23 * 3600)).contains(&pauses),
            "{pauses:?}"
        );
    }
}
