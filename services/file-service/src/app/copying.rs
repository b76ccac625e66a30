//! Copies: no bytes move, since copies share their contents.
//!
//! A file is copied by one commit. A folder is copied in steps, by the process that was asked for it while a request would wait, and then by a job; what is
//! done and what is left stands in the store, so that a copy goes on after a crash where it was. It grows where it will be. If it cannot be completed, what
//! there is of it goes to the trash: others may have put something of theirs into it. Whoever asks for the copy of a large folder does not wait for it.

use std::sync::Arc;
use std::time::Duration;

use common::files::internal::StepDone;
use common::files::{
    Action, Actor, Commit, CommitTarget, Committed, Content, CopyItem, CopyOperation, CopyState, Kind,
    NewContent, NewCopy, NewFile, NewFolder, Node, NodeError, NodeName, OnConflict, ThumbnailState,
};
use common::jobs::{Cause, NewJob, types};
use common::{Code, FileId, JobId, OperationId, PortError, UserId, allowance};
use http_kit::cause;
use runtime::crash_point;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::access::Authorized;
use super::upload;
use crate::error::AppError;
use crate::state::FileService;

/// Rows in one commit: few enough that uploads need not wait long for theirs.
const ROWS: u32 = 200;

/// How often a name is looked up again after somebody else was faster.
const RACES: usize = 5;

/// What came of a copy.
pub(crate) enum Outcome {
    /// It is complete.
    Copied(Box<Committed>),
    /// A job goes on with it.
    Running(CopyOperation),
}

/// Copies a file or folder (action: read content) into `parent` (action: add a child), under its own name or another. For so long as `patience` says it is
/// waited for the copy of a folder, unless more is in it than a request waits for.
///
/// # Errors
/// `name_taken`, also where a folder would have to be replaced; `would_make_cycle` for a folder that would come to lie in itself; `quota_exceeded`;
/// `parent_not_found`, `too_deep`, `root_is_fixed`; `conflict` if others are quicker again and again.
pub(crate) async fn copy(
    service: &Arc<FileService>,
    source: &Authorized,
    parent: &Authorized,
    name: Option<&NodeName>,
    on_conflict: OnConflict,
    patience: Duration,
) -> Result<Outcome, AppError> {
    debug_assert_eq!((source.action(), parent.action()), (Action::ReadContent, Action::AddChild));
    if source.node().is_root() {
        return Err(AppError::refused(Code::RootIsFixed));
    }
    let name = name.unwrap_or(&source.node().name);
    match &source.node().content {
        Some(content) => {
            let committed = copy_file(service, (source, content), parent, name, on_conflict).await?;
            Ok(Outcome::Copied(Box::new(committed)))
        }
        None => copy_folder(service, source, parent, (name, on_conflict), patience).await,
    }
}

async fn copy_file(
    service: &FileService,
    (source, content): (&Authorized, &Content),
    parent: &Authorized,
    name: &NodeName,
    on_conflict: OnConflict,
) -> Result<Committed, AppError> {
    let cause = cause::current();
    for _ in 0..RACES {
        let id = FileId(service.ids.object_id());
        let (file, target) = match upload::child_target(service, parent, name, on_conflict, id).await? {
            CommitTarget::New(new) => {
                (id, CommitTarget::New(NewFile { tags: source.node().tags.clone(), ..new }))
            }
            existing @ CommitTarget::Existing { id, .. } => (id, existing),
        };
        let commit = Commit {
            target,
            content: NewContent::shared(content),
            by: parent.by(),
            via: parent.doer().link,
            at: service.clock.now(),
            reservation: None,
            jobs: jobs_for(
                service,
                (parent.node().owner, file),
                (content, source.space() != parent.space()),
                &cause,
            ),
        };
        match service.store.commit_upload(&commit).await {
            // somebody took the name, or removed the file, since it was looked up
            Err(NodeError::NameTaken { .. } | NodeError::NotFound) if on_conflict == OnConflict::Replace => {}
            committed => return Ok(committed?),
        }
    }
    Err(AppError::refused(Code::Conflict))
}

/// What is still to be found out about a content is found out for whichever file is left. Its text is read anew only `with_text`: a space that has the content
/// has its text.
pub(super) fn jobs_for(
    service: &FileService,
    (owner, file): (UserId, FileId),
    (content, with_text): (&Content, bool),
    cause: &Cause,
) -> Vec<NewJob> {
    let (id, at) = (|| JobId(service.ids.object_id()), service.clock.now());
    let known = (content.blob, content.size);
    let job = match content.thumbnails {
        ThumbnailState::Pending => Some(types::thumbnails(id(), owner, file, content.blob, at)),
        ThumbnailState::None if content.media.is_none() && media_facts::supports(&content.mime) => {
            Some(types::media_facts(id(), owner, file, known, at))
        }
        _ => None,
    };
    let has_text = with_text && content.size > 0 && texts::supports(&content.mime);
    let text = has_text.then(|| types::text(id(), owner, file, known, &content.mime, at));
    job.into_iter().chain(text).map(|job| job.caused_by(cause)).collect()
}

