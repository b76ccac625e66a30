//! `files.db`: nodes, versions, rows of blobs, usage.

mod activity;
mod blobs;
mod copying;
mod journal;
mod link_notices;
mod links;
mod list;
mod loose;
mod marks;
mod names;
mod node;
mod path;
mod places;
mod portable;
mod purge;
mod recount;
mod resumable;
mod returns;
mod scrub;
mod search;
mod shares;
mod space;
mod store;
mod tree;
mod upload;
mod usage;
mod versions;

use std::path::Path;
use std::sync::Arc;

use common::PortResult;

use crate::engine::{Engine, OpenOptions, Schema};
use crate::{keyed, outbox};
use places::Places;

pub(crate) const SCHEMA: Schema = Schema {
    name: "files",
    application_id: 0x464d_0002,
    migrations: &[
        include_str!("../../migrations/files/001.sql"),
        include_str!("../../migrations/files/002.sql"),
        include_str!("../../migrations/files/003.sql"),
        include_str!("../../migrations/files/004.sql"),
        include_str!("../../migrations/files/005.sql"),
        include_str!("../../migrations/files/006.sql"),
        include_str!("../../migrations/files/007.sql"),
        include_str!("../../migrations/files/008.sql"),
        include_str!("../../migrations/files/009.sql"),
        include_str!("../../migrations/files/010.sql"),
        include_str!("../../migrations/files/011.sql"),
        include_str!("../../migrations/files/012.sql"),
        include_str!("../../migrations/files/013.sql"),
        include_str!("../../migrations/files/014.sql"),
        include_str!("../../migrations/files/015.sql"),
        include_str!("../../migrations/files/016.sql"),
    ],
};

/// The database of file-service: a [`common::files::FileStore`] with its [`common::files::ShareStore`],
/// [`common::files::LinkStore`], [`common::files::MarkStore`], [`common::files::VersionStore`], [`common::files::CopyStore`],
/// [`common::files::JournalStore`], [`common::files::ActivityStore`] and [`common::files::SearchStore`], and its [`common::jobs::Outbox`].
pub struct FilesDb {
    engine: Engine,
    places: Arc<Places>,
}

impl FilesDb {
    /// Opens or makes the file and brings it up to date. Blocks for as long as that takes.
    ///
    /// # Errors
    /// `Broken` if the file is another database, damaged, or written by a newer version; `Full` or `Unavailable` as the disk says.
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> PortResult<Self> {
        let engine = Engine::open(path.as_ref(), &SCHEMA, options)?;
        Ok(Self { engine, places: Arc::default() })
    }

    /// Finishes what waits and closes the file; later calls are `Unavailable`. Blocks. Dropping does the same.
    pub fn close(&self) {
        self.engine.close();
    }
}

outbox::impl_outbox!(FilesDb);
keyed::impl_keyed!(FilesDb);

#[cfg(test)]
mod tests;
