//! In which order things are taken over, and into which folders.
//!
//! The original holds nothing together: a parent may be gone, be a file, belong to somebody else, or lie inside its own child. What has no way to its
//! owner's root is put there, so that nobody loses a file because a folder is wrong.

use std::collections::{HashMap, HashSet};

use common::files::{ClassicType, MAX_DEPTH};
use common::{FileId, UserId};

use super::old::{OldFile, OldParent};

/// A file or folder in its turn: folders before what is in them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planned {
    pub(super) file: OldFile,
    /// None is the root of its owner.
    pub(super) parent: Option<FileId>,
    /// Why it comes to lie in the root although it was elsewhere.
    pub(super) moved: Option<&'static str>,
}

/// What of some files can be taken over, in order, and what cannot, with the reason.
pub(super) fn plan(
    files: Vec<OldFile>,
    owners: &HashSet<UserId>,
) -> (Vec<Planned>, Vec<(OldFile, &'static str)>) {
    let (mut left, mut taken) = (Vec::new(), Vec::new());
    let mut ids = HashSet::new();
    for file in files {
        if !owners.contains(&file.owner) {
            left.push((file, "its account was not taken"));
        } else if ids.insert(file.id) {
            taken.push(Planned { file, parent: None, moved: None });
        } else {
            left.push((file, "its id was in the dump before"));
        }
    }
    taken.sort_by_key(|planned| planned.file.id);
    let folders: HashMap<FileId, (usize, UserId)> = taken
        .iter()
        .enumerate()
        .filter(|(_, planned)| planned.file.kind == ClassicType::Folder)
        .map(|(at, planned)| (planned.file.id, (at, planned.file.owner)))
        .collect();
    for planned in &mut taken {
        (planned.parent, planned.moved) = match planned.file.parent {
            OldParent::Root => (None, None),
            OldParent::Unreadable => (None, Some("its parentId names no folder")),
            OldParent::Folder(id) => match folders.get(&id) {
                Some((_, owner)) if *owner == planned.file.owner => (Some(id), None),
                Some(_) => (None, Some("its folder belongs to another account")),
                None => (None, Some("its folder is not there, or is none")),
            },
        };
    }
    let depths = depths(&mut taken, &folders);
    let mut in_order: Vec<_> = depths.into_iter().zip(taken).collect();
    // a folder's parent is less deep than it; files come last, whatever folder they are in
    in_order
        .sort_by_key(|(depth, planned)| (planned.file.kind != ClassicType::Folder, *depth, planned.file.id));
    (in_order.into_iter().map(|(_, planned)| planned).collect(), left)
}

/// How deep everything lies. What lies in a ring, or too deep, is put into the root.
fn depths(taken: &mut [Planned], folders: &HashMap<FileId, (usize, UserId)>) -> Vec<usize> {
    let index = |id: Option<FileId>| id.and_then(|id| folders.get(&id)).map(|(at, _)| *at);
    let mut depths: Vec<Option<usize>> = vec![None; taken.len()];
    let mut on_way = vec![false; taken.len()];
    for start in 0..taken.len() {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at {
            if depths[here].is_some() {
                break;
            }
            if on_way[here] {
                // a ring: its oldest folder is let go, always the same one
                let ring = way.iter().position(|step| *step == here).unwrap_or_default();
                let first = way[ring..].iter().copied().min().unwrap_or(here);
                (taken[first].parent, taken[first].moved) =
                    (None, Some("its folders lie inside one another"));
                break;
            }
            on_way[here] = true;
            way.push(here);
            at = index(taken[here].parent);
        }
        for here in &way {
            on_way[*here] = false;
        }
        settle(taken, &mut depths, start, &index);
    }
    depths.into_iter().map(|depth| depth.unwrap_or(1)).collect()
}

/// Notes the depth of one thing and of all above it. There is no ring above it any more.
fn settle(
    taken: &mut [Planned],
    depths: &mut [Option<usize>],
    start: usize,
    index: &impl Fn(Option<FileId>) -> Option<usize>,
) {
    let mut way = Vec::new();
    let mut at = Some(start);
    while let Some(here) = at.filter(|here| depths[*here].is_none()) {
        way.push(here);
        at = index(taken[here].parent);
    }
    for here in way.into_iter().rev() {
        let above = index(taken[here].parent).and_then(|parent| depths[parent]).unwrap_or(0);
        depths[here] = Some(if above < MAX_DEPTH {
            above + 1
        } else {
            (taken[here].parent, taken[here].moved) = (None, Some("it lay too deep"));
            1
        });
    }
}

#[cfg(test)]
mod tests {
    use common::ObjectId;

    use super::*;

    fn id(number: u32) -> FileId {
        let mut bytes = [0; 12];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        FileId(ObjectId::from_bytes(bytes))
    }

    fn file(number: u32, kind: ClassicType, parent: u32) -> OldFile {
        OldFile {
            id: id(number),
            owner: UserId::from_bytes([1; 12]),
            name: number.to_string(),
            kind,
            public: false,
            parent: if parent == 0 { OldParent::Root } else { OldParent::Folder(id(parent)) },
            local_path: None,
        }
    }

    fn planned(files: Vec<OldFile>) -> Vec<(String, Option<FileId>, Option<&'static str>)> {
        let owners = HashSet::from([UserId::from_bytes([1; 12])]);
        let (planned, left) = plan(files, &owners);
        assert!(left.is_empty(), "{left:?}");
        planned.into_iter().map(|planned| (planned.file.name, planned.parent, planned.moved)).collect()
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        use ClassicType::{File, Folder};
        let plan =
            planned(vec![file(1, File, 3), file(2, Folder, 4), file(3, Folder, 2), file(4, Folder, 0)]);
        let order: Vec<_> = plan.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(order, ["4", "2", "3", "1"]);
        assert!(plan.iter().all(|(.., moved)| moved.is_none()));
    }

    #[test]
    fn a_ring_is_opened_at_its_oldest_folder_whatever_hangs_on_it() {
        use ClassicType::{File, Folder};
        let files = vec![
            file(1, File, 9),
            file(5, Folder, 7),
            file(6, Folder, 5),
            file(7, Folder, 6),
            file(8, Folder, 8),
            file(9, Folder, 7),
        ];
        for turn in 0..files.len() {
            let mut turned = files.clone();
            turned.rotate_left(turn);
            let plan = planned(turned);
            let moved: Vec<_> =
                plan.iter().filter(|(.., moved)| moved.is_some()).map(|(name, ..)| name.as_str()).collect();
            assert_eq!(moved, ["5", "8"]);
            let mut there = HashSet::new();
            for (name, parent, _) in plan {
                assert!(
                    parent.is_none_or(|parent| there.contains(&parent)),
                    "{name} comes before its folder"
                );
                there.insert(id(name.parse().unwrap()));
            }
        }
    }

    #[test]
    fn what_has_no_folder_or_lies_too_deep_is_put_into_the_root() {
        use ClassicType::{File, Folder};
        let mut files = vec![file(1, File, 99), file(2, File, 1)];
        files.push(OldFile { parent: OldParent::Unreadable, ..file(3, File, 0) });
        let depth = u32::try_from(MAX_DEPTH).unwrap();
        files.extend((0..=depth).map(|n| file(1000 + n, Folder, if n == 0 { 0 } else { 999 + n })));
        let plan = planned(files);
        let moved: Vec<_> = plan
            .iter()
            .filter_map(|(name, parent, moved)| Some((name.as_str(), *parent, (*moved)?)))
            .collect();
        let deep = (1000 + depth).to_string();
        assert_eq!(
            moved,
            [
                (deep.as_str(), None, "it lay too deep"),
                ("1", None, "its folder is not there, or is none"),
                ("2", None, "its folder is not there, or is none"),
                ("3", None, "its parentId names no folder"),
            ]
        );
    }

    #[test]
    fn what_belongs_to_nobody_and_what_comes_twice_is_left() {
        let stranger = OldFile { owner: UserId::from_bytes([2; 12]), ..file(1, ClassicType::File, 0) };
        let twice = file(2, ClassicType::File, 0);
        let owners = HashSet::from([UserId::from_bytes([1; 12])]);
        let (planned, left) = plan(vec![stranger, twice.clone(), twice], &owners);
        assert_eq!(planned.len(), 1);
        let reasons: Vec<_> = left.iter().map(|(_, reason)| *reason).collect();
        assert_eq!(reasons, ["its account was not taken", "its id was in the dump before"]);
    }
}