async fn copy_folder(
    service: &Arc<FileService>,
    source: &Authorized,
    parent: &Authorized,
    (name, on_conflict): (&NodeName, OnConflict),
    patience: Duration,
) -> Result<Outcome, AppError> {
    let Start { is_awaited, patience, turn } = Start::of(service, source.id(), patience).await?;
    let (id, at) = (OperationId(service.ids.object_id()), service.clock.now());
    let job = types::copy(JobId(service.ids.object_id()), id, source.by(), at + patience, at);
    let new = NewCopy {
        id,
        source: source.id(),
        folder: NewFolder {
            id: FileId(service.ids.object_id()),
            parent: parent.id(),
            name: name.clone(),
            rename_if_taken: on_conflict == OnConflict::Rename,
            classic_type: None,
            public: false,
            by: source.by(),
            via: source.doer().link,
            at,
        },
        tags: source.node().tags.clone(),
        within: match source.actor() {
            Actor::UserWithin { folder, .. } => Some(folder),
            _ => None,
        },
        jobs: vec![job.caused_by(&cause::current())],
    };
    let made = service.copies.begin_copy(&new).await?;
    if !is_awaited {
        if let Some(turn) = turn {
            service.background.spawn(go_on(Arc::clone(service), id, patience, Some(turn)));
        }
        return Ok(Outcome::Running(begun(&new, &made)));
    }
    let work = service.background.spawn(go_on(Arc::clone(service), id, patience, None));
    if let Ok(Err(broken)) = allowance::wait(patience, work).await {
        return Err(PortError::broken("files", broken).into());
    }
    outcome(service, id, made).await
}

/// Who works at a copy that begins, before its job does.
struct Start {
    /// A request, which waits for it.
    is_awaited: bool,
    /// For how long.
    patience: Duration,
    /// Whoever asked has been answered, and this process works at it.
    turn: Option<OwnedSemaphorePermit>,
}

impl Start {
    /// A request that has patience waits for a small folder, which may grow meanwhile. A large one is worked at all the same, but only some of them at a
    /// time, since nobody's waiting bounds how many there are; the others are left to their jobs from the start.
    async fn of(service: &FileService, folder: FileId, patience: Duration) -> Result<Self, AppError> {
        let by_its_job = Self { is_awaited: false, patience: Duration::ZERO, turn: None };
        if patience.is_zero() {
            return Ok(by_its_job);
        }
        if !service.copies.is_larger_than(folder, service.settings.copy_awaited_entries).await? {
            return Ok(Self { is_awaited: true, patience, turn: None });
        }
        Ok(match Arc::clone(&service.copy_turns).try_acquire_owned() {
            Ok(turn) => Self { is_awaited: false, patience, turn: Some(turn) },
            Err(_) => by_its_job,
        })
    }
}

/// Works at a copy until it has ended, or for so long. What is left then is its job's.
async fn go_on(
    service: Arc<FileService>,
    id: OperationId,
    patience: Duration,
    _turn: Option<OwnedSemaphorePermit>,
) {
    let began = Instant::now();
    while began.elapsed() < patience {
        match step(&service, id).await {
            Ok(StepDone { done: true, .. }) => return,
            Ok(_) => {}
            Err(error) => {
                // the job tries again
                tracing::warn!(operation = %id, %error, "a copy is left to its job");
                return;
            }
        }
    }
}

/// A copy as it was when it began, of which nobody knows more yet.
fn begun(copy: &NewCopy, made: &Node) -> CopyOperation {
    CopyOperation {
        id: copy.id,
        user: copy.folder.by,
        within: copy.within,
        source: copy.source,
        root: made.id,
        state: CopyState::Running,
        nodes: 1,
        bytes: 0,
        at: copy.folder.at,
        ended_at: None,
    }
}

/// How a copy that a request has just begun stands.
async fn outcome(service: &FileService, id: OperationId, made: Node) -> Result<Outcome, AppError> {
    let operation = service.copies.find_copy(id).await?.ok_or_else(|| AppError::refused(Code::NotFound))?;
    match operation.state {
        CopyState::Running => Ok(Outcome::Running(operation)),
        CopyState::Done => {
            let node = service.store.find_path(operation.root).await?.map_or(made, |path| path.node);
            Ok(Outcome::Copied(Box::new(Committed { node, created: true })))
        }
        CopyState::Failed(code) => Err(AppError::refused(code)),
    }
}

