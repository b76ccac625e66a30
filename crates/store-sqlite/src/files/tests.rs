//! What an operation costs must not depend on how much there is. Counted in SQLite's instructions, not in time.

use std::sync::Arc;

use common::files::{
    Commit, CommitTarget, FileStore as _, Kind, ListQuery, NewBlob, NewContent, NewFile, NewFolder, NodeName,
    Order, Place, Position, Sort, SortValue, Space, ThumbnailState, UsageByType,
};
use common::{BlobKey, Crc32, FileId, IdGen as _, PortError, Sha256, SpaceId, Timestamp, UserId};
use testkit::TestIds;

use super::*;
use crate::engine::steps::steps;
use crate::engine::{Abort, Durability, Tx};
use crate::row::int;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const FEW: u64 = 200;
const MANY: u64 = 100_000;

struct Bench {
    db: FilesDb,
    ids: Arc<TestIds>,
    space: Space,
    _folder: tempfile::TempDir,
}

async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let db = FilesDb::open(folder.path().join("files.db"), &OpenOptions::default()).unwrap();
    let ids = Arc::new(TestIds::seeded(7));
    let owner: UserId = ids.next();
    let space = db.ensure_space(owner, (ids.next(), ids.next()), None, NOW).await.unwrap();
    Bench { db, ids, space, _folder: folder }
}

impl Bench {
    /// A folder with so many children, every tenth a folder, with names that all begin alike.
    async fn folder_of(&self, children: u64) -> FileId {
        let new = self.new_folder(self.space.root, &format!("of {children}"));
        let folder = self.db.create_folder(&new).await.unwrap().id;
        let (space, owner) = (self.space.id, self.space.owner);
        self.write(move |tx| fill(tx, space, owner, folder, children)).await;
        folder
    }

    fn new_folder(&self, parent: FileId, name: &str) -> NewFolder {
        NewFolder {
            id: self.ids.next(),
            parent,
            name: NodeName::parse(name).unwrap(),
            rename_if_taken: true,
            classic_type: None,
            public: false,
            by: self.space.owner,
            via: None,
            at: NOW,
        }
    }

    async fn write<T: Send + 'static>(&self, work: impl FnOnce(&Tx<'_>) -> T + Send + 'static) -> T {
        self.db.engine.write(Durability::Relaxed, |tx| Ok::<_, Abort<PortError>>(work(tx))).await.unwrap()
    }

    /// What `work` costs.
    async fn cost<T: Send + 'static>(&self, work: impl FnOnce(&Tx<'_>) -> T + Send + 'static) -> u64 {
        self.write(|tx| steps(|| work(tx)).1).await
    }
}

fn fill(tx: &Tx<'_>, space: SpaceId, owner: UserId, folder: FileId, children: u64) {
    let children = int(children);
    tx.prepare_cached(
        "INSERT INTO nodes (id, space, owner, parent, name, sort_key, kind, live, created_at, modified_at, size, mime)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?4)
         SELECT randomblob(12), ?1, ?2, ?3, printf('a (%d)', i + 1), printf('a%07d', i), i % 10 <> 0, 1, 0, i % 977,
                i % 1013, 'text/' || (i % 5)
         FROM n",
    )
    .unwrap()
    .execute((space.bytes(), owner.bytes(), folder.bytes(), children))
    .unwrap();
    tx.prepare_cached("UPDATE nodes SET folder_count = ?2 / 10, file_count = ?2 - ?2 / 10 WHERE id = ?1")
        .unwrap()
        .execute((folder.bytes(), children))
        .unwrap();
    space::apply(tx, space, space::Change { nodes: children, ..space::Change::default() }).unwrap();
}

fn middle(sort: Sort, kind: Kind) -> Position {
    let value = match sort {
        Sort::Name => SortValue::Name("a0000050".to_owned()),
        Sort::Size => SortValue::Size(50),
        Sort::ModifiedAt => SortValue::ModifiedAt(Timestamp::from_millis(50)),
        Sort::Type => SortValue::Type("text/0".to_owned(), "a0000050".to_owned()),
    };
    Position { kind, value, id: FileId::from_bytes([0x7f; 12]) }
}

fn queries() -> Vec<ListQuery> {
    let mut queries = Vec::new();
    for sort in [Sort::Name, Sort::Size, Sort::ModifiedAt, Sort::Type] {
        for order in [Order::Asc, Order::Desc] {
            for folders_first in [true, false] {
                for after in [None, Some(middle(sort, Kind::Folder)), Some(middle(sort, Kind::File))] {
                    queries.push(ListQuery {
                        sort,
                        order,
                        folders_first,
                        kind: None,
                        after,
                        offset: 0,
                        limit: 10,
                    });
                }
            }
        }
    }
    queries
}

