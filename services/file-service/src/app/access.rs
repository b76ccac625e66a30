//! The only way from a request to a node.

use common::files::{Action, Actor, Decision, Kind, Node, NodePath, decide};
use common::{Code, FileId, SpaceId, UserId};

use crate::error::AppError;
use crate::state::FileService;

/// Which node a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The caller's own root folder, which is made on first use.
    Root,
    /// The node with this id.
    Node(FileId),
}

impl From<FileId> for Target {
    fn from(id: FileId) -> Self {
        Self::Node(id)
    }
}

/// A node on which the caller may do one thing. Only [`authorize`] makes one, so a use case that takes it needs no check of its own.
#[derive(Debug, Clone)]
pub(crate) struct Authorized {
    path: NodePath,
    actor: Actor,
    action: Action,
}

impl Authorized {
    /// The node, as it was when the decision was made.
    pub(crate) fn node(&self) -> &Node {
        &self.path.node
    }

    /// The node's id.
    pub(crate) fn id(&self) -> FileId {
        self.path.node.id
    }

    /// The node and the way to it.
    pub(crate) fn path(&self) -> &NodePath {
        &self.path
    }

    /// The tree that it is in.
    pub(crate) fn space(&self) -> SpaceId {
        self.path.node.space
    }

    /// What was allowed.
    pub(crate) fn action(&self) -> Action {
        self.action
    }

    /// To whom.
    pub(crate) fn actor(&self) -> Actor {
        self.actor
    }

    /// In whose name a change is made: the caller's, or the owner's where a service acts.
    pub(crate) fn by(&self) -> UserId {
        match self.actor {
            Actor::User(user) | Actor::UserWithin { user, .. } => user,
            Actor::Anonymous | Actor::Service => self.path.node.owner,
        }
    }

    /// In the trash, by itself or because of a folder above it.
    pub(crate) fn in_trash(&self) -> bool {
        self.path.in_trash()
    }

    /// The same node, unless it is in the trash: most calls do not know what is there.
    ///
    /// # Errors
    /// `not_found`.
    pub(crate) fn live(self) -> Result<Self, AppError> {
        if self.in_trash() { Err(AppError::refused(Code::NotFound)) } else { Ok(self) }
    }

    /// The same node, if it is a folder.
    ///
    /// # Errors
    /// `not_a_folder`.
    pub(crate) fn folder(self) -> Result<Self, AppError> {
        if self.node().kind == Kind::Folder { Ok(self) } else { Err(AppError::refused(Code::NotAFolder)) }
    }
}

/// Finds the node that is meant and decides whether `actor` may do `action` to it. The caller's space is made here, on its first use.
///
/// # Errors
/// `not_found` if there is no such node or the actor must not know of it; `forbidden` if the actor may know of it, but not do this.
pub(crate) async fn authorize(
    service: &FileService,
    actor: Actor,
    action: Action,
    target: impl Into<Target>,
) -> Result<Authorized, AppError> {
    let id = match target.into() {
        Target::Node(id) => id,
        Target::Root => root_of(service, actor).await?,
    };
    let path = service.store.find_path(id).await?.ok_or_else(|| AppError::refused(Code::NotFound))?;
    match decide(actor, action, &path) {
        Decision::Allowed => Ok(Authorized { path: seen_by(actor, path), actor, action }),
        Decision::NotFound => Err(AppError::refused(Code::NotFound)),
        Decision::Forbidden => Err(AppError::refused(Code::Forbidden)),
    }
}

/// As [`authorize`] for the folder that something shall go into: what is not there is `parent_not_found`, what is no folder
/// `parent_not_folder`.
///
/// # Errors
/// Those two; `forbidden`.
pub(crate) async fn authorize_parent(
    service: &FileService,
    actor: Actor,
    target: impl Into<Target>,
) -> Result<Authorized, AppError> {
    let parent =
        authorize(service, actor, Action::AddChild, target).await.map_err(|error| match error.code() {
            Code::NotFound => AppError::refused(Code::ParentNotFound),
            _ => error,
        })?;
    if parent.node().kind == Kind::Folder {
        Ok(parent)
    } else {
        Err(AppError::refused(Code::ParentNotFolder))
    }
}

/// To a caller with one folder that folder has no parent.
fn seen_by(actor: Actor, mut path: NodePath) -> NodePath {
    if let Actor::UserWithin { folder, .. } = actor
        && path.node.id == folder
    {
        path.node.parent = None;
    }
    path
}

async fn root_of(service: &FileService, actor: Actor) -> Result<FileId, AppError> {
    let (Actor::User(user) | Actor::UserWithin { user, .. }) = actor else {
        return Err(AppError::refused(Code::NotFound));
    };
    let fresh = (SpaceId(service.ids.object_id()), FileId(service.ids.object_id()));
    let quota = service.settings.default_quota_bytes;
    Ok(service.store.ensure_space(user, fresh, quota, service.clock.now()).await?.root)
}