/// Goes on with a copy: one commit. Done also when it has failed, or is unknown. Safe to repeat, and to run twice at once. What is copied, and where it goes
/// to, must be open to who began it as it was then.
///
/// # Errors
/// `unavailable` and the like.
pub(crate) async fn step(service: &FileService, id: OperationId) -> Result<StepDone, AppError> {
    const DONE: StepDone =
        StepDone { done: true, cursor: None, changed: 0, percent: None, read_bytes: 0, findings: Vec::new() };
    let operation = service.copies.find_copy(id).await?;
    let Some(operation) = operation.filter(|operation| operation.state == CopyState::Running) else {
        return Ok(DONE);
    };
    let Some(front) = service.copies.copy_front(id).await? else {
        service.copies.end_copy(id, CopyState::Done, service.clock.now()).await?;
        return Ok(DONE);
    };
    let actor = match operation.within {
        Some(folder) => Actor::UserWithin { user: operation.user, folder },
        None => Actor::User(operation.user),
    };
    let source = open(service, actor, Action::ReadContent, front.source).await?;
    if let Err(code) = source.and_then(|folder| still_below(&folder, operation.source)) {
        if front.source == operation.source {
            return fail(service, &operation, code).await.map(|()| DONE);
        }
        // a part of it that was moved, trashed or closed meanwhile is left out
        let left_out = service.copies.copy_page(id, &front, &[], false, service.clock.now()).await;
        return Ok(StepDone { changed: u64::from(left_out.is_ok()), ..StepDone::default() });
    }
    if let Err(code) = open(service, actor, Action::AddChild, front.target).await? {
        let code = if code == Code::NotFound { Code::ParentNotFound } else { code };
        return fail(service, &operation, code).await.map(|()| DONE);
    }
    let nodes = service.copies.list_to_copy(&operation, &front, ROWS).await?;
    let more = nodes.len() >= ROWS as usize;
    let items = items(service, front.target, nodes).await?;
    let copied = items.len() as u64;
    match service.copies.copy_page(id, &front, &items, more, service.clock.now()).await {
        Ok(true) => {
            crash_point("copy.after-page");
            // an empty folder was looked at, too
            Ok(StepDone { changed: copied.max(1), ..StepDone::default() })
        }
        Ok(false) => Ok(StepDone::default()),
        Err(NodeError::Port(error)) => Err(error.into()),
        Err(error) => fail(service, &operation, AppError::from(error).code()).await.map(|()| DONE),
    }
}

/// Ends a copy whose job is over, with this reason. One that has nothing left to copy is done; one that has ended, or is unknown, stays as it is. Safe to
/// repeat.
///
/// # Errors
/// `unavailable` and the like.
pub(crate) async fn give_up(service: &FileService, id: OperationId, code: Code) -> Result<(), AppError> {
    let operation = service.copies.find_copy(id).await?;
    let Some(operation) = operation.filter(|operation| operation.state == CopyState::Running) else {
        return Ok(());
    };
    if service.copies.copy_front(id).await?.is_none() {
        service.copies.end_copy(id, CopyState::Done, service.clock.now()).await?;
        return Ok(());
    }
    fail(service, &operation, code).await
}

/// The copies to be made of these nodes.
async fn items(service: &FileService, target: FileId, nodes: Vec<Node>) -> Result<Vec<CopyItem>, AppError> {
    let gone = || AppError::refused(Code::ParentNotFound);
    let target = service.store.find_path(target).await?.ok_or_else(gone)?.node;
    let cause = cause::current();
    let item = |source: Node| {
        let id = FileId(service.ids.object_id());
        let jobs = match &source.content {
            Some(content) if source.kind == Kind::File => {
                jobs_for(service, (target.owner, id), (content, source.space != target.space), &cause)
            }
            _ => Vec::new(),
        };
        CopyItem { id, source, jobs }
    };
    Ok(nodes.into_iter().map(item).collect())
}

/// A node to which `actor` may do this, or why they may not, or may not any more.
async fn open(
    service: &FileService,
    actor: Actor,
    action: Action,
    id: FileId,
) -> Result<Result<Authorized, Code>, AppError> {
    match service.gate.decide(actor, action, id).await.and_then(Authorized::live) {
        Ok(node) => Ok(Ok(node)),
        Err(AppError::Port(error)) => Err(error.into()),
        Err(error) => Ok(Err(error.code())),
    }
}

/// Whether a folder is the one that is copied, or lies below it: it may have been moved away since it was noted.
fn still_below(folder: &Authorized, copied: FileId) -> Result<(), Code> {
    let is_below = folder.path().ancestors.iter().any(|crumb| crumb.id == copied);
    if is_below || folder.id() == copied { Ok(()) } else { Err(Code::NotFound) }
}

async fn fail(service: &FileService, operation: &CopyOperation, code: Code) -> Result<(), AppError> {
    let now = service.clock.now();
    match service.store.trash(operation.root, None, operation.user, now).await {
        // it is in the trash already, or gone
        Ok(_) | Err(NodeError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    service.copies.end_copy(operation.id, CopyState::Failed(code), now).await?;
    Ok(())
}