#[tokio::test]
async fn a_page_of_100_000_costs_what_a_page_of_200_costs() {
    let bench = bench().await;
    let (few, many) = (bench.folder_of(FEW).await, bench.folder_of(MANY).await);
    for query in queries() {
        let mut costs = Vec::new();
        for folder in [few, many] {
            let query = query.clone();
            let cost = bench.cost(move |tx| {
                let page = list::children(tx, &Places::default(), folder, &query).unwrap();
                assert!(page.items.len() <= 10);
            });
            costs.push(cost.await);
        }
        // a page may be shorter in the small folder, so only more is wrong; a sort of 100,000 would be a thousand times more
        assert!(costs[1] <= costs[0] + 100, "{costs:?} {query:?}");
        assert!(costs[1] < 300, "{costs:?} {query:?}");
    }
    for folder in [few, many] {
        let cost =
            bench.cost(move |tx| list::children_by_id(tx, &Places::default(), folder, 0, 10).unwrap()).await;
        assert!(cost < 200, "{cost}");
    }
}

/// The first page from the middle costs what passing by costs, the second one makes steps for those after it, until something changes.
#[tokio::test]
async fn pages_from_the_middle_of_100_000_cost_little_after_the_second_one() {
    let bench = bench().await;
    let folder = bench.folder_of(MANY).await;
    let places = Arc::new(Places::default());
    let costs = async |offset: u64| {
        let mut costs = Vec::new();
        for query in queries().into_iter().filter(|query| query.after.is_none()) {
            let (query, places) = (ListQuery { offset, ..query }, Arc::clone(&places));
            let cost = bench.cost(move |tx| {
                assert_eq!(list::children(tx, &places, folder, &query).unwrap().items.len(), 10);
            });
            costs.push(cost.await);
        }
        let places = Arc::clone(&places);
        let by_id = bench.cost(move |tx| list::children_by_id(tx, &places, folder, offset, 10).unwrap());
        costs.push(by_id.await);
        costs
    };
    let middle = MANY / 2;
    let (first, again) = (costs(middle).await, costs(middle).await);
    let (_steps, near) = (costs(middle - 1).await, costs(middle - 5_000).await);
    for ((first, again), near) in first.iter().zip(again).zip(near) {
        // some instructions for each that is passed by
        assert!(*first < 2 * middle, "{first}");
        assert!(again < first / 8 && near < first / 4, "{first} {again} {near}");
    }
    // each from the beginning
    bench.db.create_folder(&bench.new_folder(folder, "another")).await.unwrap();
    let changed = costs(middle).await;
    assert!(
        changed.iter().zip(&first).all(|(changed, first)| changed > &(first / 2)),
        "{first:?} {changed:?}"
    );
}

#[tokio::test]
async fn a_change_in_a_folder_of_100_000_costs_what_it_costs_in_one_of_200() {
    let bench = bench().await;
    let mut costs = Vec::new();
    for children in [FEW, MANY] {
        let folder = bench.folder_of(children).await;
        // every name up to the last number is taken
        bench.db.create_folder(&bench.new_folder(folder, "a")).await.unwrap();
        let (new, commit) = (bench.new_folder(folder, "a"), upload(&bench, folder));
        let (owner, other) = (bench.space.owner, bench.new_folder(bench.space.root, "other"));
        let file = commit_id(&commit);
        costs.push([
            bench
                .cost(move |tx| {
                    let made = tree::create_folder(tx, &new, &[]).unwrap();
                    assert_eq!(made.name.as_str(), format!("a ({})", children + 2));
                })
                .await,
            bench.cost(move |tx| upload::commit(tx, &commit).unwrap()).await,
            bench
                .cost(move |tx| {
                    tree::create_folder(tx, &other, &[]).unwrap();
                    tree::relocate(tx, folder, None, &NodeName::parse("moved").unwrap(), other.id, NOW)
                        .unwrap()
                })
                .await,
            bench.cost(move |tx| tree::trash(tx, file, None, owner, NOW).unwrap()).await,
            bench.cost(move |tx| tree::restore(tx, file, NOW).unwrap()).await,
            bench.cost(move |tx| tree::trash(tx, folder, None, owner, NOW).unwrap()).await,
            bench.cost(move |tx| tree::delete(tx, folder, None, None, NOW, &[]).unwrap()).await,
            bench.cost(move |tx| purge::step(tx, folder, 10, NOW, NOW).unwrap()).await,
        ]);
    }
    for (few, many) in costs[0].iter().zip(&costs[1]) {
        // finding a free name takes some looks more: the logarithm
        assert!(*many <= few + 100, "{costs:?}");
    }
}

