//! What was there before search, and what is left of what went.

use common::UserId;
use common::files::search::{SearchFilter, SearchQuery, SearchScope, SearchStore as _};
use common::files::{FileStore as _, MarkStore as _, NewFolder, NodeName, Space, Tag};
use common::{FileId, PortError, Timestamp};
use testkit::TestIds;

use super::FilesDb;
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
        let new = NewFolder {
            id: self.ids.next(),
            parent: self.space.root,
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

    async fn count(&self, word: &str) -> usize {
        let query = SearchQuery {
            words: vec![word.to_owned()],
            scopes: vec![SearchScope { space: self.space.id, below: None }],
            filter: SearchFilter::default(),
            after: None,
            limit: 1000,
        };
        self.db.search(&query).await.unwrap().len()
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
