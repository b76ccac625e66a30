use common::FileId;
use common::files::{ClassicType, CommitTarget, Kind, MAX_DEPTH, NewFolder, Node, NodeError};

use super::{FilesSubject, named};

pub async fn a_folder_is_found_as_it_was_made(subject: &FilesSubject) {
    let new = NewFolder {
        public: true,
        classic_type: Some(ClassicType::Folder),
        ..subject.new_folder(subject.root(), "Ünïcode 日本 [x]")
    };
    let made = subject.store.create_folder(&new).await.unwrap();
    assert_eq!(subject.node(made.id).await, Some(made.clone()));
    let public = made.public.unwrap();
    assert_eq!((public.by, public.since), (subject.user, subject.now()));
    let plain = Node {
        id: new.id,
        space: subject.space.id,
        owner: subject.user,
        parent: Some(subject.root()),
        name: new.name.clone(),
        kind: Kind::Folder,
        created_at: subject.now(),
        modified_at: subject.now(),
        revision: made.revision,
        content: None,
        public: made.public,
        trashed: None,
        classic_name: None,
        classic_type: Some(ClassicType::Folder),
        child_count: 0,
        shared: false,
        linked: false,
        starred: false,
        tags: Vec::new(),
    };
    assert_eq!(made, plain);
    assert_eq!(subject.store.find_child(subject.root(), &new.name).await.unwrap(), Some(made));
    assert_eq!(subject.store.find_child(subject.root(), &named("other")).await.unwrap(), None);
    assert_eq!(subject.node(subject.root()).await.unwrap().child_count, 1);
    assert_eq!(subject.usage().await.node_count, 1);
    assert_eq!(subject.store.count_nodes().await.unwrap(), 1);
}

pub async fn a_path_leads_from_the_root_to_the_node(subject: &FilesSubject) {
    let a = subject.folder(subject.root(), "a").await;
    let b = subject.folder(a.id, "b").await;
    let file = subject.file(b.id, "c.txt", 3).await;
    let path = subject.store.find_path(file.id).await.unwrap().unwrap();
    assert_eq!(path.node, file);
    let crumbs: Vec<_> =
        path.ancestors.iter().map(|crumb| (crumb.id, crumb.name.as_str(), crumb.trashed)).collect();
    assert_eq!(crumbs, [(subject.root(), "", false), (a.id, "a", false), (b.id, "b", false)]);
    subject.trash(a.id).await;
    let path = subject.store.find_path(file.id).await.unwrap().unwrap();
    assert!(path.in_trash());
    assert_eq!(path.ancestors.iter().map(|crumb| crumb.trashed).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(subject.store.find_path(subject.ids.next()).await.unwrap(), None);
}

pub async fn a_live_name_is_unique_in_its_folder(subject: &FilesSubject) {
    let folder = subject.folder(subject.root(), "a").await;
    let again = subject.store.create_folder(&subject.new_folder(subject.root(), "a")).await;
    assert!(matches!(again, Err(NodeError::NameTaken { existing }) if existing == folder.id), "{again:?}");
    let file = subject.commit(&subject.upload(subject.root(), "a", 1)).await;
    assert!(matches!(file, Err(NodeError::NameTaken { existing }) if existing == folder.id), "{file:?}");
    // exact text: another case is another name, and another folder has names of its own
    subject.folder(subject.root(), "A").await;
    subject.folder(folder.id, "a").await;
    assert_eq!(subject.names(subject.root()).await.len(), 2);
    assert_eq!(subject.usage().await.node_count, 3);
}

pub async fn of_two_who_make_one_name_one_succeeds(subject: &FilesSubject) {
    let tries = (0..20).map(|n| async move {
        if n % 2 == 0 {
            subject.store.create_folder(&subject.new_folder(subject.root(), "a")).await
        } else {
            subject.commit(&subject.upload(subject.root(), "a", 5)).await.map(|committed| committed.node)
        }
    });
    let results = futures_util::future::join_all(tries).await;
    let made: Vec<_> = results.iter().flatten().collect();
    assert_eq!(made.len(), 1);
    for result in &results {
        let fine = match result {
            Ok(_) => true,
            Err(NodeError::NameTaken { existing }) => *existing == made[0].id,
            Err(_) => false,
        };
        assert!(fine, "{result:?}");
    }
    assert_eq!(subject.names(subject.root()).await, ["a"]);
    let bytes = made[0].content.as_ref().map_or(0, |content| content.size);
    assert_eq!(subject.usage().await.used_bytes, bytes);
}

pub async fn only_a_live_folder_takes_children(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "file", 1).await;
    let trashed = subject.folder(subject.root(), "trashed").await;
    let inner = subject.folder(trashed.id, "inner").await;
    subject.trash(trashed.id).await;
    let deleted = subject.folder(subject.root(), "deleted").await;
    subject.delete(deleted.id).await;
    let unknown = subject.ids.next();
    for (parent, is_file) in
        [(file.id, true), (trashed.id, false), (inner.id, false), (deleted.id, false), (unknown, false)]
    {
        let results = [
            subject.store.create_folder(&subject.new_folder(parent, "x")).await.map(drop),
            subject.commit(&subject.upload(parent, "x", 1)).await.map(drop),
        ];
        for result in results {
            let fine = match result {
                Err(NodeError::ParentNotFolder) => is_file,
                Err(NodeError::ParentGone) => !is_file,
                _ => false,
            };
            assert!(fine, "{parent}: {result:?}");
        }
    }
}