fn commit_id(commit: &Commit) -> FileId {
    match commit.target {
        CommitTarget::New(NewFile { id, .. }) | CommitTarget::Existing { id, .. } => id,
    }
}

fn upload(bench: &Bench, parent: FileId) -> Commit {
    let key: BlobKey = bench.ids.blob_key();
    Commit {
        target: CommitTarget::New(NewFile {
            id: bench.ids.next(),
            parent,
            name: NodeName::parse("a").unwrap(),
            rename_if_taken: true,
            classic_type: None,
            public: false,
            tags: Vec::new(),
        }),
        content: NewContent {
            blob: NewBlob { key, size: 1, sha256: Sha256::of(b"x"), crc32: Crc32(1), place: Place::Blob },
            mime: "text/plain".to_owned(),
            modified_at: NOW,
            thumbnails: ThumbnailState::None,
        },
        by: bench.space.owner,
        via: None,
        at: NOW,
        reservation: None,
        jobs: Vec::new(),
    }
}

#[tokio::test]
async fn no_list_is_sorted_when_it_is_asked_for() {
    let bench = bench().await;
    let kinds: [&[Kind]; 3] = [&[Kind::Folder], &[Kind::File], &[Kind::Folder, Kind::File]];
    bench
        .write(move |tx| {
            for (sort, index) in [
                (Sort::Name, "nodes_by_name"),
                (Sort::Size, "nodes_by_size"),
                (Sort::ModifiedAt, "nodes_by_time"),
                (Sort::Type, "nodes_by_type"),
            ] {
                for order in [Order::Asc, Order::Desc] {
                    for kinds in kinds {
                        for after in [false, true] {
                            let nodes = plan(tx, &list::sql(list::Select::Nodes, sort, order, kinds, after));
                            assert!(nodes.contains(&format!("USING INDEX {index}")), "{nodes}");
                            assert!(!nodes.contains("TEMP B-TREE") && !nodes.contains("SCAN n"), "{nodes}");
                            let keys = plan(tx, &list::sql(list::Select::Keys, sort, order, kinds, after));
                            assert!(keys.contains(&format!("USING COVERING INDEX {index}")), "{keys}");
                            assert!(!keys.contains("TEMP B-TREE"), "{keys}");
                        }
                    }
                }
            }
        })
        .await;
}

fn plan(tx: &Tx<'_>, sql: &str) -> String {
    let mut explain = tx.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let count = explain.parameter_count();
    let nulls = vec![rusqlite::types::Null; count];
    let lines: Vec<String> = explain
        .query_map(rusqlite::params_from_iter(nulls), |row| row.get(3))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    lines.join("\n")
}

#[tokio::test]
async fn a_job_that_cannot_be_read_does_not_hold_up_the_others() {
    use common::jobs::{Outbox as _, types};
    use std::time::Duration;

    let bench = bench().await;
    let ids: Vec<common::JobId> = (0..3).map(|_| bench.ids.next()).collect();
    let owner = bench.space.owner;
    let jobs: Vec<_> = ids.iter().map(|id| types::welcome_mail(*id, owner, NOW)).collect();
    let broken = ids[1];
    bench
        .write(move |tx| {
            crate::outbox::push(tx, &jobs).unwrap();
            tx.execute("UPDATE outbox SET job = '{' WHERE id = ?1", [broken.bytes()]).unwrap();
        })
        .await;
    let lease = || bench.db.lease_unsent(10, Duration::from_secs(60), NOW);
    let leased: Vec<_> = lease().await.unwrap().into_iter().map(|row| row.job.id).collect();
    assert_eq!(leased, [ids[0], ids[2]]);
    assert!(lease().await.unwrap().is_empty());
    assert_eq!(bench.db.depth().await.unwrap(), 3, "it is set aside, not lost");
}

#[tokio::test]
async fn a_usage_that_takes_too_long_is_what_was_counted_until_then() {
    use std::time::Duration;

    use rusqlite::Connection;

    let bench = bench().await;
    bench.folder_of(MANY).await;
    let space = bench.space.id;
    let seen = |usage: &UsageByType| usage.types.values().map(|amount| amount.count).sum::<u64>();
    let mut limit = Duration::from_millis(1);
    // however fast this is, some of it is counted before all of it is
    loop {
        let read = move |connection: &Connection| usage::by_type(connection, space, u32::MAX, limit);
        let usage = bench.db.read_one_state(read).await.unwrap();
        assert!(!usage.complete, "all of it, and nothing before, in {limit:?}");
        if seen(&usage) > 0 {
            break;
        }
        limit *= 2;
    }
    let all = bench.db.usage_by_type(space, u32::MAX).await.unwrap();
    assert_eq!((seen(&all), all.complete), (MANY * 9 / 10, true));
}
