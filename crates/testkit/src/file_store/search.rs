//! What every [`SearchStore`](common::files::SearchStore) promises.

use std::time::Duration;

use common::files::search::{
    IndexedText, MimeFilter, Rank, Ranked, SearchFilter, SearchQuery, SearchScope, words_of_search,
};
use common::files::{Commit, CommitTarget, Kind, NewContent, NewFile, Node, Tag};
use common::jobs::types;
use common::{BlobKey, FileId, IdGen as _, JobId, SpaceId};

use super::{AccessSubject, named};

impl AccessSubject {
    fn asked(&self, text: &str) -> SearchQuery {
        SearchQuery {
            words: words_of_search(text),
            scopes: vec![SearchScope { space: self.files.space.id, below: None }],
            filter: SearchFilter::default(),
            after: None,
            limit: 1000,
        }
    }

    /// All that is found, page by page, too.
    async fn found(&self, query: &SearchQuery) -> Vec<Ranked> {
        let all = self.search.search(query).await.unwrap();
        assert!(!all.incomplete);
        let all = all.nodes;
        for limit in [1, 2] {
            let mut paged: Vec<Ranked> = Vec::new();
            loop {
                let after = paged.last().copied().or(query.after);
                let page = SearchQuery { after, limit, ..query.clone() };
                let page = self.search.search(&page).await.unwrap().nodes;
                assert!(page.len() <= limit as usize);
                if page.is_empty() {
                    break;
                }
                paged.extend(page);
            }
            assert_eq!(paged, all, "by pages of {limit}");
        }
        all
    }

    pub(super) async fn ids(&self, text: &str) -> Vec<FileId> {
        self.found(&self.asked(text)).await.into_iter().map(|found| found.node).collect()
    }

    async fn ranks(&self, text: &str) -> Vec<(Rank, FileId)> {
        self.found(&self.asked(text)).await.into_iter().map(|found| (found.rank, found.node)).collect()
    }

    /// A new file, a second later than the one before.
    async fn next_file(&self, parent: FileId, name: &str) -> Node {
        self.files.clock.advance(Duration::from_secs(1));
        self.files.file(parent, name, 10).await
    }

    async fn keep(&self, blob: BlobKey, text: &str) -> bool {
        self.search.keep_text(blob, &IndexedText::new(text.to_owned())).await.unwrap()
    }

    async fn text_file(&self, parent: FileId, name: &str, text: &str) -> Node {
        let file = self.next_file(parent, name).await;
        assert!(self.keep(blob_of(&file), text).await);
        file
    }

    async fn set_tags(&self, node: &Node, tags: &[&str]) {
        let tags: Vec<Tag> = tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect();
        self.marks.set_tags(node.id, None, &tags).await.unwrap();
    }
}

fn blob_of(node: &Node) -> BlobKey {
    node.content.as_ref().expect("it is a file").blob
}

pub async fn names_go_before_tags_and_texts_and_words_before_beginnings(subject: &AccessSubject) {
    let root = subject.files.root();
    let text_prefix = subject.text_file(root, "1.txt", "the annuals of a garden").await;
    let text = subject.text_file(root, "2.txt", "an annual meeting").await;
    let tag_prefix = subject.next_file(root, "3").await;
    subject.set_tags(&tag_prefix, &["Annually"]).await;
    let tag = subject.next_file(root, "4").await;
    subject.set_tags(&tag, &["annual"]).await;
    let name_prefix = subject.next_file(root, "annual2024.pdf").await;
    let older = subject.next_file(root, "Annual report.pdf").await;
    let newer = subject.next_file(root, "report, annual.pdf").await;
    subject.next_file(root, "manual").await;
    let expected = [
        (Rank::Name, newer.id),
        (Rank::Name, older.id),
        (Rank::NamePrefix, name_prefix.id),
        (Rank::Tag, tag.id),
        (Rank::TagPrefix, tag_prefix.id),
        (Rank::Text, text.id),
        (Rank::TextPrefix, text_prefix.id),
    ];
    assert_eq!(subject.ranks("ANNUAL").await, expected);
    // where it stands best is where it counts
    subject.set_tags(&newer, &["annual"]).await;
    assert!(subject.keep(blob_of(&older), "annual").await);
    assert_eq!(subject.ranks("annual").await, expected);
    assert_eq!(subject.ids("annual rep").await, [newer.id, older.id]);
    assert!(subject.ids("annual rep missing").await.is_empty());
}