pub async fn a_taken_name_gets_the_next_number(subject: &FilesSubject) {
    let root = subject.root();
    let classic = |parent, name: &str| NewFolder {
        rename_if_taken: true,
        classic_type: Some(ClassicType::Folder),
        ..subject.new_folder(parent, name)
    };
    let first = subject.store.create_folder(&classic(root, "a.txt")).await.unwrap();
    assert_eq!((first.name.as_str(), first.classic_name), ("a.txt", None));
    let second = subject.store.create_folder(&classic(root, "a.txt")).await.unwrap();
    assert_eq!((second.name.as_str(), second.classic_name.as_deref()), ("a (2).txt", Some("a.txt")));
    let mut upload = subject.upload(root, "a.txt", 1);
    if let CommitTarget::New(file) = &mut upload.target {
        file.rename_if_taken = true;
    }
    let third = subject.commit(&upload).await.unwrap().node;
    assert_eq!(
        (third.name.as_str(), third.classic_name),
        ("a (3).txt", None),
        "not asked for by the classic API"
    );
    let renamed = subject.store.relocate(second.id, None, &named("b"), root, subject.now()).await.unwrap();
    assert_eq!(renamed.classic_name, None, "a rename ends it");
    // 255 bytes stay 255 bytes
    let long = "x".repeat(255);
    subject.folder(root, &long).await;
    let cut = subject.store.create_folder(&classic(root, &long)).await.unwrap();
    assert_eq!(cut.name.as_str(), format!("{} (2)", "x".repeat(251)));
}

pub async fn many_takers_of_one_name_get_numbers_in_turn(subject: &FilesSubject) {
    const TAKERS: usize = if cfg!(feature = "long") { 2_000 } else { 500 };
    let mut numbers = std::collections::HashSet::new();
    for _ in 0..TAKERS / 100 {
        let takers = (0..100).map(|_| {
            let new = NewFolder { rename_if_taken: true, ..subject.new_folder(subject.root(), "a") };
            async move { subject.store.create_folder(&new).await.unwrap().name }
        });
        numbers.extend(futures_util::future::join_all(takers).await);
    }
    assert_eq!(numbers.len(), TAKERS);
    assert!(numbers.contains(&named(&format!("a ({TAKERS})"))), "no number is left out");
}

pub async fn a_rename_and_a_move_change_what_they_say(subject: &FilesSubject) {
    let a = subject.folder(subject.root(), "a").await;
    let b = subject.folder(subject.root(), "b").await;
    let file = subject.file(a.id, "x", 1).await;
    subject.clock.advance(std::time::Duration::from_secs(1));
    let moved =
        subject.store.relocate(file.id, Some(file.revision), &named("y"), b.id, subject.now()).await.unwrap();
    let expected = Node {
        parent: Some(b.id),
        name: named("y"),
        revision: file.revision + 1,
        modified_at: subject.now(),
        ..file.clone()
    };
    assert_eq!(moved, expected);
    assert_eq!(subject.node(file.id).await, Some(moved));
    assert_eq!(subject.names(a.id).await, [""; 0]);
    assert_eq!(subject.names(b.id).await, ["y"]);
    let before = subject.store.find_space(subject.space.id).await.unwrap().unwrap();
    subject.move_to(&a, b.id).await.unwrap();
    let after = subject.store.find_space(subject.space.id).await.unwrap().unwrap();
    assert!(after.tree_version > before.tree_version, "a folder moved");
    assert_eq!(after.usage, before.usage);
    let root = subject.node(subject.root()).await.unwrap();
    assert_eq!(root.child_count, 1);
    // the name that was left is free again
    subject.folder(subject.root(), "a").await;
}

