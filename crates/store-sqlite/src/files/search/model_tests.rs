//! Searches of a random space, beside what its nodes say of themselves, whichever way the search goes; and what it costs where a word is everywhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::files::search::{
    Found, IndexedText, MimeFilter, Rank, Ranked, SearchFilter, SearchQuery, SearchScope, SearchStore as _,
    words_of, words_of_text,
};
use common::files::{Commit, FileStore as _, Kind, MarkStore as _, Node, NodeName, Tag};
use common::{Clock as _, FileId, PortError};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use testkit::file_store::FilesSubject;

use super::FilesDb;
use super::bounds::Bounds;
use super::find::search;
use crate::engine::steps::steps;
use crate::engine::{Abort, Durability, OpenOptions, Tx};

const WORDS: [&str; 6] = ["red", "redder", "blue", "green", "gre", "o"];

const TIME: Duration = Duration::from_secs(60);

const BOUNDS: Bounds = Bounds {
    time: TIME,
    many: 10_000,
    very_many: 10_000,
    many_texts: 10_000,
    walk: 60,
    peek: 0,
    sample: 0,
    misses: 10_000,
    batch: 4_096,
};

/// Goes through the space whenever there is anything, by words or by rows, and gives up after a few; or never does; in batches that are full, too; led by the words
/// that the latest nodes do not have, with and without an end to it.
const WAYS: [Bounds; 10] = [
    Bounds { many: 0, very_many: 0, many_texts: 0, walk: 10_000, ..BOUNDS },
    Bounds { many: 0, very_many: 0, many_texts: 0, walk: 7, peek: 5, batch: 5, ..BOUNDS },
    Bounds { many: 0, walk: 7, batch: 5, ..BOUNDS },
    Bounds { walk: 7, peek: 40, batch: 3, ..BOUNDS },
    Bounds { many: 5, very_many: 20, many_texts: 20, peek: 300, ..BOUNDS },
    Bounds { many: 20, very_many: 40, many_texts: 10, peek: 12, batch: 10, ..BOUNDS },
    Bounds { sample: 3, ..BOUNDS },
    Bounds { sample: 6, misses: 2, batch: 7, ..BOUNDS },
    Bounds { many: 0, sample: 4, ..BOUNDS },
    Bounds { many: 4, very_many: 20, many_texts: 20, sample: 5, misses: 3, peek: 4, ..BOUNDS },
];

struct Scene {
    db: Arc<FilesDb>,
    subject: FilesSubject,
}

async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let db = Arc::new(FilesDb::open(folder.path().join("files.db"), &OpenOptions::default()).unwrap());
    let subject = FilesSubject::new(Arc::clone(&db), folder).await;
    Scene { db, subject }
}

impl Scene {
    async fn found(&self, query: &SearchQuery, bounds: Bounds) -> Found {
        let query = query.clone();
        self.db.read_one_state(move |connection| search(connection, &query, &bounds)).await.unwrap()
    }

    fn asked(&self, words: &[&str]) -> SearchQuery {
        SearchQuery {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            scopes: vec![SearchScope { space: self.subject.space.id, below: None }],
            filter: SearchFilter::default(),
            after: None,
            limit: 1000,
        }
    }
}

/// A node as the model knows it.
struct Known {
    node: Node,
    text: String,
    /// With nothing above it that is in the trash.
    is_there: bool,
    /// In the folder that is shared, or that folder itself.
    is_shared: bool,
}

impl Known {
    fn rank(&self, words: &[String]) -> Option<Rank> {
        let name = words_of([self.node.name.as_str()]);
        let tags = words_of(self.node.tags.iter().map(Tag::as_str));
        let text = words_of_text(&self.text);
        let places = [&name, &tags, &text];
        let of = |word: &String| {
            let rank = places.iter().enumerate().find_map(|(place, words)| {
                let is_whole = words.contains(word);
                let is_begun = words.iter().any(|other| other.starts_with(word.as_str()));
                is_begun.then_some(2 * place + usize::from(!is_whole))
            });
            rank.map(|rank| Rank::ALL[rank])
        };
        words.iter().map(of).collect::<Option<Vec<Rank>>>().map(|ranks| ranks.into_iter().max().unwrap())
    }

    fn passes(&self, query: &SearchQuery) -> bool {
        let filter = &query.filter;
        let is_text = self.node.content.is_some();
        self.is_there
            && query.scopes[0].below.as_ref().is_none_or(|_| self.is_shared)
            && filter.kind.is_none_or(|kind| kind == self.node.kind)
            && filter.mime.as_ref().is_none_or(|_| is_text)
            && filter.tag.as_ref().is_none_or(|tag| self.node.tags.contains(tag))
            && filter.from.is_none_or(|from| self.node.modified_at >= from)
    }
}

