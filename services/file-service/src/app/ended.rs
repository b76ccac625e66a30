//! What is left of an account that is gone, removed in short steps that may be repeated and may run twice at once.

use std::sync::Arc;

use common::files::internal::StepDone;
use common::files::{AccessOf, SharesOf};
use common::{FileId, SpaceId, UserId};

use super::budget::Budget;
use super::resumable;
use crate::error::AppError;
use crate::state::FileService;

/// Rows in one commit: few enough that uploads need not wait long for theirs.
const ROWS: u32 = 200;
/// Operations forgotten in one commit: each has up to a thousand parts.
const OPERATIONS: u32 = 5;
/// Shares, links and uploads looked at in one step.
const PAGE: u32 = 50;

/// Removes some of what is left: first everything becomes invisible, then it goes. The account's files with their versions, and with what opened them; what
/// opens files of others because of it: shares that it was given or gave, links that it made; its uploads. The space itself goes a day later, with its
/// tombstone ([`super::maintenance`]): until then a request that was on its way finds nothing to write to.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn step(service: &Arc<FileService>, user: UserId) -> Result<StepDone, AppError> {
    let now = service.clock.now();
    // one that was never used is made to be ended, so that what was on its way does not make it afterwards
    let fresh = (SpaceId(service.ids.object_id()), FileId(service.ids.object_id()));
    let space = service.store.ensure_space(user, fresh, service.settings.default_quota_bytes, now).await?;
    service.store.end_space(space.id, now).await?;

    let (mut changed, mut left) = (0, false);
    let budget = Budget::begin(&*service.clock);
    for of in [SharesOf::Giver(space.id, user), SharesOf::Receiver(user, Vec::new())] {
        let shares = service.shares.list_shares(&of, None, PAGE).await?;
        left |= shares.len() == PAGE as usize;
        for share in shares {
            changed += u64::from(service.shares.remove_share(share.id, None, now).await?);
            if budget.is_spent() {
                return Ok(StepDone { changed, ..StepDone::default() });
            }
        }
    }
    let links = service.links.list_links(&AccessOf::Maker(space.id, user), None, PAGE).await?;
    left |= links.len() == PAGE as usize;
    for link in links {
        changed += u64::from(service.links.remove_link(link.id, None, now).await?);
        resumable::end_by_link(service, link.id);
        if budget.is_spent() {
            return Ok(StepDone { changed, ..StepDone::default() });
        }
    }
    let forgotten = service.journal.forget_operations(user, OPERATIONS).await?;
    (changed, left) = (changed + u64::from(forgotten), left | (forgotten == OPERATIONS));
    let forgotten = service.activity.forget_activity(space.id, ROWS).await?;
    (changed, left) = (changed + u64::from(forgotten), left | (forgotten == ROWS));
    let (ended, more) = resumable::end_all(service, user, PAGE).await?;
    (changed, left) = (changed + ended, left | more);

    let purged =
        service.store.purge(space.root, ROWS, now, now - service.settings.tombstone_retention).await?;
    changed += u64::from(purged.removed);
    Ok(StepDone { done: purged.done && !left, changed, ..StepDone::default() })
}
