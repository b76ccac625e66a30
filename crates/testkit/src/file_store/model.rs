use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::files::{CommitTarget, Kind, NewFolder, Node, NodeError, Order, Sort};
use common::{FileId, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::{FilesSubject, named, query};

const KEEP_VERSIONS: u32 = 2;

/// A node as simply as it can be told.
#[derive(Debug, Clone)]
struct Plain {
    parent: Option<FileId>,
    name: String,
    kind: Kind,
    trashed: Option<Timestamp>,
    /// The folder that it returns to when that is there again, and the name that it had there.
    returns: Option<(FileId, Option<String>)>,
    /// Sizes of the kept contents, newest last.
    sizes: Vec<u64>,
}

impl Plain {
    fn new(parent: Option<FileId>, name: &str, kind: Kind, sizes: Vec<u64>) -> Self {
        Self { parent, name: name.to_owned(), kind, trashed: None, returns: None, sizes }
    }
}

/// The whole tree, as simply as it can be kept.
#[derive(Default)]
struct Model {
    nodes: BTreeMap<FileId, Plain>,
    /// Everything that ever was, to try what is gone as well.
    ever: Vec<FileId>,
    tombstones: Vec<FileId>,
}

impl Model {
    fn add(&mut self, id: FileId, plain: Plain) {
        self.nodes.insert(id, plain);
        self.ever.push(id);
    }

    fn ancestors(&self, id: FileId) -> Vec<FileId> {
        let mut way = Vec::new();
        let mut at = self.nodes.get(&id).and_then(|node| node.parent);
        while let Some(id) = at {
            way.push(id);
            at = self.nodes[&id].parent;
        }
        way
    }

    /// There, and neither in the trash by itself nor by a folder above.
    fn is_live(&self, id: FileId) -> bool {
        let trashed = |id: &FileId| self.nodes[id].trashed.is_some();
        self.nodes.contains_key(&id) && !trashed(&id) && !self.ancestors(id).iter().any(trashed)
    }

    fn takes_children(&self, id: FileId) -> bool {
        self.is_live(id) && self.nodes[&id].kind == Kind::Folder
    }

    fn children(&self, parent: FileId) -> impl Iterator<Item = (&FileId, &Plain)> {
        self.nodes.iter().filter(move |(_, node)| node.parent == Some(parent) && node.trashed.is_none())
    }

    fn holder(&self, parent: FileId, name: &str) -> Option<FileId> {
        self.children(parent).find(|(_, node)| node.name == name).map(|(id, _)| *id)
    }

    fn remove_tree(&mut self, id: FileId) {
        let below: Vec<_> =
            self.nodes.keys().filter(|node| self.ancestors(**node).contains(&id)).copied().collect();
        for id in below {
            self.nodes.remove(&id);
        }
        self.nodes.remove(&id);
    }
}

struct Walk<'s> {
    subject: &'s FilesSubject,
    model: Model,
    random: StdRng,
    seed: u64,
}

pub async fn random_changes_agree_with_a_model(subject: &FilesSubject) {
    for seed in 0..6 {
        let owner = subject.ids.next();
        let fresh = (subject.ids.next(), subject.ids.next());
        let space = subject.store.ensure_space(owner, fresh, None, subject.now()).await.unwrap();
        let mut model = Model::default();
        model.add(space.root, Plain::new(None, "", Kind::Folder, Vec::new()));
        let nodes_before = subject.store.count_nodes().await.unwrap();
        let mut walk = Walk { subject, model, random: StdRng::seed_from_u64(seed), seed };
        for step in 0..150 {
            walk.step().await;
            if step % 50 == 49 {
                walk.compare(space.id, nodes_before).await;
            }
        }
    }
}