pub async fn each_word_may_stand_elsewhere(subject: &AccessSubject) {
    let root = subject.files.root();
    let file = subject.text_file(root, "Rechnung Müller.pdf", "Zahlbar bis Januar").await;
    subject.set_tags(&file, &["Steuer 2024"]).await;
    let other = subject.text_file(root, "Rechnung Meier.pdf", "Zahlbar bis Februar").await;
    for (text, expected) in [
        ("rechnung", vec![(Rank::Name, other.id), (Rank::Name, file.id)]),
        ("muller RECH", vec![(Rank::NamePrefix, file.id)]),
        ("rechnung steuer", vec![(Rank::Tag, file.id)]),
        ("rechnung steu", vec![(Rank::TagPrefix, file.id)]),
        ("rechnung januar", vec![(Rank::Text, file.id)]),
        ("2024 zahlbar mueller", vec![]),
        ("zahl", vec![(Rank::TextPrefix, other.id), (Rank::TextPrefix, file.id)]),
        ("zahlbar rech", vec![(Rank::Text, other.id), (Rank::Text, file.id)]),
        ("", vec![]),
        ("* \" -", vec![]),
    ] {
        assert_eq!(subject.ranks(text).await, expected, "{text}");
    }
}

pub async fn a_search_speaks_no_language_of_the_store(subject: &AccessSubject) {
    let root = subject.files.root();
    let odd = subject.next_file(root, "NEAR AND \"not\" (or) name:* ^$ {tags} 100%_.*").await;
    let dense = subject.next_file(root, "日本語の説明書.txt").await;
    for text in [
        "and",
        "NOT",
        "or near",
        "\"not",
        "name:",
        "tags} {",
        "100%",
        "^$ and",
        "near*",
        "(or",
        "a\u{0}nd near",
    ] {
        let found = subject.ids(text).await;
        assert!(found == [odd.id] || text.contains('\u{0}'), "{text}: {found:?}");
    }
    for text in ["日本語", "説明", "本", "書", "語の"] {
        assert_eq!(subject.ids(text).await, [dense.id], "{text}");
    }
    assert!(subject.ids("日語").await.is_empty());
}

pub async fn what_is_found_follows_each_change(subject: &AccessSubject) {
    let files = &subject.files;
    let folder = files.folder(files.root(), "alpha").await;
    let file = subject.next_file(folder.id, "beta").await;
    assert_eq!(subject.ids("alpha").await, [folder.id]);
    let renamed =
        files.store.relocate(file.id, None, &named("gamma"), files.root(), files.now()).await.unwrap();
    assert!(subject.ids("beta").await.is_empty());
    assert_eq!(subject.ids("gam").await, [file.id]);
    subject.set_tags(&renamed, &["delta", "Épsilon"]).await;
    assert_eq!(subject.ids("epsilon gamma").await, [file.id]);
    subject.set_tags(&renamed, &["delta"]).await;
    assert!(subject.ids("epsilon").await.is_empty());
    files.trash(file.id).await;
    assert!(subject.ids("gamma").await.is_empty());
    files.file(files.root(), "gamma", 1).await;
    let restored = files.store.restore(file.id, files.now()).await.unwrap();
    assert_ne!(restored.name, renamed.name);
    assert_eq!(subject.ids("gamma 2 delta").await, [file.id], "under its new name");
    files.delete(file.id).await;
    assert!(subject.ids("delta").await.is_empty());
    files.purged(file.id).await;
    files.clock.advance(Duration::from_secs(1));
    files.store.purge(file.id, 100, files.now(), files.now()).await.unwrap();
    assert!(subject.ids("delta").await.is_empty());
    assert_eq!(subject.ids("gamma").await.len(), 1);
}

