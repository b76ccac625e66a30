//! All that is an account's, put together for its owner by a job: asked for here, kept here until it is fetched.

use std::time::Duration;

use common::auth::mail::AccountEvent;
use common::auth::{AuditAction, AuditFilter, Export, ExportEnd, NewExport, Principal, Role, TokenStore};
use common::files::internal::ExportPage;
use common::jobs::types::account_export;
use common::{AuditId, ExportId, PortResult, SessionId, Timestamp, UserId};
use serde_json::{Value, json};

use super::audit::Author;
use super::own_account::{self, AccountError};
use super::second_factor::{self, SecondFactor};
use super::{Client, mails};
use crate::AuthService;

/// How long a job has to put an export together. One that runs after that was left by its job: whoever asks gets another one.
const RUNNING_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Exports removed at once: with each go its parts.
const SWEEP_BATCH: u32 = 10;
/// What is listed at a time.
const PAGE: u32 = 200;

/// Has all that is the caller's, who has both the password and the second factor, put together. Where that is under way, it is that which is answered.
pub(crate) async fn ask(
    service: &AuthService,
    client: &Client,
    caller: &Principal,
    password: &str,
    factor: SecondFactor<'_>,
) -> Result<Export, AccountError> {
    let user = own_account::prove(service, client, caller, password).await?;
    let account = service.account_store.find_account(user.id).await?.ok_or(AccountError::Gone)?;
    second_factor::check(service, client, &account, factor).await?;
    let at = service.accounts.clock.now();
    let id = ExportId(service.accounts.ids.object_id());
    let export = NewExport { id, user: user.id, at, expires_at: at + RUNNING_FOR };
    let job = account_export(id, user.id, at).caused_by(&client.cause);
    let by = Author::of(caller, client);
    let line = service.audit_entry(&by, AuditAction::ExportAsked, Some(user.id.to_string()), Value::Null);
    let begun =
        service.admin.exports.begin_export(&export, &[job], &line).await?.ok_or(AccountError::Gone)?;
    if begun.id == id {
        metrics::counter!("fm_auth_exports_total", "what" => "asked").increment(1);
        tracing::info!(user = %user.id, export = %id, "an account is exported");
    }
    Ok(begun)
}

/// The export of an account, if its time is not over.
pub(crate) async fn find(service: &AuthService, user: UserId) -> PortResult<Option<Export>> {
    let now = service.accounts.clock.now();
    let found = service.admin.exports.find_export(user).await?;
    Ok(found.filter(|export| export.is_live(now)))
}

/// Ends an export, and tells its owner by mail if it can be fetched. False if it had ended, is gone, or a newer run of its job has begun.
pub(crate) async fn end(
    service: &AuthService,
    user: UserId,
    id: ExportId,
    end: &ExportEnd,
) -> PortResult<bool> {
    let Some(owner) = service.accounts.store.find_user(user).await? else { return Ok(false) };
    let at = service.accounts.clock.now();
    let expires_at = at + service.settings.accounts.keep_exports.duration();
    let (what, jobs) = match end {
        ExportEnd::Ready { .. } => {
            let client = Client { cause: http_kit::cause::current(), ..Client::default() };
            ("ready", mails::notice(service, &client, &owner, AccountEvent::ExportReady { expires_at }))
        }
        ExportEnd::Failed => ("failed", Vec::new()),
    };
    let ended = service.admin.exports.end_export(user, id, end, at, expires_at, &jobs).await?;
    if ended {
        metrics::counter!("fm_auth_exports_total", "what" => what).increment(1);
        tracing::info!(%user, export = %id, what, "the export of an account has ended");
    }
    Ok(ended)
}

/// Removes exports whose time is over; how many. Safe to repeat and to run in every replica.
pub(crate) async fn sweep(service: &AuthService) -> PortResult<u64> {
    let mut removed = 0;
    loop {
        let now = service.accounts.clock.now();
        let batch = service.admin.exports.remove_expired_exports(now, SWEEP_BATCH).await?;
        removed += u64::from(batch);
        if batch < SWEEP_BATCH {
            return Ok(removed);
        }
    }
}

