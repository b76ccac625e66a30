//! The only way from a request to a node.

use std::sync::Arc;

use common::auth::{OpenAccounts, People};
use common::files::{
    Action, Actor, Decision, Doer, FileStore, Grant, Grantee, Kind, Link, LinkStore, Node, NodePath,
    ShareRole, ShareStore, Standing, decide, decide_by_link,
};
use common::{Clock, Code, FileId, GroupId, LinkId, SpaceId, Timestamp, UserId};

use super::watch::Pass;
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

/// How a node looks to someone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// What they may do with it. An owner may all that a manager may.
    pub(crate) role: ShareRole,
    /// They may know of the folder that it is in.
    pub(crate) sees_parent: bool,
    /// They have set a star on it, as far as that was looked up ([`crate::app::marks::seen`]).
    pub(crate) starred: bool,
}

impl Sight {
    /// An owner's.
    pub(crate) const OWNER: Self = Self { role: ShareRole::Manager, sees_parent: true, starred: false };
}

/// A node on which the caller may do one thing. Only [`authorize`] makes one, so a use case that takes it needs no check of its own.
#[derive(Debug, Clone)]
pub(crate) struct Authorized {
    path: NodePath,
    actor: Actor,
    action: Action,
    role: ShareRole,
    hidden: usize,
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

    /// The node and the way to it, with the folders that are closed to the caller.
    pub(crate) fn path(&self) -> &NodePath {
        &self.path
    }

