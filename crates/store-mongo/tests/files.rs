//! The contract of the file store, over MongoDB: through one client, and through two that know nothing of one another.

mod support;

use std::sync::Arc;

use store_mongo::FilesDb;
use testkit::file_store::{AccessSubject, FilesSubject, Replicas};
use testkit::outbox::OutboxSubject;

async fn subject() -> FilesSubject {
    let (mongo, scratch) = support::mongo().await;
    FilesSubject::new(Arc::new(FilesDb::new(&mongo)), scratch).await
}

testkit::file_store_suite!(subject);

mod outbox {
    use super::*;

    async fn subject() -> OutboxSubject {
        let (mongo, scratch) = support::mongo().await;
        OutboxSubject::of_files(Arc::new(FilesDb::new(&mongo)), scratch).await
    }

    testkit::outbox_suite!(subject);
}

mod access {
    use super::*;

    async fn subject() -> AccessSubject {
        let (mongo, scratch) = support::mongo().await;
        AccessSubject::new(Arc::new(FilesDb::new(&mongo)), scratch).await
    }

    testkit::access_suite!(subject);
}

mod uploads {
    use super::*;
    use testkit::upload_store::Subject;

    async fn subject() -> Subject {
        let (mongo, scratch) = support::mongo().await;
        let other = scratch.connect().await;
        Subject::new(Arc::new(FilesDb::new(&mongo)), Arc::new(FilesDb::new(&other)), scratch)
    }

    testkit::upload_store_suite!(subject);
}

/// What is done at the same time, done by two processes.
mod replicas {
    use super::*;

    async fn subject() -> FilesSubject {
        let (mongo, scratch) = support::mongo().await;
        let other = scratch.connect().await;
        let replicas = Replicas::new(vec![Arc::new(FilesDb::new(&mongo)), Arc::new(FilesDb::new(&other))]);
        FilesSubject::new(Arc::new(replicas), scratch).await
    }

    testkit::suite!(
        subject,
        file_store,
        [
            of_simultaneous_first_uses_all_get_one_space,
            of_two_who_make_one_name_one_succeeds,
            a_taken_name_gets_the_next_number,
            of_two_moves_that_make_a_cycle_one_succeeds,
            of_two_moves_far_apart_that_make_a_cycle_one_succeeds,
            of_simultaneous_updates_of_one_revision_one_succeeds,
            of_fifty_uploads_ten_fit,
            of_fifty_reservations_ten_fit,
            nothing_gets_below_a_tombstone,
            two_purges_at_once_count_once,
            deleting_twice_is_not_found,
            thumbnails_fail_only_while_they_are_pending,
            random_changes_agree_with_a_model,
            counters_are_exact_after_a_storm,
            an_upload_that_races_with_a_deletion_leaks_nothing,
        ]
    );

    mod outbox {
        use super::*;

        async fn subject() -> OutboxSubject {
            let (mongo, scratch) = support::mongo().await;
            let other = scratch.connect().await;
            let replicas =
                Replicas::new(vec![Arc::new(FilesDb::new(&mongo)), Arc::new(FilesDb::new(&other))]);
            OutboxSubject::of_files(Arc::new(replicas), scratch).await
        }

        testkit::suite!(
            subject,
            outbox,
            [
                two_relays_never_share_a_row,
                a_commit_wakes_the_one_who_waits_and_the_one_who_comes_later,
                a_relay_that_waits_only_when_nothing_is_there_gets_all,
            ]
        );
    }

    mod access {
        use super::*;

        async fn subject() -> AccessSubject {
            let (mongo, scratch) = support::mongo().await;
            let other = scratch.connect().await;
            let replicas =
                Replicas::new(vec![Arc::new(FilesDb::new(&mongo)), Arc::new(FilesDb::new(&other))]);
            AccessSubject::new(Arc::new(replicas), scratch).await
        }

        testkit::suite!(
            subject,
            file_store,
            [
                a_grantee_has_one_share_of_a_node,
                of_fifty_downloads_ten_pass,
                a_role_is_changed_and_a_share_ended,
                several_who_work_at_one_copy_do_each_part_once,
            ]
        );
    }
}

/// What a program of a version before search has written.
mod before_search {
    use common::files::SearchStore as _;
    use common::files::search::{SearchFilter, SearchQuery, SearchScope};
    use mongodb::bson::{Document, doc};

    use super::*;