pub async fn filters_leave_out(subject: &AccessSubject) {
    let files = &subject.files;
    let folder = files.folder(files.root(), "x folder").await;
    let commit = |size: usize, mime: &str, name: &str| {
        let commit = files.upload(files.root(), name, size);
        Commit { content: NewContent { mime: mime.to_owned(), ..commit.content.clone() }, ..commit }
    };
    let mut made: Vec<Node> = Vec::new();
    for (size, mime, name) in
        [(10, "image/png", "x small"), (1000, "image/jpeg", "x large"), (100, "imagery/x", "x odd")]
    {
        files.clock.advance(Duration::from_secs(1));
        made.push(files.commit(&commit(size, mime, name)).await.unwrap().node);
    }
    let [small, large, odd] = &made[..] else { unreachable!("three were made") };
    subject.set_tags(large, &["Rot"]).await;
    let filtered = async |filter: SearchFilter| {
        let query = SearchQuery { filter, ..subject.asked("x") };
        subject.found(&query).await.into_iter().map(|found| found.node).collect::<Vec<_>>()
    };
    let all = SearchFilter::default;
    let begins = |start: &str| Some(MimeFilter::Begins(start.to_owned()));
    let is = |mime: &str| Some(MimeFilter::Is(mime.to_owned()));
    for (filter, expected) in [
        (all(), vec![odd.id, large.id, small.id, folder.id]),
        (SearchFilter { kind: Some(Kind::Folder), ..all() }, vec![folder.id]),
        (SearchFilter { kind: Some(Kind::File), ..all() }, vec![odd.id, large.id, small.id]),
        (SearchFilter { mime: begins("image/"), ..all() }, vec![large.id, small.id]),
        (SearchFilter { mime: is("image/png"), ..all() }, vec![small.id]),
        (SearchFilter { mime: is("image/"), ..all() }, vec![]),
        (SearchFilter { tag: Some(Tag::parse("ROT").unwrap()), ..all() }, vec![large.id]),
        (SearchFilter { min_size: Some(0), ..all() }, vec![odd.id, large.id, small.id]),
        (SearchFilter { min_size: Some(100), max_size: Some(100), ..all() }, vec![odd.id]),
        (SearchFilter { max_size: Some(10), ..all() }, vec![small.id]),
        (SearchFilter { kind: Some(Kind::Folder), min_size: Some(0), ..all() }, vec![]),
        (SearchFilter { from: Some(large.modified_at), ..all() }, vec![odd.id, large.id]),
        (
            SearchFilter { from: Some(small.modified_at), to: Some(odd.modified_at), ..all() },
            vec![large.id, small.id],
        ),
        (SearchFilter { min_size: Some(u64::MAX), ..all() }, vec![]),
    ] {
        assert_eq!(filtered(filter.clone()).await, expected, "{filter:?}");
    }
}

pub async fn a_scope_is_a_space_or_what_lies_below(subject: &AccessSubject) {
    let files = &subject.files;
    let (a, b) = (files.folder(files.root(), "word a").await, files.folder(files.root(), "word b").await);
    let inner = files.folder(a.id, "inner").await;
    let deep = subject.next_file(inner.id, "word deep").await;
    let beside = subject.next_file(b.id, "word beside").await;
    let other = subject.user();
    let fresh = (SpaceId(files.ids.object_id()), files.ids.next());
    let theirs = files.store.ensure_space(other, fresh, None, files.now()).await.unwrap();
    let foreign = subject.text_file(theirs.root, "word foreign", "word").await;
    let scope = |below: Option<Vec<FileId>>| SearchScope { space: files.space.id, below };
    let their = |below: Option<Vec<FileId>>| SearchScope { space: theirs.id, below };
    let in_scopes = async |scopes: Vec<SearchScope>| {
        let query = SearchQuery { scopes, ..subject.asked("word") };
        let mut found: Vec<FileId> =
            subject.found(&query).await.into_iter().map(|found| found.node).collect();
        found.sort_unstable();
        found
    };
    let sorted = |mut ids: Vec<FileId>| {
        ids.sort_unstable();
        ids
    };
    for (scopes, expected) in [
        (vec![scope(None)], vec![a.id, b.id, deep.id, beside.id]),
        (vec![scope(Some(vec![a.id]))], vec![a.id, deep.id]),
        (vec![scope(Some(vec![inner.id, beside.id]))], vec![deep.id, beside.id]),
        (vec![scope(Some(vec![]))], vec![]),
        (vec![their(None)], vec![foreign.id]),
        (vec![scope(Some(vec![a.id])), their(Some(vec![foreign.id]))], vec![a.id, deep.id, foreign.id]),
        (vec![their(Some(vec![a.id]))], vec![]),
        (vec![], vec![]),
    ] {
        assert_eq!(in_scopes(scopes.clone()).await, sorted(expected), "{scopes:?}");
    }
}