/// Some of what is kept here of an account, without secrets; none for an unknown subject. What cannot be a cursor begins at the beginning.
pub(crate) async fn page(
    service: &AuthService,
    user: UserId,
    what: &str,
    cursor: Option<&str>,
) -> PortResult<Option<ExportPage>> {
    Ok(Some(match what {
        "profile" => whole(profile(service, user).await?),
        "sessions" => sessions(service, user, cursor).await?,
        "tokens" => whole(tokens(&*service.admin.tokens, user).await?),
        "groups" => groups(service, user, cursor).await?,
        "audit" => audit(service, user, cursor).await?,
        _ => return Ok(None),
    }))
}

fn whole(items: Vec<Value>) -> ExportPage {
    ExportPage { items, cursor: None }
}

async fn profile(service: &AuthService, user: UserId) -> PortResult<Vec<Value>> {
    let Some(account) = service.account_store.find_account(user).await? else { return Ok(Vec::new()) };
    let second_factor = account.totp.as_ref().and_then(|totp| totp.confirmed_at);
    Ok(vec![json!({
        "id": account.user.id,
        "email": account.user.address.as_str(),
        "name": account.name,
        "role": Role::word(account.user.role),
        "createdAt": account.user.created_at,
        "verifiedAt": account.verified_at,
        "secondFactorSince": second_factor,
        "preferences": account.preferences,
    })])
}

async fn sessions(service: &AuthService, user: UserId, cursor: Option<&str>) -> PortResult<ExportPage> {
    let before = cursor.and_then(|text| text.parse::<SessionId>().ok());
    let now = service.accounts.clock.now();
    let listed = service.account_store.list_sessions(user, before, PAGE, now).await?;
    let cursor =
        listed.last().filter(|_| listed.len() == PAGE as usize).map(|last| last.session.id.to_string());
    let item = |listed: &common::auth::ListedSession| {
        let session = &listed.session;
        json!({
            "id": session.id,
            "kind": session.kind.word(),
            "device": session.device,
            "address": session.address,
            "createdAt": session.created_at,
            "lastUsedAt": listed.last_used_at,
            "expiresAt": session.expires_at,
        })
    };
    Ok(ExportPage { items: listed.iter().map(item).collect(), cursor })
}

async fn tokens(store: &dyn TokenStore, user: UserId) -> PortResult<Vec<Value>> {
    let item = |token: common::auth::ApiToken| {
        json!({
            "id": token.id,
            "name": token.name,
            "scopes": token.scopes,
            "folder": token.folder,
            "createdAt": token.created_at,
            "lastUsedAt": token.last_used_at,
            "expiresAt": token.expires_at,
        })
    };
    Ok(store.list_tokens(user).await?.into_iter().map(item).collect())
}

async fn groups(service: &AuthService, user: UserId, cursor: Option<&str>) -> PortResult<ExportPage> {
    let before = cursor.and_then(|text| text.parse().ok());
    let page = service.admin.groups.list_groups(Some(user), before, PAGE).await?;
    let cursor = page.items.last().filter(|_| page.more).map(|last| last.id.to_string());
    // who else is in them is not the account's to take
    let item = |group: &common::auth::Group| json!({ "id": group.id, "name": group.name });
    Ok(ExportPage { items: page.items.iter().map(item).collect(), cursor })
}

/// What the account did, as the log tells it.
async fn audit(service: &AuthService, user: UserId, cursor: Option<&str>) -> PortResult<ExportPage> {
    let after = cursor.and_then(|text| {
        let (at, id) = text.split_once(' ')?;
        Some((Timestamp::from_millis(at.parse().ok()?), id.parse::<AuditId>().ok()?))
    });
    let filter = AuditFilter { actor: Some(user), ..AuditFilter::default() };
    let lines = service.admin.audit.list_audit(&filter, after, PAGE).await?;
    let cursor = lines
        .last()
        .filter(|_| lines.len() == PAGE as usize)
        .map(|last| format!("{} {}", last.at.millis(), last.id));
    let item = |line: &common::auth::AuditEntry| {
        json!({
            "at": line.at,
            "action": line.action.word(),
            "target": line.target,
            "address": line.address,
            "details": line.details,
        })
    };
    Ok(ExportPage { items: lines.iter().map(item).collect(), cursor })
}
