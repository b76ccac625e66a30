use std::time::Duration;

use common::files::{Kind, ListQuery, Node, Order, Position, Sort, SortValue};
use common::{FileId, Timestamp};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};

use super::{FilesSubject, named, query};

const SORTS: [Sort; 4] = [Sort::Name, Sort::Size, Sort::ModifiedAt, Sort::Type];

pub async fn an_empty_folder_lists_nothing(subject: &FilesSubject) {
    let file = subject.file(subject.root(), "a", 1).await;
    let folder = subject.folder(subject.root(), "b").await;
    for parent in [folder.id, file.id, subject.ids.next()] {
        for folders_first in [true, false] {
            let query = ListQuery { folders_first, ..query(Sort::Name, Order::Asc, 10) };
            let page = subject.store.list_children(parent, &query).await.unwrap();
            assert_eq!((page.items.len(), page.more, page.total), (0, false, 0));
        }
        assert!(subject.store.list_children_by_id(parent, 0, 10).await.unwrap().is_empty());
    }
}

/// Names that sort differently by text, by nature and by case.
const NAMES: [&str; 14] =
    ["img1", "img2", "img10", "IMG3", "img02", "a", "A", "ä", "z", "日本", "10", "9", "x.txt", "X.TXT"];

/// Some folders and files in one folder, with many ties in size, time and type, and some of them gone again.
async fn filled(subject: &FilesSubject, seed: u64) -> (FileId, Vec<Node>) {
    let mut random = StdRng::seed_from_u64(seed);
    let folder = subject.folder(subject.root(), &format!("filled {seed}")).await.id;
    let mut names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    names.extend((0..26).map(|n| format!("{} {}", NAMES[n % NAMES.len()], random.random_range(0..1000))));
    names.sort_unstable();
    names.dedup();
    names.shuffle(&mut random);
    let mut nodes = Vec::new();
    for name in &names {
        if random.random_bool(0.3) {
            subject.clock.advance(Duration::from_millis(1));
        }
        let node = if random.random_bool(0.4) {
            subject.folder(folder, name).await
        } else {
            let mut commit = subject.upload(folder, name, random.random_range(0..4));
            commit.content.mime =
                (*["text/plain", "image/png", "application/pdf"].choose(&mut random).unwrap()).into();
            subject.commit(&commit).await.unwrap().node
        };
        match random.random_range(0..12) {
            0 => drop(subject.trash(node.id).await),
            1 => subject.delete(node.id).await,
            _ => nodes.push(node),
        }
    }
    (folder, nodes)
}

fn sorted(nodes: &[Node], query: &ListQuery) -> Vec<FileId> {
    fn value(node: &Node, sort: Sort) -> (u64, Timestamp, String, String) {
        match Position::of(node, sort).value {
            SortValue::Name(name) => (0, Timestamp::default(), String::new(), name),
            SortValue::Size(size) => (size, Timestamp::default(), String::new(), String::new()),
            SortValue::ModifiedAt(at) => (0, at, String::new(), String::new()),
            SortValue::Type(mime, name) => (0, Timestamp::default(), mime, name),
        }
    }
    let mut nodes: Vec<&Node> =
        nodes.iter().filter(|node| query.kind.is_none_or(|kind| kind == node.kind)).collect();
    nodes.sort_by(|a, b| {
        let order = (value(a, query.sort), a.id).cmp(&(value(b, query.sort), b.id));
        let order = if query.order == Order::Desc { order.reverse() } else { order };
        if query.folders_first { a.kind.cmp(&b.kind).then(order) } else { order }
    });
    nodes.into_iter().map(|node| node.id).collect()
}

fn all_queries(limit: u32) -> Vec<ListQuery> {
    let mut queries = Vec::new();
    for sort in SORTS {
        for order in [Order::Asc, Order::Desc] {
            for folders_first in [true, false] {
                for kind in [None, Some(Kind::Folder), Some(Kind::File)] {
                    queries.push(ListQuery {
                        sort,
                        order,
                        folders_first,
                        kind,
                        after: None,
                        offset: 0,
                        limit,
                    });
                }
            }
        }
    }
    queries
}