    #[tokio::test]
    async fn it_is_found_after_the_walk() {
        let (mongo, scratch) = support::mongo().await;
        let (db, raw) = (Arc::new(FilesDb::new(&mongo)), scratch.raw().await);
        let subject = FilesSubject::new(db.clone(), scratch).await;
        let folder = subject.folder(subject.root(), "first name").await;
        let other = subject.folder(subject.root(), "other").await;
        let nodes = raw.collection::<Document>("nodes");
        // one that was made by it, and one that was renamed by it
        let made = doc! { "$unset": { "words": "" } };
        nodes.update_one(doc! { "name": "first name" }, made).await.expect("it can be changed");
        let renamed = doc! { "$set": { "name": "renamed" } };
        nodes.update_one(doc! { "name": "other" }, renamed).await.expect("it can be changed");
        let found = async |word: &str| {
            let query = SearchQuery {
                words: vec![word.to_owned()],
                scopes: vec![SearchScope { space: subject.space.id, below: None }],
                filter: SearchFilter::default(),
                after: None,
                limit: 10,
            };
            let found = db.search(&query).await.expect("it can be searched");
            found.nodes.into_iter().map(|found| found.node).collect::<Vec<_>>()
        };
        assert!(found("first").await.is_empty());
        assert_eq!(db.index(None, 10).await.expect("it can be walked").indexed, 2);
        assert_eq!(found("first").await, [folder.id]);
        assert_eq!(found("renam").await, [other.id]);
        assert!(found("other").await.is_empty());
        assert_eq!(db.index(None, 10).await.expect("it can be walked").indexed, 0);
    }
}

/// Words that stand in more texts than a question names.
mod many_texts {
    use common::files::search::{IndexedText, SearchFilter, SearchQuery, SearchScope, SearchStore as _};
    use common::files::{FileStore as _, Node};
    use common::{FileId, SpaceId};
    use mongodb::bson::{Binary, Bson, Document, doc, oid::ObjectId, spec::BinarySubtype};

    use super::*;

    /// Texts that are named, and one more.
    const MOST: usize = 20;
    const MANY: u32 = 21;

    /// Texts of contents that no file has any more, with these words.
    async fn fill(texts: &mongodb::Collection<Document>, space: SpaceId, words: &[&str]) {
        let space = ObjectId::from_bytes(*space.bytes());
        let kind = u8::try_from(words.len()).expect("they are few");
        let docs = (0..MANY).map(|number| {
            let bytes = [&number.to_be_bytes()[..], &[kind; 12]].concat();
            let blob = Bson::from(Binary { subtype: BinarySubtype::Generic, bytes });
            doc! { "_id": { "space": space, "blob": &blob }, "space": space, "blob": &blob, "words": words, "text": "" }
        });
        texts.insert_many(docs.collect::<Vec<_>>()).await.expect("they can be kept");
    }

