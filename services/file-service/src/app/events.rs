//! What happened to files, for whoever follows it.

use common::files::internal::{FileEventsPlace, FileEventsQuestion, FileEventsTold};
use common::files::{ActivityOf, FileEventPage};
use common::{PortResult, SpaceId, Timestamp};

use crate::state::FileService;

/// Events of one place in an answer.
const PAGE: u32 = 50;
/// Events read at once while it is looked where to begin.
const LOOK: u32 = 100;

/// What happened to files of some accounts, for another service.
///
/// # Errors
/// Those of the store.
pub(crate) async fn told(service: &FileService, question: &FileEventsQuestion) -> PortResult<FileEventsTold> {
    let mut pages = Vec::with_capacity(question.places.len());
    for place in &question.places {
        pages.push(behind(service, place).await?);
    }
    Ok(FileEventsTold { pages })
}

async fn behind(service: &FileService, place: &FileEventsPlace) -> PortResult<FileEventPage> {
    let Some(space) = service.store.find_space_of(place.user).await? else {
        return Ok(FileEventPage { last: place.after.unwrap_or(0), ..FileEventPage::default() });
    };
    let after = match place.after {
        Some(after) => after,
        None => last_before(service, space.id, place.since).await?,
    };
    service.activity.events_after(space.id, after, PAGE).await
}

/// The number of the last event before a time: what came since is mostly little.
async fn last_before(service: &FileService, space: SpaceId, time: Timestamp) -> PortResult<u64> {
    // in this order: what happens meanwhile comes after it
    let mut last = service.activity.last_events(&[space]).await?.pop().unwrap_or(0);
    let mut before = Some(last + 1);
    loop {
        let found = service.activity.list_activity(ActivityOf::Space(space), before, LOOK).await?;
        for event in &found {
            if event.at < time {
                return Ok(event.seq);
            }
            last = event.seq - 1;
        }
        if found.len() < LOOK as usize {
            return Ok(last);
        }
        before = found.last().map(|event| event.seq);
    }
}