fn expected(known: &BTreeMap<FileId, Known>, query: &SearchQuery) -> Vec<Ranked> {
    let mut all: Vec<Ranked> = known
        .iter()
        .filter(|(_, known)| known.passes(query))
        .filter_map(|(node, known)| {
            known.rank(&query.words).map(|rank| Ranked {
                rank,
                modified_at: known.node.modified_at,
                node: *node,
            })
        })
        .collect();
    all.sort_by_key(|found| (found.rank, std::cmp::Reverse((found.modified_at, found.node))));
    let after = query.after.map_or(0, |after| all.iter().position(|found| *found == after).unwrap() + 1);
    all.into_iter().skip(after).take(query.limit as usize).collect()
}

fn some_words(random: &mut StdRng, most: usize) -> Vec<&'static str> {
    (0..random.random_range(0..=most)).map(|_| *WORDS.choose(random).unwrap()).collect()
}

/// Files and folders with random names, tags and texts, some copies of a content, some in the trash, several of one time, some of which changed since.
async fn random_space(scene: &Scene, random: &mut StdRng) -> (BTreeMap<FileId, Known>, FileId) {
    let subject = &scene.subject;
    let shared = subject.folder(subject.root(), "shared").await;
    let gone = subject.folder(subject.root(), "gone").await;
    let places = [subject.root(), shared.id, gone.id];
    let mut made: Vec<(Node, String)> = vec![(shared.clone(), String::new())];
    for number in 0..120 {
        if random.random_bool(0.4) {
            subject.clock.advance(Duration::from_millis(1));
        }
        let name = format!("{} {number}", some_words(random, 2).join("-"));
        let parent = *places.choose(random).unwrap();
        let mut text = String::new();
        let mut node = if random.random_bool(0.2) {
            subject.folder(parent, &name).await
        } else {
            subject.file(parent, &name, 10 + number).await
        };
        if let Some(content) = &node.content
            && random.random_bool(0.7)
        {
            text = some_words(random, 3).join(" ");
            assert!(scene.db.keep_text(content.blob, &IndexedText::new(text.clone())).await.unwrap());
        }
        let tags: Vec<Tag> = some_words(random, 2).into_iter().map(|tag| Tag::parse(tag).unwrap()).collect();
        if !tags.is_empty() {
            node = scene.db.set_tags(node.id, None, &tags).await.unwrap();
        }
        made.push((node, text));
    }
    // what changes is later than it was
    for _ in 0..30 {
        subject.clock.advance(Duration::from_millis(1));
        let at = random.random_range(1..made.len());
        let (node, text) = &mut made[at];
        if node.kind == Kind::File && random.random_bool(0.5) {
            let update: Commit = subject.update(node.id, 7, 3);
            *node = subject.commit(&update).await.unwrap().node;
            text.clear();
        } else {
            let name = NodeName::parse(&format!("{} anew {at}", some_words(random, 2).join("-"))).unwrap();
            let parent = node.parent.unwrap();
            *node = scene.db.relocate(node.id, None, &name, parent, subject.clock.now()).await.unwrap();
        }
    }
    let trashed = made[5].0.id;
    for id in [trashed, gone.id] {
        scene.db.trash(id, None, subject.user, subject.clock.now()).await.unwrap();
    }
    let known = made.into_iter().map(|(node, text)| {
        let is_there = node.parent != Some(gone.id) && node.id != trashed;
        let is_shared = node.id == shared.id || node.parent == Some(shared.id);
        (node.id, Known { node, text, is_there, is_shared })
    });
    (known.collect(), shared.id)
}

fn random_query(
    scene: &Scene,
    random: &mut StdRng,
    known: &BTreeMap<FileId, Known>,
    shared: FileId,
) -> SearchQuery {
    let mut words = vec![*WORDS.choose(random).unwrap()];
    words.extend(some_words(random, 2));
    words.sort_unstable();
    words.dedup();
    let mut query = scene.asked(&words);
    query.limit = *[1, 3, 10, 1000].choose(random).unwrap();
    if random.random_bool(0.3) {
        query.scopes[0].below = Some(vec![shared]);
    }
    if random.random_bool(0.2) {
        query.filter.kind = Some(Kind::Folder);
    }
    if random.random_bool(0.2) {
        query.filter.mime = Some(MimeFilter::Begins("text/".to_owned()));
    }
    if random.random_bool(0.2) {
        query.filter.tag = Some(Tag::parse("red").unwrap());
    }
    if random.random_bool(0.2) {
        query.filter.from =
            known.values().nth(random.random_range(0..known.len())).map(|known| known.node.modified_at);
    }
    query
}

