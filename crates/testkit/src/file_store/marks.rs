//! What every [`MarkStore`](common::files::MarkStore) promises.

use std::time::Duration;

use common::files::{Dated, Node, NodeError, Tag, TagCount};
use common::{FileId, IdGen as _, SpaceId, UserId};

use super::AccessSubject;

fn tag(text: &str) -> Tag {
    Tag::parse(text).expect("the test gives a good tag")
}

fn tags(texts: &[&str]) -> Vec<Tag> {
    texts.iter().map(|text| tag(text)).collect()
}

impl AccessSubject {
    async fn tagged(&self, node: &Node, texts: &[&str]) -> Node {
        self.marks.set_tags(node.id, None, &tags(texts)).await.expect("a live node can be tagged")
    }

    async fn by_tag(&self, space: SpaceId, text: &str) -> Vec<FileId> {
        let all = self.marks.list_tagged(space, &tag(text), None, 1000).await.unwrap();
        assert_eq!(self.marks.count_tagged(space, &tag(text)).await.unwrap(), all.len() as u64);
        let mut paged: Vec<FileId> = Vec::new();
        while let [next] =
            self.marks.list_tagged(space, &tag(text), paged.last().copied(), 1).await.unwrap()[..]
        {
            paged.push(next);
        }
        assert_eq!(paged, all);
        all
    }

    async fn starred(&self, user: UserId) -> Vec<FileId> {
        let all = self.marks.list_starred(user, None, 1000).await.unwrap();
        assert_eq!(self.marks.count_starred(user).await.unwrap(), all.len() as u64);
        let mut paged: Vec<Dated> = Vec::new();
        while let [next] = self.marks.list_starred(user, paged.last().copied(), 1).await.unwrap()[..] {
            paged.push(next);
        }
        assert_eq!(paged, all);
        all.into_iter().map(|starred| starred.node).collect()
    }

    async fn recent(&self, user: UserId) -> Vec<FileId> {
        let all = self.marks.list_recent(user, None, 1000).await.unwrap();
        let mut paged: Vec<Dated> = Vec::new();
        while let [next] = self.marks.list_recent(user, paged.last().copied(), 1).await.unwrap()[..] {
            paged.push(next);
        }
        assert_eq!(paged, all);
        all.into_iter().map(|recent| recent.node).collect()
    }
}

pub async fn tags_are_kept_as_given_and_found_folded(subject: &AccessSubject) {
    let (files, space) = (&subject.files, subject.files.space.id);
    let folder = files.folder(files.root(), "a").await;
    let file = files.file(folder.id, "x", 5).await;
    files.clock.advance(Duration::from_secs(1));
    let marked = subject.tagged(&file, &["Straße", "2024"]).await;
    let expected = Node { tags: tags(&["Straße", "2024"]), revision: file.revision + 1, ..file.clone() };
    assert_eq!(marked, expected);
    assert_eq!(files.node(file.id).await, Some(marked.clone()));
    assert_eq!(subject.tagged(&file, &["Straße", "2024"]).await, marked, "the same tags change nothing");
    subject.tagged(&folder, &["STRASSE"]).await;
    let other = files.file(files.root(), "y", 5).await;
    subject.tagged(&other, &["strasse", "x"]).await;
    let mut found = subject.by_tag(space, "sTRASSE").await;
    assert!(found.is_sorted_by(|a, b| a > b));
    found.sort_unstable();
    let mut all = [folder.id, file.id, other.id];
    all.sort_unstable();
    assert_eq!(found, all);
    assert_eq!(subject.by_tag(space, "2024").await, [file.id]);
    assert!(subject.by_tag(SpaceId(files.ids.object_id()), "2024").await.is_empty());
    let counts: Vec<(String, u64)> = subject
        .marks
        .list_tags(space, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|TagCount { tag, nodes }| (tag.folded(), nodes))
        .collect();
    assert_eq!(counts, [("2024".to_owned(), 1), ("strasse".to_owned(), 3), ("x".to_owned(), 1)]);
    assert_eq!(subject.marks.list_tags(space, 1).await.unwrap().len(), 1);
    // others take their place, and none take all away
    subject.tagged(&file, &["new"]).await;
    assert!(subject.by_tag(space, "2024").await.is_empty());
    assert_eq!(subject.by_tag(space, "NEW").await, [file.id]);
    assert_eq!(subject.tagged(&file, &[]).await.tags, []);
    assert!(subject.by_tag(space, "new").await.is_empty());
}