impl Walk<'_> {
    fn any(&mut self) -> FileId {
        // mostly what is there, sometimes what is gone
        let there: Vec<_> = self.model.nodes.keys().copied().collect();
        let from = if self.random.random_bool(0.9) { &there } else { &self.model.ever };
        *from.choose(&mut self.random).unwrap()
    }

    fn name(&mut self) -> String {
        format!("n{}", self.random.random_range(0..6))
    }

    async fn step(&mut self) {
        self.subject.clock.advance(Duration::from_millis(1));
        match self.random.random_range(0..20) {
            0..=4 => self.create(Kind::Folder).await,
            5..=9 => self.create(Kind::File).await,
            10..=11 => self.update().await,
            12..=14 => self.relocate().await,
            15..=16 => self.trash().await,
            17 => self.restore().await,
            18 => self.delete().await,
            _ => self.purge_some().await,
        }
    }

    /// The store must do what the model allows and nothing else.
    fn agree<T: std::fmt::Debug>(
        &self,
        what: &str,
        result: Result<T, NodeError>,
        allowed: bool,
    ) -> Option<T> {
        let seed = self.seed;
        match result {
            Ok(value) => {
                assert!(allowed, "seed {seed}: {what} must fail, but gave {value:?}");
                Some(value)
            }
            Err(NodeError::Port(error)) => panic!("seed {seed}: {what}: {error:?}"),
            Err(error) => {
                assert!(!allowed, "seed {seed}: {what} must succeed, but: {error}");
                None
            }
        }
    }

    async fn create(&mut self, kind: Kind) {
        let (parent, name, rename) = (self.any(), self.name(), self.random.random_bool(0.4));
        let holder = self.model.takes_children(parent).then(|| self.model.holder(parent, &name));
        let allowed = holder.is_some_and(|holder| rename || holder.is_none());
        let size = self.random.random_range(0..50);
        let result = if kind == Kind::Folder {
            let new = NewFolder { rename_if_taken: rename, ..self.subject.new_folder(parent, &name) };
            self.subject.store.create_folder(&new).await
        } else {
            let mut commit = self.subject.upload(parent, &name, size);
            if let CommitTarget::New(file) = &mut commit.target {
                file.rename_if_taken = rename;
            }
            self.subject.commit(&commit).await.map(|committed| committed.node)
        };
        let Some(node) = self.agree("create", result, allowed) else { return };
        let got = node.name.as_str();
        assert_eq!(self.model.holder(parent, got), None, "the given name was free");
        assert!(got == name || holder.is_some_and(|holder| holder.is_some()) && got.starts_with(&name));
        let sizes = if kind == Kind::File { vec![size as u64] } else { Vec::new() };
        self.model.add(node.id, Plain::new(Some(parent), got, kind, sizes));
    }

    async fn update(&mut self) {
        let (id, size) = (self.any(), self.random.random_range(0..50));
        let allowed = self.model.is_live(id) && self.model.nodes[&id].kind == Kind::File;
        let result = self.subject.commit(&self.subject.update(id, size, KEEP_VERSIONS)).await;
        if self.agree("update", result, allowed).is_some()
            && let Some(node) = self.model.nodes.get_mut(&id)
        {
            node.sizes.push(size as u64);
            let surplus = node.sizes.len().saturating_sub(KEEP_VERSIONS as usize + 1);
            node.sizes.drain(..surplus);
        }
    }

    async fn relocate(&mut self) {
        let (id, target, name) = (self.any(), self.any(), self.name());
        let target = if self.random.random_bool(0.3) {
            self.model.nodes.get(&id).and_then(|node| node.parent).unwrap_or(target)
        } else {
            target
        };
        let allowed = self.model.is_live(id)
            && self.model.nodes[&id].parent.is_some()
            && self.model.takes_children(target)
            && target != id
            && !self.model.ancestors(target).contains(&id)
            && self.model.holder(target, &name).is_none_or(|holder| holder == id);
        let result = self.subject.store.relocate(id, None, &named(&name), target, self.subject.now()).await;
        if self.agree("relocate", result, allowed).is_some()
            && let Some(node) = self.model.nodes.get_mut(&id)
        {
            let stays = node.parent == Some(target);
            if (stays, &node.name) != (true, &name) {
                node.returns = node.returns.take().filter(|_| stays).map(|(folder, _)| (folder, None));
            }
            (node.parent, node.name) = (Some(target), name);
        }
    }

    async fn trash(&mut self) {
        let id = self.any();
        let allowed = self.model.is_live(id) && self.model.nodes[&id].parent.is_some();
        let result = self.subject.store.trash(id, None, self.subject.user, self.subject.now()).await;
        if self.agree("trash", result, allowed).is_some()
            && let Some(node) = self.model.nodes.get_mut(&id)
        {
            node.trashed = Some(self.subject.now());
            node.returns = None;
        }
    }

    async fn restore(&mut self) {
        let trashed: Vec<_> =
            self.model.nodes.iter().filter(|(_, node)| node.trashed.is_some()).map(|(id, _)| *id).collect();
        let id = trashed.choose(&mut self.random).copied().unwrap_or_else(|| self.any());
        let allowed = self.model.nodes.get(&id).is_some_and(|node| node.trashed.is_some());
        let result = self.subject.store.restore(id, self.subject.now()).await;
        let Some(node) = self.agree("restore", result, allowed) else { return };
        let old = self.model.nodes[&id].parent.unwrap();
        let way = self.model.ancestors(id);
        let target = *way.iter().find(|folder| self.model.is_live(**folder)).unwrap();
        assert_eq!(node.parent, Some(target), "seed {}", self.seed);
        assert_eq!(self.model.holder(target, node.name.as_str()), None);
        let plain = self.model.nodes.get_mut(&id).unwrap();
        let asked = std::mem::replace(&mut plain.name, node.name.as_str().to_owned());
        plain.returns = (target != old).then(|| (old, (asked != plain.name).then_some(asked)));
        plain.trashed = None;
        plain.parent = Some(target);
        self.return_all().await;
    }

    /// What belongs into a folder that is there again has returned to it.
    async fn return_all(&mut self) {
        let returning: Vec<_> = self
            .model
            .nodes
            .iter()
            .filter_map(|(id, node)| Some((*id, node.returns.clone()?)))
            .filter(|(id, (folder, _))| self.model.is_live(*id) && self.model.is_live(*folder))
            .collect();
        for (id, (folder, name)) in returning {
            let stays = folder == id || self.model.ancestors(folder).contains(&id);
            let got = self.subject.node(id).await.unwrap();
            let taken = |name: &str| self.model.holder(folder, name).is_some();
            let node = &self.model.nodes[&id];
            let name = name.unwrap_or_else(|| node.name.clone());
            if stays {
                assert_eq!((got.parent, got.name.as_str()), (node.parent, node.name.as_str()));
            } else {
                assert_eq!(got.parent, Some(folder), "seed {}", self.seed);
                let got = got.name.as_str();
                assert!(if taken(&name) { got.starts_with(&name) && !taken(got) } else { got == name });
            }
            let plain = self.model.nodes.get_mut(&id).unwrap();
            (plain.parent, plain.name, plain.returns) = (got.parent, got.name.as_str().to_owned(), None);
        }
    }

    async fn delete(&mut self) {
        let id = self.any();
        let allowed = self.model.nodes.get(&id).is_some_and(|node| node.parent.is_some());
        let result = self.subject.store.delete(id, None, None, self.subject.now(), &[]).await;
        if self.agree("delete", result, allowed).is_some() {
            self.model.remove_tree(id);
            self.model.tombstones.push(id);
        }
    }

    async fn purge_some(&mut self) {
        let Some(tombstone) = self.model.tombstones.choose(&mut self.random).copied() else { return };
        let now = self.subject.now();
        self.subject.store.purge(tombstone, self.random.random_range(1..5), now, now).await.unwrap();
    }

    /// Ends all purges, then counts everything again by what callers can see.
    async fn compare(&mut self, space: common::SpaceId, nodes_before: u64) {
        let (subject, model, seed) = (self.subject, &mut self.model, self.seed);
        subject.clock.advance(Duration::from_millis(1));
        for tombstone in model.tombstones.drain(..) {
            while !subject.store.purge(tombstone, 3, subject.now(), subject.now()).await.unwrap().done {}
        }
        assert!(subject.store.list_tombstones(Timestamp::MAX, 10).await.unwrap().is_empty());
        for id in &model.ever {
            let found = subject.store.find_path(*id).await.unwrap();
            let Some(plain) = model.nodes.get(id) else {
                assert_eq!(found, None, "seed {seed}");
                continue;
            };
            let path = found.unwrap_or_else(|| panic!("seed {seed}: {id} is gone"));
            let mut way = model.ancestors(*id);
            way.reverse();
            assert_eq!(path.ancestors.iter().map(|crumb| crumb.id).collect::<Vec<_>>(), way);
            assert_eq!(path.in_trash(), !model.is_live(*id));
            check(&path.node, plain);
            let children: BTreeSet<_> = model.children(*id).map(|(id, _)| *id).collect();
            assert_eq!(path.node.child_count, children.len() as u64, "seed {seed}: child_count of {id}");
            let page = subject.store.list_children(*id, &query(Sort::Name, Order::Asc, 1000)).await.unwrap();
            assert_eq!(page.items.iter().map(|node| node.id).collect::<BTreeSet<_>>(), children);
            assert_eq!(page.total, children.len() as u64);
        }
        let usage = subject.store.usage(space).await.unwrap();
        let used: u64 = model.nodes.values().flat_map(|node| &node.sizes).sum();
        let trashed: BTreeSet<_> =
            model.nodes.iter().filter(|(_, node)| node.trashed.is_some()).map(|(id, _)| *id).collect();
        let node_count = model.nodes.len() as u64 - 1;
        assert_eq!(
            (usage.used_bytes, usage.node_count, usage.trash_count, usage.reserved_bytes),
            (used, node_count, trashed.len() as u64, 0),
            "seed {seed}"
        );
        assert_eq!(subject.store.count_nodes().await.unwrap() - nodes_before, node_count);
        let page = subject.store.list_trash(space, None, 1000).await.unwrap();
        assert_eq!(page.items.iter().map(|node| node.id).collect::<BTreeSet<_>>(), trashed);
    }
}

fn check(node: &Node, plain: &Plain) {
    assert_eq!((node.name.as_str(), node.kind), (plain.name.as_str(), plain.kind));
    assert_eq!(node.trashed.map(|trashed| trashed.at), plain.trashed);
    assert_eq!(node.content.as_ref().map(|content| content.size), plain.sizes.last().copied());
}