pub async fn every_sort_pages_as_it_sorts_in_memory(subject: &FilesSubject) {
    for seed in 0..if cfg!(feature = "long") { 3 } else { 1 } {
        let (folder, nodes) = filled(subject, seed).await;
        for limit in [1, 3, 7, 1000] {
            for start in all_queries(limit) {
                let expected = sorted(&nodes, &start);
                let (mut query, mut listed) = (start.clone(), Vec::new());
                loop {
                    let page = subject.store.list_children(folder, &query).await.unwrap();
                    assert_eq!(page.total, expected.len() as u64, "{query:?}");
                    assert!(page.items.len() <= limit as usize);
                    for node in &page.items {
                        assert!(nodes.contains(node), "whole nodes are listed");
                    }
                    listed.extend(page.items.iter().map(|node| node.id));
                    assert!(listed.len() <= expected.len(), "pages come forward: {query:?}");
                    query.after = page.items.last().map(|node| Position::of(node, query.sort));
                    if !page.more {
                        break;
                    }
                    assert_eq!(page.items.len(), limit as usize, "a page with more to come is full");
                }
                assert_eq!(listed, expected, "{start:?}");
            }
        }
    }
}

pub async fn a_position_outlives_its_node(subject: &FilesSubject) {
    let (folder, nodes) = filled(subject, 10).await;
    for (n, start) in all_queries(5).into_iter().enumerate().step_by(5) {
        let mut left: Vec<Node> = Vec::new();
        for node in &nodes {
            left.extend(subject.node(node.id).await.filter(|node| node.trashed.is_none()));
        }
        let expected = sorted(&left, &start);
        let page = subject.store.list_children(folder, &start).await.unwrap();
        let Some(last) = page.items.last().filter(|_| page.more) else { continue };
        let after = Some(Position::of(last, start.sort));
        if n % 2 == 0 {
            subject.trash(last.id).await;
        } else {
            subject
                .store
                .relocate(last.id, None, &named(&format!("elsewhere {n}")), subject.root(), subject.now())
                .await
                .unwrap();
        }
        let next = subject.store.list_children(folder, &ListQuery { after, ..start.clone() }).await.unwrap();
        let ids: Vec<_> = next.items.iter().map(|node| node.id).collect();
        assert_eq!(ids, expected[5..(5 + ids.len())], "{start:?}");
        if n % 2 == 0 {
            subject.store.restore(last.id, subject.now()).await.unwrap();
        } else {
            subject.store.relocate(last.id, None, &last.name, folder, subject.now()).await.unwrap();
        }
    }
}

pub async fn an_offset_leaves_out_as_many(subject: &FilesSubject) {
    let (folder, nodes) = filled(subject, 20).await;
    for start in all_queries(4) {
        let expected = sorted(&nodes, &start);
        for offset in [0, 1, 5, 11, 20, 1000] {
            for skipped in [0, 3] {
                let after = match skipped {
                    0 => None,
                    n => expected.get(n - 1).and_then(|id| nodes.iter().find(|node| node.id == *id)),
                };
                let query = ListQuery {
                    offset,
                    after: after.map(|node| Position::of(node, start.sort)),
                    ..start.clone()
                };
                let page = subject.store.list_children(folder, &query).await.unwrap();
                let from = expected.len().min(offset as usize + if after.is_some() { skipped } else { 0 });
                let to = expected.len().min(from + 4);
                let ids: Vec<_> = page.items.iter().map(|node| node.id).collect();
                assert_eq!(
                    (ids.as_slice(), page.more),
                    (&expected[from..to], to < expected.len()),
                    "{query:?}"
                );
                assert_eq!(page.total, expected.len() as u64);
            }
        }
    }
}

pub async fn the_classic_list_is_newest_first(subject: &FilesSubject) {
    let (folder, mut nodes) = filled(subject, 30).await;
    nodes.sort_unstable_by_key(|node| std::cmp::Reverse(node.id));
    for (offset, limit) in [(0, 5), (0, 1000), (3, 7), (20, 100), (1000, 5)] {
        let listed = subject.store.list_children_by_id(folder, offset, limit).await.unwrap();
        let expected: Vec<_> = nodes.iter().skip(offset as usize).take(limit as usize).cloned().collect();
        assert_eq!(listed, expected, "{offset} {limit}");
    }
}