    #[tokio::test]
    async fn those_of_others_take_nothing_from_ones_own() {
        let (mongo, scratch) = support::mongo().await;
        let db = Arc::new(FilesDb::new(&mongo).with_most_texts(MOST));
        let raw = scratch.raw().await;
        let subject = FilesSubject::new(db.clone(), scratch).await;
        let texts = raw.collection::<Document>("texts");
        let other = common::UserId(common::IdGen::object_id(&*subject.ids));
        let fresh = (SpaceId(common::IdGen::object_id(&*subject.ids)), subject.ids.next());
        let at = common::Clock::now(&subject.clock);
        let theirs = db.ensure_space(other, fresh, None, at).await.expect("a space is made");
        fill(&texts, theirs.id, &["common"]).await;
        let file = async |parent: FileId, words: &str| -> Node {
            let file = subject.file(parent, words, 10).await;
            let blob = file.content.as_ref().expect("it is a file").blob;
            let text = IndexedText::new(words.replace("file", ""));
            assert!(db.keep_text(blob, &text).await.expect("it can be kept"));
            file
        };
        let own = file(subject.root(), "file common").await;
        let given = subject.folder(theirs.root, "given").await;
        let shared = file(given.id, "file common").await;
        let closed = file(theirs.root, "file common").await;
        // by their texts, and not by their names
        for node in [&own, &shared, &closed] {
            let name = common::files::NodeName::parse("x").expect("it is one");
            db.relocate(node.id, None, &name, node.parent.expect("it is no root"), at)
                .await
                .expect("it is renamed");
        }
        let search = async |words: &[&str], scopes: Vec<SearchScope>| {
            let query = SearchQuery {
                words: words.iter().map(|word| (*word).to_owned()).collect(),
                scopes,
                filter: SearchFilter::default(),
                after: None,
                limit: 10,
            };
            let found = db.search(&query).await.expect("it can be searched");
            let mut nodes: Vec<FileId> = found.nodes.into_iter().map(|found| found.node).collect();
            nodes.sort_unstable();
            (nodes, found.incomplete)
        };
        let all = |space| SearchScope { space, below: None };
        let below = |space, node| SearchScope { space, below: Some(vec![node]) };
        let scopes = vec![below(theirs.id, given.id), all(subject.space.id)];
        let mut both = vec![own.id, shared.id];
        both.sort_unstable();
        for word in ["common", "comm"] {
            assert_eq!(search(&[word], scopes.clone()).await, (both.clone(), false), "{word}");
        }
        // where one space has more than that, the answer says so; all words in one text are found all the same
        assert!(search(&["common"], vec![all(theirs.id)]).await.1);
        fill(&texts, subject.space.id, &["frequent", "common"]).await;
        let rare = file(subject.root(), "file frequent usual").await;
        fill(&texts, subject.space.id, &["usual", "a", "b"]).await;
        let name = common::files::NodeName::parse("y").expect("it is one");
        db.relocate(rare.id, None, &name, subject.root(), at).await.expect("it is renamed");
        assert_eq!(search(&["frequent", "usual"], vec![all(subject.space.id)]).await, (vec![rare.id], true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_carried_here_is_kept_as_it_was() {
    let (mongo, _scratch) = support::mongo().await;
    testkit::portable::files(&FilesDb::new(&mongo)).await;
}

/// Old versions, more than one commit gives up.
mod versions {
    use super::*;
    use common::files::{FileStore as _, KeepVersions, RecountPlace, VersionStore as _};
    use common::{Clock as _, Timestamp};
    use mongodb::bson::{Document, doc};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_file_with_thousands_of_versions_is_pruned_by_several_commits() {
        let (mongo, scratch) = support::mongo().await;
        let raw = scratch.raw().await;
        let db = Arc::new(FilesDb::new(&mongo));
        let subject = FilesSubject::new(Arc::clone(&db), scratch).await;
        let (many, few) =
            (subject.file(subject.root(), "many", 1).await, subject.file(subject.root(), "few", 1).await);
        for file in [&many, &few] {
            subject.commit(&subject.update(file.id, 1, 50)).await.unwrap();
        }
        // as many more like the one there is, which share its blob
        let more = 2_600;
        let old = raw.collection::<Document>("versions");
        let first = old.find_one(doc! {}).sort(doc! { "node": 1 }).await.unwrap().unwrap();
        let copies: Vec<Document> = (2..2 + more)
            .map(|number| {
                let mut copy = first.clone();
                copy.remove("_id");
                copy.insert("version", i64::from(number));
                copy
            })
            .collect();
        old.insert_many(copies).await.unwrap();
        let change = async |collection: &str, filter: Document, change: Document| {
            let changed = raw.collection::<Document>(collection).update_one(filter, change).await.unwrap();
            assert_eq!(changed.matched_count, 1, "{collection}");
        };
        let blob = first.get("blob").unwrap().clone();
        let node = first.get("node").unwrap().clone();
        change("blobs", doc! { "_id": blob }, doc! { "$inc": { "refs": i64::from(more) } }).await;
        change("nodes", doc! { "_id": node }, doc! { "$set": { "content.version": i64::from(more) + 2 } })
            .await;
        change("spaces", doc! {}, doc! { "$inc": { "used_bytes": i64::from(more) } }).await;

        let now = subject.clock.now();
        let keep = |count| KeepVersions { count, replaced_since: Timestamp::MIN };
        let prune = async |count| {
            let (mut after, mut removed) = (None, 0);
            loop {
                let step = db.prune_versions(after, keep(count), 200, now).await.unwrap();
                removed += step.removed;
                after = step.next;
                if after.is_none() {
                    return removed;
                }
            }
        };
        assert_eq!(prune(u32::MAX).await, 0);
        assert_eq!(prune(more).await, 1);
        assert_eq!(prune(100).await, more - 100);
        assert_eq!(prune(0).await, 101);
        let mut place = Some(RecountPlace::START);
        while let Some(next) = place {
            let step = db.recount(next, now).await.unwrap();
            assert_eq!(step.found, []);
            place = step.next;
        }
        let used = db.usage(subject.space.id).await.unwrap().used_bytes;
        assert_eq!(used, 2);
    }
}
