//! Gives a product its files without a request for each: through the store's own code, while the product is stopped.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use common::files::search::{IndexedText, SearchStore as _};
use common::files::{
    Commit, CommitTarget, FileStore as _, NewBlob, NewContent, NewFile, NewFolder, NodeName, Place, Space,
    ThumbnailState,
};
use common::{Clock as _, Crc32, FileId, IdGen as _, Sha256, UserId};
use runtime::{RandomIds, SystemClock};
use store_sqlite::{FilesDb, OpenOptions};
use tokio::task::JoinSet;

use crate::contestants::{Server, sign_up, start_ours};
use crate::workloads::{Api, say};

/// A folder in the root, with files that all have the same content.
#[derive(Clone)]
pub(crate) struct Filling {
    pub(crate) folder: String,
    pub(crate) files: usize,
    /// At most what the product keeps in its database: 16 KiB.
    pub(crate) content: Vec<u8>,
    pub(crate) name: fn(usize) -> String,
    /// What search is told to stand in its content, as a job would, if anything.
    pub(crate) text: fn(usize) -> Option<String>,
}

/// A running product with filled folders.
pub(crate) struct Filled {
    pub(crate) server: Server,
    pub(crate) api: Api,
    /// Their ids.
    pub(crate) folders: Vec<String>,
}

/// The account that has the folders; its password is that of [`sign_up`].
pub(crate) const EMAIL: &str = "bench@example.org";

/// As people are told to run it.
const BCRYPT_COST: u32 = 12;

/// Files that are on their way to the store at once: all that wait become one commit.
const AT_ONCE: usize = 1024;

/// Else pages that are written again and again leave the cache between two commits.
const CACHE_KIB: u32 = 256 * 1024;

/// Of a type in which nobody looks for a text or a picture: no jobs follow.
const MIME: &str = "application/octet-stream";

impl Filled {
    /// Starts a fresh product in `folder`, stops it, fills its store, and starts it again.
    pub(crate) async fn start(program: &Path, folder: &Path, fillings: &[Filling]) -> Result<Self> {
        let server = start_ours(program, folder, BCRYPT_COST).await?;
        let token = sign_up(server.address, EMAIL).await?;
        let api = Api { address: server.address, token };
        // the first look makes the space
        api.json("GET", "/api/v1/files/root/children", "").await?;
        let user = api.json("GET", "/api/v1/users/me", "").await?;
        let user = UserId::parse(user["id"].as_str().context("an account without an id")?)?;
        drop(server);

        let (began, count) = (Instant::now(), fillings.iter().map(|filling| filling.files).sum::<usize>());
        let folders = fill(&folder.join("files.db"), user, fillings).await?;
        let server = start_ours(program, folder, BCRYPT_COST).await?;
        say(&format!("{count} files are in a store after {:.0} s", began.elapsed().as_secs_f64()));
        let api = Api { address: server.address, token: api.token };
        Ok(Self { server, api, folders: folders.iter().map(FileId::to_string).collect() })
    }
}

/// Makes the folders and their files; the folders' ids.
async fn fill(database: &Path, user: UserId, fillings: &[Filling]) -> Result<Vec<FileId>> {
    let options = OpenOptions {
        group: AT_ONCE,
        queue: 2 * AT_ONCE,
        writer_cache_kib: CACHE_KIB,
        ..OpenOptions::default()
    };
    let store = Arc::new(FilesDb::open(database, &options)?);
    let space = store.find_space_of(user).await?.context("the account has no space")?;
    let ids = Arc::new(RandomIds::default());
    let mut folders = Vec::with_capacity(fillings.len());
    for filling in fillings {
        let folder = NewFolder {
            id: ids.object_id().into(),
            parent: space.root,
            name: NodeName::parse(&filling.folder)?,
            rename_if_taken: false,
            classic_type: None,
            public: false,
            by: user,
            via: None,
            at: SystemClock.now(),
        };
        store.create_folder(&folder).await?;
        folders.push(folder.id);
        fill_one(&store, &ids, &space, folder.id, filling).await?;
    }
    store.close();
    Ok(folders)
}

async fn fill_one(
    store: &Arc<FilesDb>,
    ids: &Arc<RandomIds>,
    space: &Space,
    folder: FileId,
    filling: &Filling,
) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let content = Bytes::from(filling.content.clone());
    let (sha256, crc32) = (Sha256::of(&content), Crc32(crc32fast::hash(&content)));
    let (by, files, name, text) = (space.owner, filling.files, filling.name, filling.text);
    let mut lanes = JoinSet::new();
    for _ in 0..AT_ONCE.min(files) {
        let (store, ids, next, content) =
            (Arc::clone(store), Arc::clone(ids), Arc::clone(&next), content.clone());
        lanes.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= files {
                    return anyhow::Ok(());
                }
                let at = SystemClock.now();
                let file = NewFile {
                    id: ids.object_id().into(),
                    parent: folder,
                    name: NodeName::parse(&name(n))?,
                    rename_if_taken: false,
                    classic_type: None,
                    public: false,
                    tags: Vec::new(),
                };
                let blob = NewBlob {
                    key: ids.blob_key(),
                    size: content.len() as u64,
                    sha256,
                    crc32,
                    place: Place::Inline(content.clone()),
                };
                let commit = Commit {
                    target: CommitTarget::New(file),
                    content: NewContent {
                        blob,
                        mime: MIME.to_owned(),
                        modified_at: at,
                        thumbnails: ThumbnailState::None,
                    },
                    by,
                    via: None,
                    at,
                    reservation: None,
                    jobs: Vec::new(),
                };
                store.commit_upload(&commit).await?;
                if let Some(text) = text(n) {
                    store.keep_text(commit.content.blob.key, &IndexedText::new(text)).await?;
                }
            }
        });
    }
    while let Some(ended) = lanes.join_next().await {
        ended??;
    }
    Ok(())
}
