//! What was there before search, what is left of what went, and what a search costs.

use std::time::Duration;

use common::UserId;
use common::files::search::{Found, Rank, SearchFilter, SearchQuery, SearchScope, SearchStore as _};
use common::files::{FileStore as _, MarkStore as _, NewFolder, NodeName, Space, Tag};
use common::{FileId, PortError, Timestamp};
use rusqlite::Connection;
use testkit::TestIds;

use super::FilesDb;
use super::bounds::Bounds;
use super::frequent::Sample;
use crate::engine::deadline::{in_time, within};
use crate::engine::steps::steps;
use crate::engine::{Abort, Durability, OpenOptions, Tx};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

struct Scene {
    db: FilesDb,
    ids: TestIds,
    space: Space,
    _folder: tempfile::TempDir,
}

async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let db = FilesDb::open(folder.path().join("files.db"), &OpenOptions::default()).unwrap();
    let ids = TestIds::seeded(7);
    let owner: UserId = ids.next();
    let space = db.ensure_space(owner, (ids.next(), ids.next()), None, NOW).await.unwrap();
    Scene { db, ids, space, _folder: folder }
}

impl Scene {
    async fn folder(&self, name: &str) -> FileId {
        self.folder_in(self.space.root, name).await
    }

    async fn folder_in(&self, parent: FileId, name: &str) -> FileId {
        let new = NewFolder {
            id: self.ids.next(),
            parent,
            name: NodeName::parse(name).unwrap(),
            rename_if_taken: false,
            classic_type: None,
            public: false,
            by: self.space.owner,
            via: None,
            at: NOW,
        };
        self.db.create_folder(&new).await.unwrap().id
    }

    async fn write(&self, work: impl FnOnce(&Tx<'_>) + Send + 'static) {
        let write = |tx: &Tx<'_>| {
            work(tx);
            Ok::<_, Abort<PortError>>(())
        };
        self.db.engine.write(Durability::Relaxed, write).await.unwrap();
    }

    fn asked(&self, word: &str, limit: u32) -> SearchQuery {
        SearchQuery {
            words: vec![word.to_owned()],
            scopes: vec![SearchScope { space: self.space.id, below: None }],
            filter: SearchFilter::default(),
            after: None,
            limit,
        }
    }

    async fn count(&self, word: &str) -> usize {
        self.db.search(&self.asked(word, 1000)).await.unwrap().nodes.len()
    }
}

