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
///   folder that a node is in, so a grant of the node alone does not allow them. Restoring and deleting for good are the owner's.
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
            // a node whose folder is in the trash comes back in the root of the space, which is out of reach
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
        _ if path.in_trash() => Decision::NotFound,
        Actor::User(user) => match Standing::of(user, groups, path, grants) {
            Some(standing) if standing.allows(action) => Decision::Allowed,
            Some(_) => Decision::Forbidden,
            None => to_everybody(action, path),
        },
        Actor::Link(link) => by_link(link, action, path),
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

fn by_link(link: LinkAccess, action: Action, path: &NodePath) -> Decision {
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

    fn allows(self, action: Action) -> bool {
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
    /// How many folders are above a node of the way, the last one included; none if it is not on the way.
    pub fn position_of(&self, node: FileId) -> Option<usize> {
        if node == self.node.id {
            return Some(self.depth());
        }
        self.ancestors.iter().position(|crumb| crumb.id == node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Crumb, Grantee, Kind, Node, NodeName, Public, Trashed};
    use crate::{LinkId, SpaceId, Timestamp};

    const ACTIONS: [Action; 11] = Action::ALL;
    const OWNER: UserId = UserId::from_bytes([1; 12]);
    const OTHER: UserId = UserId::from_bytes([2; 12]);
    const AT: Timestamp = Timestamp::from_millis(0);

    fn alone(actor: Actor, action: Action, path: &NodePath) -> Decision {
        decide(actor, &[], action, path, &[])
    }

    fn path() -> NodePath {
        let root = FileId::from_bytes([3; 12]);
        NodePath {
            node: Node {
                id: FileId::from_bytes([4; 12]),
                space: SpaceId::from_bytes([5; 12]),
                owner: OWNER,
                parent: Some(root),
                name: NodeName::parse("a").unwrap(),
                kind: Kind::Folder,
                created_at: AT,
                modified_at: AT,
                revision: 1,
                content: None,
                public: None,
                trashed: None,
                classic_name: None,
                classic_type: None,
                child_count: 0,
                shared: false,
                linked: false,
                starred: false,
                tags: Vec::new(),
            },
            ancestors: vec![Crumb { id: root, name: NodeName::root(), trashed: false }],
        }
    }

    #[test]
    fn owners_may_do_everything_and_strangers_see_nothing() {
        for action in ACTIONS {
            assert_eq!(alone(Actor::User(OWNER), action, &path()), Decision::Allowed, "{action:?}");
            assert_eq!(alone(Actor::Service, action, &path()), Decision::Allowed, "{action:?}");
            assert_eq!(alone(Actor::User(OTHER), action, &path()), Decision::NotFound, "{action:?}");
            assert_eq!(alone(Actor::Anonymous, action, &path()), Decision::NotFound, "{action:?}");
        }
    }

    #[test]
    fn a_limited_credential_reaches_what_is_below_its_folder_alone() {
        let mut below = path();
        let folder = FileId::from_bytes([6; 12]);
        let name = NodeName::parse("folder").unwrap();
        below.ancestors.push(Crumb { id: folder, name, trashed: false });
        let limited = |user| Actor::UserWithin { user, folder };
        for action in ACTIONS {
            assert_eq!(alone(limited(OWNER), action, &below), Decision::Allowed, "{action:?}");
            assert_eq!(alone(limited(OTHER), action, &below), Decision::NotFound, "{action:?}");
            // what is beside it or above it, also if everybody may read it
            let mut beside = path();
            beside.node.public = Some(Public { since: AT, by: OWNER });
            assert_eq!(alone(limited(OWNER), action, &beside), Decision::NotFound, "{action:?}");
            let mut itself = path();
            itself.node.id = folder;
            let expected = match action {
                Action::Relocate | Action::Trash | Action::Restore | Action::Delete => Decision::Forbidden,
                _ => Decision::Allowed,
            };
            assert_eq!(alone(limited(OWNER), action, &itself), expected, "{action:?}");
        }
        below.node.trashed = Some(Trashed { at: AT, by: OWNER });
        assert_eq!(alone(limited(OWNER), Action::Restore, &below), Decision::Allowed);
        assert_eq!(alone(limited(OWNER), Action::List, &below), Decision::NotFound);
        below.ancestors[1].trashed = true;
        assert_eq!(alone(limited(OWNER), Action::Restore, &below), Decision::Forbidden);
    }

    #[test]
    fn public_opens_the_content_and_nothing_else() {
        let mut public = path();
        public.node.public = Some(Public { since: AT, by: OWNER });
        for actor in [Actor::Anonymous, Actor::User(OTHER)] {
            for action in ACTIONS {
                let expected = match action {
                    Action::ReadContent | Action::ReadPreview => Decision::Allowed,
                    _ => Decision::NotFound,
                };
                assert_eq!(alone(actor, action, &public), expected, "{actor:?} {action:?}");
            }
        }
        public.ancestors[0].trashed = true;
        assert_eq!(alone(Actor::Anonymous, Action::ReadContent, &public), Decision::NotFound);
    }

    #[test]
    fn the_trash_can_be_looked_at_and_emptied() {
        let mut trashed = path();
        trashed.node.trashed = Some(Trashed { at: AT, by: OWNER });
        for action in ACTIONS {
            let expected = match action {
                Action::ReadMetadata
                | Action::ReadPreview
                | Action::ReadContent
                | Action::Restore
                | Action::Delete => Decision::Allowed,
                _ => Decision::NotFound,
            };
            assert_eq!(alone(Actor::User(OWNER), action, &trashed), expected, "{action:?}");
        }
    }

    const FOLDER: FileId = FileId::from_bytes([7; 12]);

    /// `root / FOLDER / a`
    fn deep() -> NodePath {
        let mut path = path();
        path.node.parent = Some(FOLDER);
        path.ancestors.push(Crumb { id: FOLDER, name: NodeName::parse("f").unwrap(), trashed: false });
        path
    }

    fn grant(node: FileId, role: ShareRole) -> Grant {
        Grant { node, grantee: Grantee::User(OTHER), role }
    }

    /// The matrix of docs/sharing.md: what each role may do inside of what was shared, and with the shared thing itself.
    #[test]
    fn every_role_and_action() {
        use Action::*;
        let inside = |role| match role {
            ShareRole::Viewer => vec![ReadMetadata, ReadPreview, ReadContent, List],
            ShareRole::Editor => {
                vec![ReadMetadata, ReadPreview, ReadContent, List, AddChild, Change, Relocate, Trash]
            }
            ShareRole::Manager => {
                vec![ReadMetadata, ReadPreview, ReadContent, List, AddChild, Change, Relocate, Trash, Share]
            }
        };
        let path = deep();
        for role in ShareRole::ALL {
            for action in ACTIONS {
                let ask = |grants: &[Grant]| decide(Actor::User(OTHER), &[], action, &path, grants);
                let judged = |may: bool| if may { Decision::Allowed } else { Decision::Forbidden };
                let may = inside(role).contains(&action);
                for above in [path.ancestors[0].id, FOLDER] {
                    assert_eq!(ask(&[grant(above, role)]), judged(may), "{role:?} {action:?} inside");
                }
                let itself = may && !matches!(action, Relocate | Trash);
                assert_eq!(ask(&[grant(path.node.id, role)]), judged(itself), "{role:?} {action:?} itself");
                // a lesser right above takes nothing away
                let both = [grant(FOLDER, ShareRole::Viewer), grant(path.node.id, role)];
                assert_eq!(ask(&both), judged(itself), "{role:?} {action:?} below a viewer's");
            }
        }
        for role in LinkRole::ALL {
            for action in ACTIONS {
                let link = |root| {
                    Actor::Link(LinkAccess { link: LinkId::from_bytes([8; 12]), root, role, by: OWNER })
                };
                let looks = matches!(action, ReadMetadata | ReadPreview | List);
                let may = match role {
                    LinkRole::PreviewOnly => looks,
                    LinkRole::Viewer => looks || action == ReadContent,
                    LinkRole::Editor => looks || matches!(action, ReadContent | AddChild | Change),
                    LinkRole::Dropper => action == AddChild,
                };
                let judged = if may { Decision::Allowed } else { Decision::Forbidden };
                assert_eq!(alone(link(path.node.id), action, &path), judged, "{role:?} {action:?}");
                let below = if role == LinkRole::Dropper { Decision::NotFound } else { judged };
                assert_eq!(alone(link(FOLDER), action, &path), below, "{role:?} {action:?} inside");
                let sibling = FileId::from_bytes([99; 12]);
                assert_eq!(alone(link(sibling), action, &path), Decision::NotFound, "{role:?} {action:?}");
            }
        }
    }

    #[test]
    fn only_what_was_given_to_oneself_on_the_way_counts() {
        let (path, group) = (deep(), GroupId::from_bytes([6; 12]));
        let to_group = Grant { grantee: Grantee::Group(group), ..grant(FOLDER, ShareRole::Viewer) };
        let ask = |groups: &[GroupId], grants: &[Grant]| {
            decide(Actor::User(OTHER), groups, Action::ReadContent, &path, grants)
        };
        assert_eq!(ask(&[group], &[to_group]), Decision::Allowed);
        assert_eq!(ask(&[], &[to_group]), Decision::NotFound);
        assert_eq!(ask(&[GroupId::from_bytes([5; 12])], &[to_group]), Decision::NotFound);
        let elsewhere = grant(FileId::from_bytes([99; 12]), ShareRole::Manager);
        assert_eq!(ask(&[], &[elsewhere]), Decision::NotFound);
        let to_owner = Grant { grantee: Grantee::User(OWNER), ..grant(FOLDER, ShareRole::Manager) };
        assert_eq!(ask(&[], &[to_owner]), Decision::NotFound);
        let standing = Standing::of(
            OTHER,
            &[],
            &path,
            &[grant(FOLDER, ShareRole::Viewer), grant(path.node.id, ShareRole::Manager)],
        );
        let expected = Standing { role: ShareRole::Manager, above: Some(ShareRole::Viewer), hidden: 1 };
        assert_eq!(standing, Some(expected));
    }

    #[test]
    fn what_was_shared_is_closed_in_the_trash() {
        let mut path = deep();
        path.ancestors[1].trashed = true;
        let link = LinkAccess {
            link: LinkId::from_bytes([8; 12]),
            root: path.node.id,
            role: LinkRole::Editor,
            by: OWNER,
        };
        for action in ACTIONS {
            let grants = [grant(FOLDER, ShareRole::Manager)];
            assert_eq!(decide(Actor::User(OTHER), &[], action, &path, &grants), Decision::NotFound);
            assert_eq!(alone(Actor::Link(link), action, &path), Decision::NotFound);
        }
    }
}
