//! The one function that decides. Every protocol obtains a file through it.

use super::{Grant, LinkAccess, LinkRole, NodePath, ShareRole};
use crate::{FileId, GroupId, UserId};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Someone without a credential.
    Anonymous,
    /// A signed-in account.
    User(UserId),
    /// An account by a credential that is good for one folder and what is below it. To this actor nothing else exists, and that folder itself stays as and
    /// where it is, like a root.
    UserWithin {
        /// The account.
        user: UserId,
        /// The folder.
        folder: FileId,
    },
    /// Whoever has a link, and its password where it has one.
    Link(LinkAccess),
    /// Another service of the product, over an internal call.
    Service,
}

impl Actor {
    /// The account that asks, if it is one.
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) | Self::UserWithin { user, .. } => Some(user),
            Self::Anonymous | Self::Link(_) | Self::Service => None,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See that it is there, its name and its facts.
    ReadMetadata,
    /// See its thumbnails.
    ReadPreview,
    /// Read its bytes.
    ReadContent,
    /// List what is in it.
    List,
    /// Put something into it.
    AddChild,
    /// Give it other content.
    Change,
    /// Rename or move it: a thing of the folder that it is in.
    Relocate,
    /// Put it into the trash: a thing of the folder that it is in, too.
    Trash,
    /// Bring it back from the trash.
    Restore,
    /// Delete it for good.
    Delete,
    /// Give others a right to it, or open it to everybody.
    Share,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::ReadMetadata,
        Self::ReadPreview,
        Self::ReadContent,
        Self::List,
        Self::AddChild,
        Self::Change,
        Self::Relocate,
        Self::Trash,
        Self::Restore,
        Self::Delete,
        Self::Share,
    ];
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allowed,
    /// To this actor it does not exist.
    NotFound,
    /// The actor may see it, but not do this.
    Forbidden,
}

/// Whether `actor`, who is in these groups, may do `action` to the node at the end of `path`. `grants` are what the actor and those groups were given of
/// the node and of what is above it; of an owner none are needed. Grants to others, and of other nodes, count for nothing.
///
/// - The owner of a node may do everything with it. In the trash it can only be looked at, read, restored or deleted, and only by its owner.
/// - A grant of a node goes for all that is below it; of several the greatest role counts. Renaming, moving and trashing are things of the
///   folder that a node is in, so a grant of the node alone does not allow them. Restoring and deleting for good are the owner's; but what somebody put into
///   the trash they may bring back to its folder, for as long as they may trash things there.
/// - A link opens the node that it was made for, with all that is below, and nothing else.
/// - The content of what is public by itself may be read by anyone (a public folder does not open what is in it).
pub fn decide(
    actor: Actor,
    groups: &[GroupId],
    action: Action,
    path: &NodePath,
    grants: &[Grant],
) -> Decision {
    let node = &path.node;
    match actor {
        Actor::Service => Decision::Allowed,
        Actor::UserWithin { user, folder } => {
            if node.id != folder && !path.ancestors.iter().any(|above| above.id == folder) {
                return Decision::NotFound;
            }
            let decision = decide(Actor::User(user), groups, action, path, grants);
            let is_root_here = node.id == folder
                && matches!(action, Action::Relocate | Action::Trash | Action::Restore | Action::Delete);
            // a node whose folder is in the trash comes back in one above that, which may be out of reach
            let leaves = action == Action::Restore && path.ancestors.iter().any(|above| above.trashed);
            match decision {
                Decision::Allowed if is_root_here || leaves => Decision::Forbidden,
                decision => decision,
            }
        }
        Actor::User(user) if user == node.owner => {
            let in_trash = matches!(
                action,
                Action::ReadMetadata
                    | Action::ReadPreview
                    | Action::ReadContent
                    | Action::Restore
                    | Action::Delete
            );
            if in_trash || !path.in_trash() { Decision::Allowed } else { Decision::NotFound }
        }
        Actor::User(user) if action == Action::Restore && path.is_in_trash_by(user) => {
            match Standing::of(user, groups, path, grants) {
                Some(standing) if standing.allows(Action::Trash) => Decision::Allowed,
                _ => Decision::NotFound,
            }
        }
        _ if path.in_trash() => Decision::NotFound,
        Actor::User(user) => match Standing::of(user, groups, path, grants) {
            Some(standing) if standing.allows(action) => Decision::Allowed,
            Some(_) => Decision::Forbidden,
            None => to_everybody(action, path),
        },
        Actor::Link(link) => decide_by_link(link, action, path),
        Actor::Anonymous => to_everybody(action, path),
    }
}