pub async fn a_scope_may_have_hundreds_of_nodes(subject: &AccessSubject) {
    let files = &subject.files;
    let folder = files.folder(files.root(), "folder").await;
    let inner = files.folder(folder.id, "inner").await;
    let file = subject.text_file(inner.id, "word", "text").await;
    let mut nodes: Vec<FileId> = (0..600).map(|_| files.ids.next()).collect();
    nodes.insert(300, folder.id);
    nodes.push(file.id);
    for word in ["word", "text"] {
        let scopes = vec![SearchScope { space: files.space.id, below: Some(nodes.clone()) }];
        let query = SearchQuery { scopes, ..subject.asked(word) };
        let found: Vec<FileId> = subject.found(&query).await.into_iter().map(|found| found.node).collect();
        assert_eq!(found, [file.id], "{word}");
    }
}

pub async fn what_lies_below_the_trash_takes_no_place_in_a_page(subject: &AccessSubject) {
    let files = &subject.files;
    let mut live = Vec::new();
    for number in 0..3 {
        live.push(subject.text_file(files.root(), &format!("word {number}"), "text").await.id);
    }
    live.reverse();
    let top = files.folder(files.root(), "top").await;
    let (inner, other) = (files.folder(top.id, "inner").await, files.folder(top.id, "other").await);
    let mut below = Vec::new();
    for number in 0..4 {
        let parent = if number % 2 == 0 { inner.id } else { other.id };
        below.push(subject.text_file(parent, &format!("word below {number}"), "text").await.id);
    }
    below.reverse();
    let in_inner: Vec<FileId> = below.iter().copied().skip(1).step_by(2).collect();
    let everything = [below.clone(), live.clone()].concat();
    let scope = |below: Option<Vec<FileId>>| SearchScope { space: files.space.id, below };
    let found = async |word: &str, below: Option<Vec<FileId>>, limit: u32| {
        let query = SearchQuery { scopes: vec![scope(below)], limit, ..subject.asked(word) };
        let found = subject.search.search(&query).await.unwrap();
        assert!(!found.incomplete);
        found.nodes.into_iter().map(|found| found.node).collect::<Vec<_>>()
    };
    for word in ["word", "text"] {
        assert_eq!(found(word, None, 100).await, everything);
        assert_eq!(found(word, Some(vec![inner.id]), 100).await, in_inner);
    }
    files.trash(top.id).await;
    for word in ["word", "text"] {
        assert_eq!(found(word, None, 2).await, live[..2], "{word}: a page is full");
        assert_eq!(found(word, None, 100).await, live, "{word}");
        for given in [vec![top.id], vec![inner.id], vec![below[0], below[1]]] {
            assert!(found(word, Some(given), 100).await.is_empty(), "{word}");
        }
    }
    files.store.restore(top.id, files.now()).await.unwrap();
    files.trash(inner.id).await;
    for word in ["word", "text"] {
        let open: Vec<FileId> = everything.iter().copied().filter(|id| !in_inner.contains(id)).collect();
        assert_eq!(found(word, None, 100).await, open, "{word}");
        assert_eq!(found(word, Some(vec![top.id]), 100).await, open[..2], "{word}");
    }
    // what is gone is not purged at once
    files.delete(top.id).await;
    for word in ["word", "text"] {
        assert_eq!(found(word, None, 2).await, live[..2], "{word}");
        assert!(found(word, Some(vec![top.id, other.id]), 100).await.is_empty(), "{word}");
    }
}