    /// How many of the folders of the way, counted from the root, are closed to the caller.
    pub(crate) fn hidden(&self) -> usize {
        self.hidden
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

    /// How the node looks to the caller.
    pub(crate) fn sight(&self) -> Sight {
        Sight { role: self.role, sees_parent: self.hidden < self.path.depth(), starred: false }
    }

    /// How what is in this folder looks to the caller. What was given of a child itself is not counted in.
    pub(crate) fn child_sight(&self) -> Sight {
        Sight { role: self.role, sees_parent: true, starred: false }
    }

    /// The caller owns it, or acts for its owner. Nobody can take that away.
    pub(crate) fn is_owners(&self) -> bool {
        match self.actor {
            Actor::User(user) | Actor::UserWithin { user, .. } => user == self.path.node.owner,
            Actor::Service => true,
            Actor::Link(_) | Actor::Anonymous => false,
        }
    }

    /// In whose name a change is made: the caller's, that of the link's maker, or the owner's where a service acts.
    pub(crate) fn by(&self) -> UserId {
        match self.actor {
            Actor::User(user) | Actor::UserWithin { user, .. } => user,
            Actor::Link(link) => link.by,
            Actor::Anonymous | Actor::Service => self.path.node.owner,
        }
    }

    /// Who is told to have done it.
    pub(crate) fn doer(&self) -> Doer {
        let link = match self.actor {
            Actor::Link(link) => Some(link.link),
            Actor::User(_) | Actor::UserWithin { .. } | Actor::Anonymous | Actor::Service => None,
        };
        Doer { user: Some(self.by()), link }
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

/// What decisions are made from. Cheap to clone, for what goes on after its request was answered.
#[derive(Clone)]
pub(crate) struct Gate {
    store: Arc<dyn FileStore>,
    shares: Arc<dyn ShareStore>,
    links: Arc<dyn LinkStore>,
    people: Arc<dyn People>,
    accounts: Arc<dyn OpenAccounts>,
    clock: Arc<dyn Clock>,
}

impl Gate {
    pub(crate) fn new(
        store: &Arc<dyn FileStore>,
        shares: &Arc<dyn ShareStore>,
        links: &Arc<dyn LinkStore>,
        people: &Arc<dyn People>,
        accounts: &Arc<dyn OpenAccounts>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            shares: Arc::clone(shares),
            links: Arc::clone(links),
            people: Arc::clone(people),
            accounts: Arc::clone(accounts),
            clock: Arc::clone(clock),
        }
    }

    /// Decides whether `actor` may do `action` to this node: one query for an owner and a link, one more for anybody else; where
    /// groups were given rights, auth-service is asked who is in them. What belongs to an account that is closed opens to nobody else, whatever opened it;
    /// its state is mostly in the cache of credentials.
    ///
    /// # Errors
    /// As [`authorize`].
    pub(crate) async fn decide(
        &self,
        actor: Actor,
        action: Action,
        id: FileId,
    ) -> Result<Authorized, AppError> {
        let path = self.store.find_path(id).await?.ok_or_else(|| AppError::refused(Code::NotFound))?;
        let (grants, groups) = self.grants(actor, &path).await?;
        let decision = decide(actor, &groups, action, &path, &grants);
        if decision != Decision::NotFound && !is_own(actor, &path.node) {
            self.require_open(path.node.owner).await?;
        }
        match decision {
            Decision::Allowed => {
                let (role, hidden) = look(actor, &groups, &path, &grants);
                Ok(Authorized { path, actor, action, role, hidden })
            }
            Decision::NotFound => Err(AppError::refused(Code::NotFound)),
            Decision::Forbidden => Err(AppError::refused(Code::Forbidden)),
        }
    }

    /// What a decision about somebody who is not the owner needs: rights, and their groups. What is in the trash is closed to them whatever they were given,
    /// unless they put it there.
    async fn grants(&self, actor: Actor, path: &NodePath) -> Result<(Vec<Grant>, Vec<GroupId>), AppError> {
        let (Actor::User(user) | Actor::UserWithin { user, .. }) = actor else {
            return Ok(Default::default());
        };
        if user == path.node.owner || (path.in_trash() && !path.is_in_trash_by(user)) {
            return Ok(Default::default());
        }
        self.grants_on(user, path).await
    }

    /// What was given on the way to a node, and the groups that somebody is in, if that matters.
    async fn grants_on(&self, user: UserId, path: &NodePath) -> Result<(Vec<Grant>, Vec<GroupId>), AppError> {
        let way: Vec<_> = path.ancestors.iter().map(|crumb| crumb.id).chain([path.node.id]).collect();
        self.grants_among(path.node.space, &way, user).await
    }

    /// What somebody and groups were given of these nodes of one space; and the person's groups, where that matters.
    async fn grants_among(
        &self,
        space: SpaceId,
        nodes: &[FileId],
        user: UserId,
    ) -> Result<(Vec<Grant>, Vec<GroupId>), AppError> {
        let grants = self.shares.find_grants(space, nodes, user).await?;
        let to_groups = grants.iter().any(|grant| matches!(grant.grantee, Grantee::Group(_)));
        let groups = if to_groups { self.people.groups_of(user).await? } else { Vec::new() };
        Ok((grants, groups))
    }

    /// Whether shares that were given to somebody let them do `action` to a node of somebody else, wherever it is: also in the trash, or while its owner's account
    /// is closed, when nothing is done with it.
    ///
    /// # Errors
    /// `unavailable`.
    pub(crate) async fn was_given(
        &self,
        user: UserId,
        action: Action,
        path: &NodePath,
    ) -> Result<bool, AppError> {
        let (grants, groups) = self.grants_on(user, path).await?;
        Ok(Standing::of(user, &groups, path, &grants).is_some_and(|standing| standing.allows(action)))
    }

    /// The same of a link: whether it is there, its time has not come, it lets do that, and its maker may still share what it leads to.
    ///
    /// # Errors
    /// `unavailable`.
    pub(crate) async fn was_linked(
        &self,
        link: LinkId,
        action: Action,
        path: &NodePath,
    ) -> Result<bool, AppError> {
        let Some(link) = self.links.find_link(link).await? else { return Ok(false) };
        let allows = decide_by_link(link.access(), action, path) == Decision::Allowed;
        if !allows || !link.is_live(self.clock.now()) {
            return Ok(false);
        }
        if link.by == link.owner {
            return Ok(true);
        }
        let Some(root) = self.store.find_path(link.node).await? else { return Ok(false) };
        self.was_given(link.by, Action::Share, &root).await
    }

    /// Whether one of these nodes was given to somebody at this time already, by a right that they still have. One of a group counts from when the group was
    /// given it: since when somebody is in it is not known here.
    ///
    /// # Errors
    /// `unavailable`.
    pub(crate) async fn was_given_by(
        &self,
        user: UserId,
        space: SpaceId,
        nodes: &[FileId],
        at: Timestamp,
    ) -> Result<bool, AppError> {
        let (grants, groups) = self.grants_among(space, nodes, user).await?;
        Ok(grants.iter().any(|grant| grant.at <= at && grant.grantee.includes(user, &groups)))
    }

    /// # Errors
    /// `not_found` if this account is disabled, waits to be deleted, or is gone.
    pub(crate) async fn require_open(&self, owner: UserId) -> Result<(), AppError> {
        if self.accounts.is_open(owner).await? { Ok(()) } else { Err(AppError::refused(Code::NotFound)) }
    }

    /// Whether a link opens anything: its time has not come, the accounts of the node's owner and of whoever made it are open, and that one may still
    /// share what it opens. One that its node's owner made needs no query.
    ///
    /// # Errors
    /// `not_found` if it does not.
    pub(crate) async fn open(&self, link: &Link) -> Result<Actor, AppError> {
        if !link.is_live(self.clock.now()) {
            return Err(AppError::refused(Code::NotFound));
        }
        self.require_open(link.owner).await?;
        if link.by != link.owner {
            self.require_open(link.by).await?;
            self.decide(Actor::User(link.by), Action::Share, link.node)
                .await
                .map_err(|error| hide(error, Code::NotFound))?;
        }
        Ok(Actor::Link(link.access()))
    }

    /// Decides once more what was decided before.
    ///
    /// # Errors
    /// As [`authorize`]; `not_found` if a link has ended since, `link_locked` if it has another password.
    pub(crate) async fn again(&self, actor: Actor, action: Action, id: FileId) -> Result<(), AppError> {
        let actor = match actor {
            Actor::Link(access) => {
                let link = self.links.find_link(access.link).await?;
                let link = link.ok_or_else(|| AppError::refused(Code::NotFound))?;
                let lock = link.access().lock;
                if lock.is_some() && lock != access.lock {
                    return Err(AppError::refused(Code::LinkLocked));
                }
                self.open(&link).await?
            }
            other => other,
        };
        self.decide(actor, action, id).await.map(drop)
    }
}

/// Whether the node is the actor's own, or closed accounts were looked at before: [`Gate::open`] makes what has a link.
fn is_own(actor: Actor, node: &Node) -> bool {
    match actor {
        Actor::User(user) | Actor::UserWithin { user, .. } => user == node.owner,
        Actor::Service | Actor::Link(_) => true,
        Actor::Anonymous => false,
    }
}

/// To someone who must not know of a node, what they may not do is not found.
pub(crate) fn hide(error: AppError, code: Code) -> AppError {
    if error.code() == Code::Forbidden { AppError::refused(code) } else { error }
}

/// The caller's role, and how many folders of the way are closed to them.
fn look(actor: Actor, groups: &[GroupId], path: &NodePath, grants: &[Grant]) -> (ShareRole, usize) {
    match actor {
        Actor::Service => (ShareRole::Manager, 0),
        Actor::User(user) if user == path.node.owner => (ShareRole::Manager, 0),
        Actor::UserWithin { user, folder } => {
            let (role, hidden) = look(Actor::User(user), groups, path, grants);
            (role, hidden.max(path.position_of(folder).unwrap_or(path.depth())))
        }
        Actor::User(user) => Standing::of(user, groups, path, grants)
            .map_or((ShareRole::Viewer, path.depth()), |standing| (standing.role, standing.hidden)),
        Actor::Link(link) => (ShareRole::Viewer, path.position_of(link.root).unwrap_or(path.depth())),
        Actor::Anonymous => (ShareRole::Viewer, path.depth()),
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
    service.gate.decide(actor, action, id).await
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

/// What took long was allowed when it began: whether it still is, by the credential that it came with, and by right. An owner's right is not asked for again.
///
/// # Errors
/// `unauthorized`; as [`authorize`].
pub(crate) async fn still(
    service: &FileService,
    authorized: &Authorized,
    pass: &Pass,
) -> Result<(), AppError> {
    pass.still(service).await?;
    if authorized.is_owners() {
        return Ok(());
    }
    service.gate.again(authorized.actor(), authorized.action(), authorized.id()).await
}

/// How a node looks to `actor` after a change of where it is.
///
/// # Errors
/// As [`authorize`].
pub(crate) async fn sight_of(service: &FileService, actor: Actor, node: &Node) -> Result<Sight, AppError> {
    if actor == Actor::User(node.owner) {
        return Ok(Sight::OWNER);
    }
    Ok(authorize(service, actor, Action::ReadMetadata, node.id).await?.sight())
}

async fn root_of(service: &FileService, actor: Actor) -> Result<FileId, AppError> {
    let (Actor::User(user) | Actor::UserWithin { user, .. }) = actor else {
        return Err(AppError::refused(Code::NotFound));
    };
    let fresh = (SpaceId(service.ids.object_id()), FileId(service.ids.object_id()));
    let quota = service.settings.default_quota_bytes;
    Ok(service.store.ensure_space(user, fresh, quota, service.clock.now()).await?.root)
}