pub async fn a_relocation_to_the_same_place_changes_nothing(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "x", 1).await;
    subject.clock.advance(std::time::Duration::from_secs(1));
    let same =
        subject.store.relocate(file.id, Some(file.revision), &file.name, subject.root(), subject.now()).await;
    assert_eq!(same.unwrap(), file);
    assert_eq!(subject.node(file.id).await, Some(file));
}

pub async fn a_relocation_is_refused_with_its_reason(subject: &FilesSubject) {
    let (root, store, now) = (subject.root(), &subject.store, subject.now());
    let a = subject.folder(root, "a").await;
    let file = subject.file(root, "x", 1).await;
    let other_owner = subject.ids.next();
    let other =
        store.ensure_space(other_owner, (subject.ids.next(), subject.ids.next()), None, now).await.unwrap();
    let result = store.relocate(file.id, Some(file.revision + 1), &file.name, a.id, now).await;
    assert!(matches!(result, Err(NodeError::Changed)), "{result:?}");
    let result = store.relocate(file.id, None, &named("a"), root, now).await;
    assert!(matches!(result, Err(NodeError::NameTaken { existing }) if existing == a.id), "{result:?}");
    let result = store.relocate(a.id, None, &a.name, file.id, now).await;
    assert!(matches!(result, Err(NodeError::ParentNotFolder)), "{result:?}");
    let result = store.relocate(root, None, &named("r"), a.id, now).await;
    assert!(matches!(result, Err(NodeError::Root)), "{result:?}");
    for gone in [subject.ids.next::<FileId>(), other.root] {
        let result = store.relocate(file.id, None, &file.name, gone, now).await;
        assert!(matches!(result, Err(NodeError::ParentGone)), "{result:?}");
    }
    let result = store.relocate(subject.ids.next(), None, &file.name, root, now).await;
    assert!(matches!(result, Err(NodeError::NotFound)), "{result:?}");
    subject.trash(a.id).await;
    let result = store.relocate(file.id, None, &file.name, a.id, now).await;
    assert!(matches!(result, Err(NodeError::ParentGone)), "{result:?}");
    assert_eq!(subject.node(file.id).await, Some(file));
}

pub async fn a_folder_cannot_move_into_itself(subject: &FilesSubject) {
    let a = subject.folder(subject.root(), "a").await;
    let b = subject.folder(a.id, "b").await;
    let c = subject.folder(b.id, "c").await;
    for target in [a.id, b.id, c.id] {
        let result = subject.move_to(&a, target).await;
        assert!(matches!(result, Err(NodeError::Cycle)), "{result:?}");
    }
    assert_eq!(subject.store.find_path(c.id).await.unwrap().unwrap().depth(), 3);
}

pub async fn of_two_moves_that_make_a_cycle_one_succeeds(subject: &FilesSubject) {
    for round in 0..10 {
        let a = subject.folder(subject.root(), &format!("a{round}")).await;
        let b = subject.folder(subject.root(), &format!("b{round}")).await;
        let (first, second) = tokio::join!(subject.move_to(&a, b.id), subject.move_to(&b, a.id));
        assert!(
            matches!((&first, &second), (Ok(_), Err(NodeError::Cycle)) | (Err(NodeError::Cycle), Ok(_))),
            "{first:?} {second:?}"
        );
        for id in [a.id, b.id] {
            let path = subject.store.find_path(id).await.unwrap().unwrap();
            assert_eq!(path.ancestors[0].id, subject.root());
        }
    }
}

/// As before, but the two moves change nothing in common: each only changes what the other has read.
pub async fn of_two_moves_far_apart_that_make_a_cycle_one_succeeds(subject: &FilesSubject) {
    for round in 0..10 {
        let mut branches = Vec::new();
        for side in ["left", "right"] {
            let top = subject.folder(subject.root(), &format!("{side} {round}")).await;
            let moved = subject.folder(top.id, "moved").await;
            let target = subject.folder(moved.id, "target").await;
            branches.push((moved, target));
        }
        let [(a, in_a), (b, in_b)] = &branches[..] else { unreachable!("there are two sides") };
        let (first, second) = tokio::join!(subject.move_to(a, in_b.id), subject.move_to(b, in_a.id));
        assert!(
            matches!((&first, &second), (Ok(_), Err(NodeError::Cycle)) | (Err(NodeError::Cycle), Ok(_))),
            "{first:?} {second:?}"
        );
        for id in [a.id, b.id] {
            let path = subject.store.find_path(id).await.unwrap().unwrap();
            assert_eq!(path.ancestors[0].id, subject.root());
        }
    }
}

