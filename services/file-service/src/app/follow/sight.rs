//! What of an event among others' files may be told.

use common::files::{Action, ActivityOf, Actor, FileEvent, FileEventKind, MAX_DEPTH, NamedPlace};
use common::{FileId, PortResult, UserId};

use crate::app::activity::Sieve;
use crate::error::AppError;
use crate::state::FileService;

/// Events of a folder that are read at once, to see where it was.
const LOOK_BACK: u32 = 50;

/// What of an event among others' files `user` may be told now. Of what they see now it is what its history tells them; of what has left their sight, that it
/// left, if they saw then from where.
pub(super) async fn visible(
    service: &FileService,
    user: UserId,
    event: FileEvent,
) -> Result<Option<FileEvent>, AppError> {
    let (actor, see) = (Actor::User(user), Action::ReadMetadata);
    if let Some(node) = found(service.gate.decide(actor, see, event.node).await)? {
        return Ok(Sieve::over(&node).pass(event));
    }
    if event.kind == FileEventKind::Deleted {
        // what was in the trash had gone for them before, or never was there
        let of = ActivityOf::Node(event.node);
        let before = service.activity.list_activity(of, Some(event.seq), 1).await?;
        if before.first().is_some_and(|last| last.kind == FileEventKind::Trashed) {
            return Ok(None);
        }
    }
    // it has left what they see: from a folder of which they know
    let left = match event.kind {
        FileEventKind::Trashed | FileEventKind::Deleted => event.place.clone(),
        FileEventKind::Moved => event.before.clone().unwrap_or_else(|| event.place.clone()),
        _ => return Ok(None),
    };
    let Some(parent) = left.parent else { return Ok(None) };
    let Some(folder) = found(service.gate.decide(actor, see, parent).await)? else {
        return Ok(None);
    };
    // of which they knew when it left, too: what had gone before a folder was shared, or was moved to where it is, never was theirs to see
    let way = way_at(service, parent, event.seq).await?;
    if !service.gate.was_given_by(user, event.space, &way, event.at).await? {
        return Ok(None);
    }
    let is_moved = event.kind == FileEventKind::Moved;
    let gone = Sieve::over(&folder).of_what_left(FileEvent { place: left, before: None, ..event });
    Ok(gone.map(|gone| {
        if !is_moved {
            return gone;
        }
        // where it went is not theirs to know, nor what it is called there
        let place = NamedPlace { name: gone.place.name.clone(), parent: None };
        FileEvent { before: Some(gone.place), place, ..gone }
    }))
}

/// What is there for somebody.
fn found<T>(decided: Result<T, AppError>) -> Result<Option<T>, AppError> {
    match decided {
        Ok(node) => Ok(Some(node)),
        Err(AppError::Port(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// A folder, and those that it lay in when an event of this number happened, as far as they are still there.
async fn way_at(service: &FileService, folder: FileId, seq: u64) -> PortResult<Vec<FileId>> {
    let (mut way, mut from) = (Vec::new(), Some(folder));
    // the tree may change while this looks, but no way was ever longer
    while let Some(id) = from.take()
        && way.len() <= MAX_DEPTH
    {
        let Some(path) = service.store.find_path(id).await? else { break };
        let above = path.ancestors.iter().rev().map(|crumb| crumb.id);
        for id in [path.node.id].into_iter().chain(above) {
            way.push(id);
            from = left_since(service, id, seq).await?;
            if from.is_some() {
                break;
            }
        }
    }
    Ok(way)
}

/// The folder that something lay in when an event of this number happened, if that is another one now.
async fn left_since(service: &FileService, node: FileId, seq: u64) -> PortResult<Option<FileId>> {
    let (mut left, mut before) = (None, None);
    loop {
        let events = service.activity.list_activity(ActivityOf::Node(node), before, LOOK_BACK).await?;
        let is_last = events.len() < LOOK_BACK as usize;
        for event in events {
            if event.seq <= seq {
                return Ok(left);
            }
            before = Some(event.seq);
            let was = event.before.and_then(|was| was.parent);
            if was.is_some() && was != event.place.parent {
                left = was;
            }
        }
        if is_last {
            return Ok(left);
        }
    }
}