pub async fn a_text_belongs_to_a_content_in_its_space(subject: &AccessSubject) {
    let (files, space) = (&subject.files, subject.files.space.id);
    let file = subject.next_file(files.root(), "a").await;
    let blob = blob_of(&file);
    assert_eq!(subject.search.find_text(space, blob).await.unwrap(), None);
    assert!(subject.keep(blob, "first words").await);
    assert!(subject.keep(blob, "Other words").await, "it can be kept anew");
    assert_eq!(subject.search.find_text(space, blob).await.unwrap().as_deref(), Some("Other words"));
    assert!(subject.ids("first").await.is_empty());
    // a copy of the file is found by it at once
    let content = file.content.as_ref().unwrap();
    let copy = Commit { content: NewContent::shared(content), ..files.upload(files.root(), "b", 0) };
    files.clock.advance(Duration::from_secs(1));
    let copy = files.commit(&copy).await.unwrap().node;
    assert_eq!(subject.ids("other").await, [copy.id, file.id]);
    // another content takes its place, and it is found again when it comes back
    files.clock.advance(Duration::from_secs(1));
    files.commit(&files.update(file.id, 7, 5)).await.unwrap();
    assert_eq!(subject.ids("other").await, [copy.id]);
    let back = CommitTarget::Existing { id: file.id, revision: None, keep_versions: 5 };
    let back = Commit { target: back, content: NewContent::shared(content), ..files.upload(file.id, "x", 0) };
    files.commit(&back).await.unwrap();
    assert_eq!(subject.ids("other").await.len(), 2);
    // in another space, when it is kept for it
    let fresh = (SpaceId(files.ids.object_id()), files.ids.next());
    let theirs = files.store.ensure_space(subject.user(), fresh, None, files.now()).await.unwrap();
    let new = NewFile {
        id: files.ids.next(),
        parent: theirs.root,
        name: named("c"),
        rename_if_taken: false,
        classic_type: None,
        public: false,
        tags: Vec::new(),
    };
    let far = Commit { target: CommitTarget::New(new), ..back };
    let far = files.commit(&far).await.unwrap().node;
    assert!(subject.keep(blob, "Other words").await);
    let scopes = vec![SearchScope { space: theirs.id, below: None }];
    let found = subject.found(&SearchQuery { scopes, ..subject.asked("other") }).await;
    assert_eq!(found.iter().map(|found| found.node).collect::<Vec<_>>(), [far.id]);
    assert!(!subject.keep(files.ids.blob_key(), "x").await, "there is no such content");
}

pub async fn a_text_goes_with_its_content(subject: &AccessSubject) {
    let files = &subject.files;
    let file = subject.text_file(files.root(), "a", "gone").await;
    let blob = blob_of(&file);
    files.delete(file.id).await;
    files.purged(file.id).await;
    assert!(!subject.keep(blob, "gone").await, "what is condemned is not live");
    files.clock.advance(Duration::from_secs(1));
    files.store.collect_blob(blob, files.now(), files.now()).await.unwrap();
    assert_eq!(subject.search.find_text(files.space.id, blob).await.unwrap(), None);
    assert!(subject.ids("gone").await.is_empty());
}

pub async fn a_walk_finds_what_nobody_has_read(subject: &AccessSubject) {
    let files = &subject.files;
    let folder = files.folder(files.root(), "folder").await;
    let read = subject.text_file(folder.id, "read", "text").await;
    let empty = subject.text_file(folder.id, "without text", "").await;
    let unread = subject.next_file(folder.id, "unread").await;
    let (mut after, mut found, mut steps) = (None, Vec::new(), 0);
    loop {
        let step = subject.search.index(after, 2).await.unwrap();
        assert_eq!(step.indexed, 0, "all have the words that they should have");
        found.extend(step.unread);
        steps += 1;
        assert!(steps < 10);
        after = step.next;
        if after.is_none() {
            break;
        }
    }
    assert!(steps > 2);
    let [only] = &found[..] else { panic!("{found:?}") };
    assert!(only.file == unread.id && only.file != read.id && only.file != empty.id);
    assert_eq!((only.owner, only.blob, only.size), (files.user, blob_of(&unread), 10));
    assert_eq!(only.mime, "text/plain");
    let jobs = [0_u64, 1].map(|_| {
        types::text(
            JobId(files.ids.object_id()),
            only.owner,
            only.file,
            (only.blob, only.size),
            &only.mime,
            files.now(),
        )
    });
    subject.search.order_texts(&jobs).await.unwrap();
    subject.search.order_texts(&jobs[..1]).await.unwrap();
    subject.search.order_texts(&[]).await.unwrap();
    assert_eq!(files.outbox_jobs().await.len(), 2);
}
