//! When the rare words of a search lead, and where to.

use std::sync::Arc;

use common::files::search::{SearchFilter, SearchQuery, SearchScope};
use rusqlite::Connection;
use testkit::file_store::FilesSubject;

use super::super::{FIRST, Look, Place};
use super::*;
use crate::FilesDb;
use crate::engine::OpenOptions;

const BOUNDS: fn() -> Bounds = || Bounds { sample: 20, misses: 2, ..Bounds::default() };

struct Scene {
    db: Arc<FilesDb>,
    subject: FilesSubject,
}

impl Scene {
    /// How many nodes the rare words lead to at a rank; none if they do not lead.
    async fn led(&self, words: &[&str], rank: Rank) -> Option<usize> {
        let scope = SearchScope { space: self.subject.space.id, below: None };
        let query = SearchQuery {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            scopes: vec![scope.clone()],
            filter: SearchFilter::default(),
            after: None,
            limit: 10,
        };
        let work = move |connection: &Connection| {
            let (place, bounds) = (Place::find(connection, &scope)?.unwrap(), BOUNDS());
            let (mut look, mut found) = (Look::new(connection, &query, &bounds, place), Vec::new());
            let is_led = look.led(rank, FIRST, &mut found)?;
            assert!(is_led || found.is_empty());
            Ok(is_led.then_some(found.len()))
        };
        self.db.read_one_state(work).await.unwrap()
    }
}

#[tokio::test]
async fn the_words_that_are_not_frequent_lead() {
    let folder = tempfile::tempdir().unwrap();
    let db = Arc::new(FilesDb::open(folder.path().join("files.db"), &OpenOptions::default()).unwrap());
    let subject = FilesSubject::new(Arc::clone(&db), folder).await;
    let scene = Scene { db, subject };
    let name = async |name: &str| scene.subject.file(scene.subject.root(), name, 1).await;
    for number in 0..3 {
        name(&format!("elsewhere {number}")).await;
    }
    for number in 10..40 {
        name(&format!("everywhere {number}")).await;
    }
    assert_eq!(scene.led(&["everywhere", "17"], Rank::Name).await, Some(1));
    assert_eq!(scene.led(&["every", "17"], Rank::NamePrefix).await, Some(1));
    // no name has that word whole, which the index knows by itself
    assert_eq!(scene.led(&["every", "17"], Rank::Name).await, None);
    assert_eq!(scene.led(&["everywhere", "nothing"], Rank::Name).await, Some(0));
    // nothing leads where all are frequent, or none, or where there is one
    assert_eq!(scene.led(&["everywhere", "every"], Rank::NamePrefix).await, None);
    assert_eq!(scene.led(&["17", "18"], Rank::Name).await, None);
    assert_eq!(scene.led(&["17"], Rank::Name).await, None);
    // three nodes have one word without the other, and it gives up after two
    assert_eq!(scene.led(&["everywhere", "elsewhere"], Rank::Name).await, None);
}