async fn chain(subject: &FilesSubject, mut parent: FileId, length: usize) -> Vec<Node> {
    let mut nodes = Vec::with_capacity(length);
    for level in 0..length {
        let node = subject.folder(parent, &format!("level {level}")).await;
        parent = node.id;
        nodes.push(node);
    }
    nodes
}

pub async fn nothing_lies_deeper_than_the_limit(subject: &FilesSubject) {
    let chain = chain(subject, subject.root(), MAX_DEPTH - 1).await;
    let last = chain[MAX_DEPTH - 2].id;
    let folder = subject.folder(last, "the deepest").await;
    let file = subject.file(last, "as deep", 1).await;
    assert_eq!(subject.store.find_path(file.id).await.unwrap().unwrap().depth(), MAX_DEPTH);
    let below = subject.store.create_folder(&subject.new_folder(folder.id, "too deep")).await;
    assert!(matches!(below, Err(NodeError::TooDeep)), "{below:?}");
    let below = subject.commit(&subject.upload(folder.id, "too deep", 1)).await;
    assert!(matches!(below, Err(NodeError::TooDeep)), "{below:?}");
    let other = subject.file(subject.root(), "other", 1).await;
    let moved = subject.move_to(&other, folder.id).await;
    assert!(matches!(moved, Err(NodeError::TooDeep)), "{moved:?}");
    subject.move_to(&other, last).await.unwrap();
}

pub async fn a_move_counts_the_height_of_what_it_moves(subject: &FilesSubject) {
    let target = chain(subject, subject.root(), MAX_DEPTH - 3).await;
    let flat = subject.folder(subject.root(), "flat").await;
    let high = chain(subject, flat.id, 3).await;
    // flat would come to lie at MAX_DEPTH - 2, and its lowest folder one below the limit
    let deepest = target[MAX_DEPTH - 5].id;
    let moved = subject.move_to(&flat, target[MAX_DEPTH - 4].id).await;
    assert!(matches!(moved, Err(NodeError::TooDeep)), "{moved:?}");
    let file = subject.file(high[2].id, "a file counts as well", 1).await;
    let moved = subject.move_to(&flat, deepest).await;
    assert!(matches!(moved, Err(NodeError::TooDeep)), "{moved:?}");
    subject.trash(file.id).await;
    let moved = subject.move_to(&flat, deepest).await;
    assert!(matches!(moved, Err(NodeError::TooDeep)), "what is in the trash can come back: {moved:?}");
    subject.delete(file.id).await;
    subject.move_to(&flat, deepest).await.unwrap();
    assert_eq!(subject.store.find_path(high[2].id).await.unwrap().unwrap().depth(), MAX_DEPTH);
    // and back up again
    subject.move_to(&flat, subject.root()).await.unwrap();
}

pub async fn a_move_counts_what_was_moved_before(subject: &FilesSubject) {
    let (half, rest) = (MAX_DEPTH / 2 - 4, 20);
    let upper = subject.folder(subject.root(), "upper").await;
    let lower = subject.folder(subject.root(), "lower").await;
    let aside = subject.folder(subject.root(), "aside").await;
    let upper_chain = chain(subject, upper.id, half).await;
    chain(subject, lower.id, half).await;
    let aside_chain = chain(subject, aside.id, rest).await;
    // nothing was ever made this deep, it came there by a move
    subject.move_to(&lower, upper_chain[half - 1].id).await.unwrap();
    let moved = subject.move_to(&upper, aside_chain[rest - 1].id).await;
    assert!(matches!(moved, Err(NodeError::TooDeep)), "{moved:?}");
}

pub async fn public_is_set_and_lifted_once(subject: &FilesSubject) {
    let folder = subject.folder(subject.root(), "a").await;
    let (store, since) = (&subject.store, subject.now());
    let opened = store.set_public(folder.id, true, subject.user, since).await.unwrap();
    assert_eq!(opened.revision, folder.revision + 1);
    assert_eq!(opened.public.map(|public| (public.by, public.since)), Some((subject.user, since)));
    subject.clock.advance(std::time::Duration::from_secs(1));
    let again = store.set_public(folder.id, true, subject.ids.next(), subject.now()).await.unwrap();
    assert_eq!(again, opened, "repeating changes nothing");
    let closed = store.set_public(folder.id, false, subject.user, subject.now()).await.unwrap();
    assert_eq!(closed, Node { public: None, revision: opened.revision + 1, ..opened });
    assert_eq!(store.set_public(folder.id, false, subject.user, subject.now()).await.unwrap(), closed);
    subject.trash(folder.id).await;
    let result = store.set_public(folder.id, false, subject.user, subject.now()).await;
    assert!(matches!(result, Err(NodeError::NotFound)), "{result:?}");
}
