//! The one function that decides. Every protocol obtains a file through it.

use super::NodePath;
use crate::{FileId, UserId};

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
    /// Another service of the product, over an internal call.
    Service,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See that it is there, its name and its facts.
    ReadMetadata,
    /// Read its bytes or its thumbnails.
    ReadContent,
    /// List what is in it.
    List,
    /// Put something into it.
    AddChild,
    /// Rename, move, open to everybody, or give it other content.
    Change,
    /// Put it into the trash.
    Trash,
    /// Bring it back from the trash.
    Restore,
    /// Delete it for good.
    Delete,
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

/// Whether `actor` may do `action` to the node at the end of `path`.
///
/// Today a node is its owner's alone; the content of a file or folder that is public by itself may be read by anyone (a public folder does not
/// open what is in it). In the trash a node can only be looked at, read, restored or deleted, and only by its owner.
pub fn decide(actor: Actor, action: Action, path: &NodePath) -> Decision {
    let node = &path.node;
    match actor {
        Actor::Service => Decision::Allowed,
        Actor::UserWithin { user, folder } => {
            if node.id != folder && !path.ancestors.iter().any(|above| above.id == folder) {
                return Decision::NotFound;
            }
            let decision = decide(Actor::User(user), action, path);
            let is_root_here = node.id == folder
                && matches!(action, Action::Change | Action::Trash | Action::Restore | Action::Delete);
            // a node whose folder is in the trash comes back in the root of the space, which is out of reach
            let leaves = action == Action::Restore && path.ancestors.iter().any(|above| above.trashed);
            match decision {
                Decision::Allowed if is_root_here || leaves => Decision::Forbidden,
                decision => decision,
            }
        }
        Actor::User(user) if user == node.owner => {
            let allowed = if path.in_trash() {
                matches!(
                    action,
                    Action::ReadMetadata | Action::ReadContent | Action::Restore | Action::Delete
                )
            } else {
                true
            };
            if allowed { Decision::Allowed } else { Decision::NotFound }
        }
        Actor::User(_) | Actor::Anonymous => {
            if action == Action::ReadContent && node.public.is_some() && !path.in_trash() {
                Decision::Allowed
            } else {
                Decision::NotFound
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Crumb, Kind, Node, NodeName, Public, Trashed};
    use crate::{FileId, SpaceId, Timestamp};

    const ACTIONS: [Action; 8] = [
        Action::ReadMetadata,
        Action::ReadContent,
        Action::List,
        Action::AddChild,
        Action::Change,
        Action::Trash,
        Action::Restore,
        Action::Delete,
    ];
    const OWNER: UserId = UserId::from_bytes([1; 12]);
    const OTHER: UserId = UserId::from_bytes([2; 12]);
    const AT: Timestamp = Timestamp::from_millis(0);

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
            },
            ancestors: vec![Crumb { id: root, name: NodeName::root(), trashed: false }],
        }
    }

    #[test]
    fn owners_may_do_everything_and_strangers_see_nothing() {
        for action in ACTIONS {
            assert_eq!(decide(Actor::User(OWNER), action, &path()), Decision::Allowed, "{action:?}");
            assert_eq!(decide(Actor::Service, action, &path()), Decision::Allowed, "{action:?}");
            assert_eq!(decide(Actor::User(OTHER), action, &path()), Decision::NotFound, "{action:?}");
            assert_eq!(decide(Actor::Anonymous, action, &path()), Decision::NotFound, "{action:?}");
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
            assert_eq!(decide(limited(OWNER), action, &below), Decision::Allowed, "{action:?}");
            assert_eq!(decide(limited(OTHER), action, &below), Decision::NotFound, "{action:?}");
            // what is beside it or above it, also if everybody may read it
            let mut beside = path();
            beside.node.public = Some(Public { since: AT, by: OWNER });
            assert_eq!(decide(limited(OWNER), action, &beside), Decision::NotFound, "{action:?}");
            let mut itself = path();
            itself.node.id = folder;
            let expected = match action {
                Action::Change | Action::Trash | Action::Restore | Action::Delete => Decision::Forbidden,
                _ => Decision::Allowed,
            };
            assert_eq!(decide(limited(OWNER), action, &itself), expected, "{action:?}");
        }
        below.node.trashed = Some(Trashed { at: AT, by: OWNER });
        assert_eq!(decide(limited(OWNER), Action::Restore, &below), Decision::Allowed);
        assert_eq!(decide(limited(OWNER), Action::List, &below), Decision::NotFound);
        below.ancestors[1].trashed = true;
        assert_eq!(decide(limited(OWNER), Action::Restore, &below), Decision::Forbidden);
    }

    #[test]
    fn public_opens_the_content_and_nothing_else() {
        let mut public = path();
        public.node.public = Some(Public { since: AT, by: OWNER });
        for actor in [Actor::Anonymous, Actor::User(OTHER)] {
            for action in ACTIONS {
                let expected =
                    if action == Action::ReadContent { Decision::Allowed } else { Decision::NotFound };
                assert_eq!(decide(actor, action, &public), expected, "{actor:?} {action:?}");
            }
        }
        public.ancestors[0].trashed = true;
        assert_eq!(decide(Actor::Anonymous, Action::ReadContent, &public), Decision::NotFound);
    }

    #[test]
    fn the_trash_can_be_looked_at_and_emptied() {
        let mut trashed = path();
        trashed.node.trashed = Some(Trashed { at: AT, by: OWNER });
        for action in ACTIONS {
            let expected = match action {
                Action::ReadMetadata | Action::ReadContent | Action::Restore | Action::Delete => {
                    Decision::Allowed
                }
                _ => Decision::NotFound,
            };
            assert_eq!(decide(Actor::User(OWNER), action, &trashed), expected, "{action:?}");
        }
    }
}
