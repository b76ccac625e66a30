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
    Grant { node, grantee: Grantee::User(OTHER), role, at: AT }
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
                Actor::Link(LinkAccess {
                    link: LinkId::from_bytes([8; 12]),
                    root,
                    role,
                    by: OWNER,
                    lock: None,
                })
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
        lock: None,
    };
    for action in ACTIONS {
        let grants = [grant(FOLDER, ShareRole::Manager)];
        assert_eq!(decide(Actor::User(OTHER), &[], action, &path, &grants), Decision::NotFound);
        assert_eq!(alone(Actor::Link(link), action, &path), Decision::NotFound);
    }
}

#[test]
fn what_somebody_put_into_the_trash_they_may_bring_back_to_its_folder() {
    let mut path = deep();
    let trashed_by = |path: &mut NodePath, by| path.node.trashed = Some(Trashed { at: AT, by });
    let ask =
        |path: &NodePath, action, grants: &[Grant]| decide(Actor::User(OTHER), &[], action, path, grants);
    let editor = [grant(FOLDER, ShareRole::Editor)];
    trashed_by(&mut path, OTHER);
    for action in ACTIONS {
        let expected = if action == Action::Restore { Decision::Allowed } else { Decision::NotFound };
        assert_eq!(ask(&path, action, &editor), expected, "{action:?}");
    }
    for too_little in
        [vec![], vec![grant(FOLDER, ShareRole::Viewer)], vec![grant(path.node.id, ShareRole::Manager)]]
    {
        assert_eq!(ask(&path, Action::Restore, &too_little), Decision::NotFound, "{too_little:?}");
    }
    trashed_by(&mut path, OWNER);
    assert_eq!(ask(&path, Action::Restore, &editor), Decision::NotFound);
    trashed_by(&mut path, OTHER);
    path.ancestors[1].trashed = true;
    assert_eq!(ask(&path, Action::Restore, &editor), Decision::NotFound);
}