#[tokio::test]
async fn what_was_there_before_search_is_found_after_the_walk() {
    let scene = scene().await;
    for number in 0..7 {
        let folder = scene.folder(&format!("old {number}")).await;
        scene.db.set_tags(folder, None, &[Tag::parse("marked").unwrap()]).await.unwrap();
    }
    // as a migrated file has it
    scene
        .write(|tx| {
            tx.prepare_cached("DELETE FROM name_words").unwrap().execute([]).unwrap();
            tx.prepare_cached("DELETE FROM search_nodes").unwrap().execute([]).unwrap();
        })
        .await;
    assert_eq!(scene.count("old").await, 0);
    scene.folder("new").await;
    let (mut after, mut indexed) = (None, 0);
    loop {
        let step = scene.db.index(after, 3).await.unwrap();
        indexed += step.indexed;
        after = step.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(indexed, 8, "those seven, and the root");
    assert_eq!((scene.count("old").await, scene.count("mark").await, scene.count("new").await), (7, 7, 1));
    assert_eq!(scene.db.index(None, 100).await.unwrap().indexed, 0);
}

#[tokio::test]
async fn nothing_is_left_of_words_that_went() {
    let scene = scene().await;
    let folder = scene.folder("first").await;
    for name in ["second", "third"] {
        let name = NodeName::parse(name).unwrap();
        scene.db.relocate(folder, None, &name, scene.space.root, NOW).await.unwrap();
    }
    assert_eq!(
        (scene.count("first").await, scene.count("second").await, scene.count("third").await),
        (0, 0, 1)
    );
    scene.db.delete(folder, None, None, NOW, &[]).await.unwrap();
    scene.db.purge(folder, 10, NOW, Timestamp::from_millis(2_000_000)).await.unwrap();
    scene
        .write(|tx| {
            for (table, rows) in [("search_nodes", 1_i64), ("name_words", 1)] {
                let count = tx
                    .prepare_cached(&format!("SELECT count(*) FROM {table}"))
                    .unwrap()
                    .query_row([], |row| row.get::<_, i64>(0));
                assert_eq!(count.unwrap(), rows, "{table}: the root alone");
            }
        })
        .await;
}

/// As a file of a version before has it that knew a copy of a folder by its name alone.
#[tokio::test]
async fn a_copy_that_was_not_found_by_its_tags_is_found_after_the_walk() {
    let scene = scene().await;
    let (copy, other) = (scene.folder("copy").await, scene.folder("other").await);
    for (folder, tag) in [(copy, "lost"), (other, "kept")] {
        scene.db.set_tags(folder, None, &[Tag::parse(tag).unwrap()]).await.unwrap();
    }
    let name = super::in_space(scene.space.id, &["copy".to_owned()]);
    scene
        .write(move |tx| {
            let row: i64 = tx
                .prepare_cached("SELECT id FROM search_nodes WHERE node = ?1")
                .unwrap()
                .query_row([copy.bytes()], |row| row.get(0))
                .unwrap();
            tx.prepare_cached("DELETE FROM name_words WHERE rowid = ?1").unwrap().execute([row]).unwrap();
            tx.prepare_cached("INSERT INTO name_words (rowid, name, tags) VALUES (?1, ?2, '')")
                .unwrap()
                .execute((row, name))
                .unwrap();
            let migration = include_str!("../../../migrations/files/012.sql");
            let update = migration.split(';').find(|part| part.contains("UPDATE search_nodes")).unwrap();
            tx.prepare_cached(update).unwrap().execute([]).unwrap();
        })
        .await;
    assert_eq!((scene.count("lost").await, scene.count("copy").await), (0, 1));
    assert_eq!(scene.db.index(None, 100).await.unwrap().indexed, 2, "both folders with tags");
    assert_eq!((scene.count("lost").await, scene.count("copy").await, scene.count("kept").await), (1, 1, 1));
    assert_eq!(scene.db.index(None, 100).await.unwrap().indexed, 0);
}

/// Counted in SQLite's instructions, not in time.
#[tokio::test]
async fn a_page_is_full_at_once_however_much_lies_in_the_trash() {
    const MANY: usize = 600;
    let scene = scene().await;
    let folder = scene.folder("folder").await;
    let inner = scene.folder_in(folder, "inner").await;
    for number in 0..MANY {
        let parent = if number % 2 == 0 { folder } else { inner };
        scene.folder_in(parent, &format!("word {number}")).await;
    }
    let mut live = Vec::new();
    for number in 0..20 {
        live.push(scene.folder(&format!("word live {number}")).await);
    }
    let query = scene.asked("word", 21);
    let search = async || {
        let (query, writer) = (query.clone(), &scene.db.engine);
        let search = move |tx: &Tx<'_>| {
            let (found, steps) = steps(|| super::find::search(tx, &query, &Bounds::default()).unwrap());
            Ok::<_, Abort<PortError>>((found, steps))
        };
        writer.write(Durability::Relaxed, search).await.unwrap()
    };
    let (found, before) = search().await;
    assert_eq!((found.nodes.len(), found.incomplete), (21, false));
    for gone in ["trashed", "deleted"] {
        if gone == "trashed" {
            scene.db.trash(folder, None, scene.space.owner, NOW).await.unwrap();
        } else {
            scene.db.delete(folder, None, None, NOW, &[]).await.unwrap();
        }
        let (found, after) = search().await;
        let mut nodes: Vec<FileId> = found.nodes.iter().map(|found| found.node).collect();
        nodes.sort_unstable();
        live.sort_unstable();
        assert_eq!(nodes, live, "{gone}");
        // six ranks are looked through instead of one, and the folders are found out
        assert!(after < 20 * before, "{gone}: {after} after {before}");
    }
}

#[tokio::test]
async fn a_search_ends_when_its_time_is_over_and_says_so() {
    let scene = scene().await;
    scene.folder("word").await;
    let query = scene.asked("word", 10);
    let found = scene.db.read(move |connection| {
        super::find::search(connection, &query, &Bounds { time: Duration::ZERO, ..Bounds::default() })
    });
    assert_eq!(found.await.unwrap(), Found { nodes: Vec::new(), incomplete: true });
    // within a statement, too; and the next one has its own time
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let ended = scene.db.read(move |connection| {
        within(Duration::from_millis(20), || {
            in_time(|| connection.prepare_cached(endless)?.query_row([], |row| row.get::<_, i64>(0)))
        })
    });
    assert_eq!(ended.await.unwrap(), None);
    assert_eq!(scene.count("word").await, 1);
}

/// Words that the latest nodes have, whole or begun, in names or tags; and none in a space with fewer nodes than the sample.
#[tokio::test]
async fn a_word_is_frequent_if_many_of_the_latest_nodes_have_it() {
    let scene = scene().await;
    for number in 0..8 {
        scene.folder(&format!("Report {number}")).await;
    }
    let space = scene.space.id;
    let of = async |size: usize, rank: Rank| {
        let work = move |connection: &Connection| {
            let words = ["report", "repo", "3", "other"].map(str::to_owned);
            let sample = Sample::take(connection, space, &words, size)?;
            Ok((sample.frequent(rank), sample.has_one_at(rank)))
        };
        scene.db.read_one_state(work).await.unwrap()
    };
    assert_eq!(of(8, Rank::Name).await, (vec![true, false, true, false], true));
    assert_eq!(of(8, Rank::NamePrefix).await, (vec![true, true, true, false], true));
    assert_eq!(of(8, Rank::Tag).await, (vec![true, true, true, false], false));
    assert_eq!(of(2, Rank::Name).await, (vec![true, false, false, false], true));
    assert_eq!(of(20, Rank::Name).await, (vec![false; 4], false));
    assert_eq!(of(0, Rank::Name).await, (vec![false; 4], false));
}