pub async fn only_a_live_node_is_tagged_and_as_it_was_seen(subject: &AccessSubject) {
    let files = &subject.files;
    let file = files.file(files.root(), "x", 5).await;
    let set = async |id, revision| subject.marks.set_tags(id, revision, &tags(&["a"])).await;
    let stale = set(file.id, Some(file.revision + 1)).await;
    assert!(matches!(stale, Err(NodeError::Changed)), "{stale:?}");
    let marked = set(file.id, Some(file.revision)).await.unwrap();
    files.trash(file.id).await;
    assert_eq!(files.node(file.id).await.unwrap().tags, marked.tags, "they wait for its return");
    for id in [file.id, FileId(files.ids.object_id())] {
        let result = set(id, None).await;
        assert!(matches!(result, Err(NodeError::NotFound)), "{result:?}");
        let result = subject.marks.set_star(id, files.user, Some(files.now())).await;
        assert!(matches!(result, Err(NodeError::NotFound)), "{result:?}");
        subject.marks.set_star(id, files.user, None).await.unwrap();
    }
}

pub async fn a_star_belongs_to_whoever_set_it(subject: &AccessSubject) {
    let files = &subject.files;
    let (a, b) = (files.file(files.root(), "a", 1).await, files.folder(files.root(), "b").await);
    let (me, other) = (files.user, subject.user());
    let star = async |id, user, on: bool| {
        files.clock.advance(Duration::from_secs(1));
        subject.marks.set_star(id, user, on.then(|| files.now())).await.unwrap();
    };
    star(b.id, me, true).await;
    star(a.id, me, true).await;
    star(b.id, other, true).await;
    // it stays as old as it is
    star(b.id, me, true).await;
    assert_eq!(subject.starred(me).await, [a.id, b.id]);
    assert_eq!(subject.starred(other).await, [b.id]);
    let mut mine = subject.marks.starred_of(me, &[a.id, b.id, files.root()]).await.unwrap();
    mine.sort_unstable();
    let mut both = [a.id, b.id];
    both.sort_unstable();
    assert_eq!(mine, both);
    assert_eq!(subject.marks.starred_of(other, &[a.id, b.id]).await.unwrap(), [b.id]);
    assert!(subject.marks.starred_of(me, &[]).await.unwrap().is_empty());
    // the node says that it has some, and is otherwise unchanged
    assert_eq!(files.node(a.id).await.unwrap(), Node { starred: true, ..a.clone() });
    star(b.id, me, false).await;
    star(b.id, me, false).await;
    assert_eq!(subject.starred(me).await, [a.id]);
    assert!(files.node(b.id).await.unwrap().starred, "somebody else's is there");
    star(b.id, other, false).await;
    assert_eq!(files.node(b.id).await.unwrap(), b);
}

pub async fn marks_go_with_their_node(subject: &AccessSubject) {
    let (files, space) = (&subject.files, subject.files.space.id);
    let folder = files.folder(files.root(), "a").await;
    let file = files.file(folder.id, "x", 5).await;
    for node in [&folder, &file] {
        subject.tagged(node, &["a"]).await;
        subject.marks.set_star(node.id, files.user, Some(files.now())).await.unwrap();
    }
    files.delete(folder.id).await;
    files.purged(folder.id).await;
    files.clock.advance(Duration::from_secs(1));
    files.store.purge(folder.id, 100, files.now(), files.now()).await.unwrap();
    assert!(subject.by_tag(space, "a").await.is_empty());
    assert!(subject.starred(files.user).await.is_empty());
    assert!(subject.marks.list_tags(space, 10).await.unwrap().is_empty());
}

pub async fn recent_is_what_somebody_gave_content_to(subject: &AccessSubject) {
    let files = &subject.files;
    let other = subject.user();
    let folder = files.folder(files.root(), "a").await;
    let mut made = Vec::new();
    for name in ["1", "2", "3"] {
        files.clock.advance(Duration::from_secs(1));
        made.push(files.file(folder.id, name, 1).await);
    }
    assert_eq!(subject.recent(files.user).await, [made[2].id, made[1].id, made[0].id]);
    files.clock.advance(Duration::from_secs(1));
    files.commit(&files.update(made[0].id, 2, 5)).await.unwrap();
    assert_eq!(subject.recent(files.user).await, [made[0].id, made[2].id, made[1].id]);
    let mut theirs = files.update(made[2].id, 3, 5);
    theirs.by = other;
    files.commit(&theirs).await.unwrap();
    assert_eq!(subject.recent(files.user).await, [made[0].id, made[1].id]);
    assert_eq!(subject.recent(other).await, [made[2].id]);
    files.trash(made[1].id).await;
    assert_eq!(subject.recent(files.user).await, [made[0].id], "what is in the trash by itself is left out");
}
