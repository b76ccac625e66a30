//! Webhooks as JSON.

use std::collections::BTreeSet;

use common::Code;
use common::Timestamp;
use common::auth::{Principal, Role};
use common::webhooks::{OffReason, SwitchedOff, Webhook as Stored, WebhookEvent as Event};
use egress::{Allowed, Place};
use http_kit::{ApiResult, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answers::wrong;

/// Where a program of the caller wants to be told what happens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook {
    /// Its id.
    id: String,
    /// Where messages go.
    #[schema(example = "https://example.org/hooks/files")]
    url: String,
    /// For people.
    description: String,
    /// What it is told of.
    #[schema(value_type = Vec<WebhookEvent>)]
    events: Vec<Event>,
    /// It is told of everybody's jobs.
    all_jobs: bool,
    /// It is told at all.
    active: bool,
    /// Why it is not, if so.
    #[schema(required)]
    off: Option<Off>,
    /// Since when every attempt has failed; null if the last one did not.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    failing_since: Option<Timestamp>,
    /// How many those are.
    failures: u32,
    /// Until then messages are signed with the secret before, too; null if none was replaced lately.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    previous_secret_until: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// That a webhook is told nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookOff)]
pub(super) struct Off {
    /// Why.
    #[schema(value_type = WebhookOffReason)]
    reason: OffReason,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// What a webhook can be told of.
#[derive(ToSchema, Serialize)]
#[expect(dead_code, reason = "documents the words of the domain's type, which knows no HTTP")]
pub(super) enum WebhookEvent {
    /// A test; nobody chooses it.
    #[serde(rename = "ping")]
    Ping,
    /// A job is done.
    #[serde(rename = "job.complete")]
    JobComplete,
    /// A job is given up.
    #[serde(rename = "job.failed")]
    JobFailed,
    /// A file or folder was made.
    #[serde(rename = "file.created")]
    FileCreated,
    /// A file got other content.
    #[serde(rename = "file.updated")]
    FileUpdated,
    /// It got another name, or folder.
    #[serde(rename = "file.moved")]
    FileMoved,
    /// It went to the trash.
    #[serde(rename = "file.trashed")]
    FileTrashed,
    /// It came back from there.
    #[serde(rename = "file.restored")]
    FileRestored,
    /// It was deleted for good.
    #[serde(rename = "file.deleted")]
    FileDeleted,
    /// Somebody was given a right to it.
    #[serde(rename = "file.shared")]
    FileShared,
}

/// Why a webhook is told nothing.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "documents the words of the domain's type, which knows no HTTP")]
pub(super) enum WebhookOffReason {
    /// Its owner wants it so.
    Owner,
    /// All attempts have failed for long.
    Failing,
    /// It answered 410.
    Gone,
    /// It is told of all jobs, and its owner is no administrator any more.
    NotAdministrator,
}

impl Webhook {
    /// As it is at this time.
    pub(super) fn of(stored: Stored, now: Timestamp) -> Self {
        let previous = stored.previous_secret.map(|previous| previous.until).filter(|until| *until > now);
        Self {
            id: stored.id.to_string(),
            url: stored.url,
            description: stored.description,
            events: stored.events,
            all_jobs: stored.all_jobs,
            active: stored.off.is_none(),
            off: stored.off.map(|off| Off { reason: off.why, at: off.at }),
            failing_since: stored.failing_since,
            failures: stored.failures,
            previous_secret_until: previous,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

/// A webhook to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WebhookRequest {
    /// Where messages go: `http` or `https`, at most 2048 bytes, without a user or password. Addresses of private networks are refused.
    pub(super) url: String,
    /// What it is told of: `job.complete`, `job.failed`; of the files that are the caller's own, `file.created`, `file.updated`, `file.moved`, `file.trashed`,
    /// `file.restored`, `file.deleted`, `file.shared`.
    pub(super) events: Vec<String>,
    /// For people: at most 500 bytes.
    #[serde(default)]
    pub(super) description: String,
    /// It is told of everybody's jobs: for administrators.
    #[serde(default)]
    pub(super) all_jobs: bool,
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WebhookPatch {
    /// As when it is made.
    url: Option<String>,
    /// As when it is made.
    events: Option<Vec<String>>,
    /// As when it is made.
    description: Option<String>,
    /// As when it is made.
    all_jobs: Option<bool>,
    /// Switches it off, or on again. One that is switched on begins anew: its failures are forgotten.
    active: Option<bool>,
}

impl WebhookPatch {
    /// The webhook with the changes.
    ///
    /// # Errors
    /// `invalid_request`, `forbidden`.
    pub(super) fn apply(
        &self,
        mut webhook: Stored,
        caller: &Principal,
        allowed: &Allowed,
        now: Timestamp,
    ) -> ApiResult<Stored> {
        if let Some(wanted) = &self.url {
            webhook.url = url(wanted, allowed)?;
        }
        if let Some(wanted) = &self.events {
            webhook.events = events(wanted)?;
        }
        if let Some(wanted) = &self.description {
            webhook.description = description(wanted)?;
        }
        if let Some(wanted) = self.all_jobs {
            webhook.all_jobs = wanted;
        }
        match self.active {
            Some(true) => {
                webhook.off = None;
                webhook.failing_since = None;
                webhook.failures = 0;
            }
            Some(false) if webhook.off.is_none() => {
                webhook.off = Some(SwitchedOff { why: OffReason::Owner, at: now });
            }
            _ => {}
        }
        let would_tell_all = webhook.all_jobs && (webhook.off.is_none() || self.all_jobs == Some(true));
        may_tell_all(would_tell_all, caller)?;
        Ok(Stored { updated_at: now, ..webhook })
    }
}

/// Only administrators are told of everybody's jobs.
pub(super) fn may_tell_all(all_jobs: bool, caller: &Principal) -> ApiResult<()> {
    if all_jobs && caller.role != Role::Admin {
        return Err(Problem::new(Code::Forbidden).detail("Only administrators are told of everybody's jobs"));
    }
    Ok(())
}

pub(super) fn url(wanted: &str, allowed: &Allowed) -> ApiResult<String> {
    let place = Place::parse(wanted, allowed).map_err(|error| wrong("/url", error.to_string()))?;
    Ok(place.as_str().to_owned())
}

pub(super) fn events(wanted: &[String]) -> ApiResult<Vec<Event>> {
    let mut events = BTreeSet::new();
    for (index, word) in wanted.iter().enumerate() {
        let event = Event::CHOICE.into_iter().find(|event| event.word() == word);
        events.insert(event.ok_or_else(|| {
            let choice = Event::CHOICE.map(Event::word).join(", ");
            wrong(&format!("/events/{index}"), format!("A webhook is told of {choice}"))
        })?);
    }
    if events.is_empty() {
        return Err(wrong("/events", "A webhook is told of at least one event"));
    }
    Ok(events.into_iter().collect())
}

pub(super) fn description(wanted: &str) -> ApiResult<String> {
    if wanted.len() > Stored::MAX_DESCRIPTION_BYTES || wanted.chars().any(char::is_control) {
        return Err(wrong("/description", "A description has at most 500 bytes, and no control characters"));
    }
    Ok(wanted.to_owned())
}