fn to_everybody(action: Action, path: &NodePath) -> Decision {
    if matches!(action, Action::ReadContent | Action::ReadPreview) && path.node.public.is_some() {
        Decision::Allowed
    } else {
        Decision::NotFound
    }
}

/// What [`decide`] says of a link, for a node that is not in the trash.
pub fn decide_by_link(link: LinkAccess, action: Action, path: &NodePath) -> Decision {
    if path.position_of(link.root).is_none() {
        return Decision::NotFound;
    }
    let is_root = path.node.id == link.root;
    let looks = matches!(action, Action::ReadMetadata | Action::ReadPreview | Action::List);
    let allowed = match link.role {
        LinkRole::PreviewOnly => looks,
        LinkRole::Viewer => looks || action == Action::ReadContent,
        LinkRole::Editor => {
            looks || matches!(action, Action::ReadContent | Action::AddChild | Action::Change)
        }
        LinkRole::Dropper => is_root && action == Action::AddChild,
    };
    match (allowed, link.role) {
        (true, _) => Decision::Allowed,
        // whoever sees nothing learns nothing of what is inside
        (false, LinkRole::Dropper) if !is_root => Decision::NotFound,
        (false, _) => Decision::Forbidden,
    }
}

/// What grants make of somebody at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Their role there.
    pub role: ShareRole,
    /// Their role in the folder that the node is in; none if that folder is closed to them.
    pub above: Option<ShareRole>,
    /// How many of the ancestors, counted from the root, are closed to them.
    pub hidden: usize,
}

impl Standing {
    /// The standing of this person, who is in these groups; none if they were given nothing on the way.
    pub fn of(user: UserId, groups: &[GroupId], path: &NodePath, grants: &[Grant]) -> Option<Self> {
        let mine = |grant: &&Grant| grant.grantee.includes(user, groups);
        let on_the_way = || {
            let mine = grants.iter().filter(mine);
            mine.filter_map(|grant| Some((path.position_of(grant.node)?, grant.role)))
        };
        let hidden = on_the_way().map(|(position, _)| position).min()?;
        let role = on_the_way().map(|(_, role)| role).max()?;
        let above = on_the_way().filter(|(position, _)| *position < path.depth()).map(|(_, role)| role).max();
        Some(Self { role, above, hidden })
    }

    /// Whether this is enough for `action`, with a node that is not in the trash.
    pub fn allows(self, action: Action) -> bool {
        match action {
            Action::ReadMetadata | Action::ReadPreview | Action::ReadContent | Action::List => true,
            Action::AddChild | Action::Change => self.role >= ShareRole::Editor,
            Action::Relocate | Action::Trash => self.above.is_some_and(|role| role >= ShareRole::Editor),
            Action::Share => self.role >= ShareRole::Manager,
            Action::Restore | Action::Delete => false,
        }
    }
}

impl NodePath {
    /// `user` put the node into the trash, and the folder that it was in is not there itself.
    pub fn is_in_trash_by(&self, user: UserId) -> bool {
        self.node.trashed.is_some_and(|trashed| trashed.by == user)
            && !self.ancestors.iter().any(|crumb| crumb.trashed)
    }

    /// How many folders are above a node of the way, the last one included; none if it is not on the way.
    pub fn position_of(&self, node: FileId) -> Option<usize> {
        if node == self.node.id {
            return Some(self.depth());
        }
        self.ancestors.iter().position(|crumb| crumb.id == node)
    }
}

#[cfg(test)]
mod tests;