#[tokio::test]
async fn whichever_way_a_search_goes_it_finds_what_is_there_in_its_order() {
    for seed in 0..4 {
        let mut random = StdRng::seed_from_u64(seed);
        let scene = scene().await;
        let (known, shared) = random_space(&scene, &mut random).await;
        for number in 0..60 {
            let mut query = random_query(&scene, &mut random, &known, shared);
            // page by page
            loop {
                let expected = expected(&known, &query);
                for bounds in WAYS {
                    let found = scene.found(&query, bounds).await;
                    assert!(!found.incomplete);
                    assert_eq!(found.nodes, expected, "seed {seed}, {number}: {query:?} {bounds:?}");
                }
                match expected.last() {
                    Some(last) if query.after.is_none() || random.random_bool(0.7) => {
                        query.after = Some(*last)
                    }
                    _ => break,
                }
            }
        }
    }
}

impl Scene {
    /// What a search finds and costs, in SQLite's instructions.
    async fn cost(&self, query: SearchQuery, bounds: Bounds) -> (Found, u64) {
        let work = move |tx: &Tx<'_>| {
            let (found, cost) = steps(|| search(tx, &query, &bounds).unwrap());
            Ok::<_, Abort<PortError>>((found, cost))
        };
        self.db.engine.write(Durability::Relaxed, work).await.unwrap()
    }

    /// Files with one word in their names and one in their texts, each later than the one before.
    async fn fill(&self, from: usize, to: usize) {
        for number in from..to {
            self.subject.clock.advance(Duration::from_millis(1));
            let file = self.subject.file(self.subject.root(), &format!("word {number}"), 1).await;
            let text = IndexedText::new("everywhere".to_owned());
            assert!(self.db.keep_text(file.content.unwrap().blob, &text).await.unwrap());
        }
    }
}

#[tokio::test]
async fn a_page_of_what_everything_is_named_costs_the_same_in_a_large_space() {
    let scene = scene().await;
    let bounds = Bounds { very_many: 50, many_texts: 50, ..Bounds::default() };
    let mut costs = Vec::new();
    for (from, to) in [(0, 100), (100, 1_000)] {
        scene.fill(from, to).await;
        let mut of_words = Vec::new();
        for word in ["word", "wor", "everywhere", "every"] {
            let (found, cost) = scene.cost(SearchQuery { limit: 10, ..scene.asked(&[word]) }, bounds).await;
            assert_eq!((found.nodes.len(), found.incomplete), (10, false));
            of_words.push((word, cost));
        }
        costs.push(of_words);
    }
    for (small, large) in costs[0].iter().zip(&costs[1]) {
        // texts that have a word are listed, ten times as many: a few instructions each
        assert!(large.1 < 4 * small.1, "{large:?} after {small:?}");
    }
}

/// What all are named, and few are tagged: it goes through all of them, and not once for each few.
#[tokio::test]
async fn what_most_of_is_left_out_costs_one_look_at_each() {
    let scene = scene().await;
    let bounds = Bounds { very_many: 50, many_texts: 50, walk: 20, batch: 10, ..Bounds::default() };
    let tag = Tag::parse("seldom").unwrap();
    let mut costs = Vec::new();
    for (from, to) in [(0, 100), (100, 1_000)] {
        scene.fill(from, to).await;
        if from == 0 {
            let first = scene.found(&scene.asked(&["0"]), bounds).await.nodes[0].node;
            scene.db.set_tags(first, None, std::slice::from_ref(&tag)).await.unwrap();
        }
        for word in ["word", "everywhere"] {
            let mut query = scene.asked(&[word]);
            query.filter.tag = Some(tag.clone());
            let (found, cost) = scene.cost(query, bounds).await;
            assert_eq!((found.nodes.len(), found.incomplete), (1, false), "{word}");
            costs.push(cost);
        }
    }
    for (small, large) in costs[..2].iter().zip(&costs[2..]) {
        assert!(*large < 20 * small, "{costs:?}");
    }
}

/// The latest files have words that no others have: they are taken for frequent, and all is not gone through for that.
#[tokio::test]
async fn words_of_what_came_last_cost_the_same_in_a_large_space() {
    let scene = scene().await;
    let mut costs = Vec::new();
    for (from, to) in [(0, 100), (100, 1_000)] {
        scene.fill(from, to).await;
        let mut names = Vec::new();
        for number in 0..10 {
            let name = format!("vacation rome {from} {number}");
            names.push(scene.subject.file(scene.subject.root(), &name, 1).await);
        }
        let query = SearchQuery { limit: 100, ..scene.asked(&["vacation", "rome"]) };
        let (found, cost) = scene.cost(query, Bounds { sample: 20, ..Bounds::default() }).await;
        assert_eq!((found.nodes.len(), found.incomplete), (10, false));
        costs.push(cost);
        for file in names {
            scene.db.delete(file.id, None, None, scene.subject.clock.now(), &[]).await.unwrap();
        }
    }
    assert!(costs[1] < 2 * costs[0], "{costs:?}");
}
