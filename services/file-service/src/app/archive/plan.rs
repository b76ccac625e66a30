use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use archive::{Entry, Format, Layout, LayoutError, Stored};
use common::digest::Hasher;
use common::files::{Action, Actor, Kind, ListQuery, Node, NodeName, Order, Position, Sort};
use common::{BlobKey, Code, FileId, PortError, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::access::{Authorized, Target, authorize};
use crate::error::AppError;
use crate::state::FileService;

/// Most files and folders of one archive.
pub(crate) const MAX_ENTRIES: usize = 250_000;

/// Children that are read at a time.
const PAGE: u32 = 1000;

/// What an archive is made of: everything that was there when it was planned.
pub(crate) struct Plan {
    /// Which bytes stand where.
    pub(crate) layout: Arc<Layout>,
    /// Where the contents of the entries are; none for folders.
    pub(crate) contents: Arc<[Option<BlobKey>]>,
    /// What was asked for, each with the position of its first entry.
    pub(crate) roots: Vec<(usize, Authorized)>,
    /// Of everything that the archive's bytes depend on.
    pub(crate) digest: Sha256,
    /// Room for the entries, until the archive was sent.
    pub(crate) room: OwnedSemaphorePermit,
}

/// Plans an archive of these files and folders with all that is in them, as far as `actor` may read them. One root folder stands for what is in it;
/// else each stands at the top, under its name or the next free one. What is asked for twice stands once.
///
/// # Errors
/// As [`authorize`] for each of them, and `not_found` for what is in the trash; `unprocessable` for more than [`MAX_ENTRIES`]; `unavailable` while
/// too much is being sent.
pub(crate) async fn plan(
    service: &FileService,
    actor: Actor,
    targets: &[Target],
    format: Format,
) -> Result<Plan, AppError> {
    let nothing = Arc::clone(&service.archive_room).try_acquire_many_owned(0);
    let room = nothing.map_err(|error| PortError::unavailable("archives", error))?;
    let mut walk = Walk {
        service,
        room,
        entries: Vec::new(),
        contents: Vec::new(),
        hasher: Hasher::default(),
        taken: HashSet::new(),
        numbers: HashMap::new(),
    };
    walk.hasher.update(if format == Format::Zip { b"zip1" } else { b"tar1" });
    let mut roots: Vec<(usize, Authorized)> = Vec::with_capacity(targets.len());
    let mut seen = HashSet::new();
    for target in targets {
        let root = authorize(service, actor, Action::ReadContent, *target).await?.live()?;
        if !seen.insert(root.id()) {
            continue;
        }
        if root.node().kind == Kind::Folder {
            // what is open to everybody is open by itself, and not what is in it
            authorize(service, actor, Action::List, root.id()).await?;
        }
        let first = walk.entries.len();
        walk.take(root.node()).await?;
        roots.push((first, root));
    }
    let Walk { room, entries, contents, hasher, .. } = walk;
    // tens of milliseconds for many entries
    let laid_out = tokio::task::spawn_blocking(move || Layout::new(format, entries)).await;
    let layout = laid_out.map_err(|error| PortError::broken("archives", error))?.map_err(refused)?;
    let (_, digest, _) = hasher.finish();
    Ok(Plan { layout: Arc::new(layout), contents: contents.into(), roots, digest, room })
}

fn refused(error: LayoutError) -> AppError {
    match error {
        LayoutError::TooLong(_) | LayoutError::TooMuch => {
            AppError::because(Code::Unprocessable, "This is more than an archive can hold: choose less")
        }
        // the store keeps no such names, and a walk gives no such parents
        LayoutError::Name(_) | LayoutError::Parent(_) => PortError::broken("archives", error).into(),
    }
}

struct Walk<'a> {
    service: &'a FileService,
    room: OwnedSemaphorePermit,
    entries: Vec<Entry>,
    contents: Vec<Option<BlobKey>>,
    hasher: Hasher,
    /// Names at the top.
    taken: HashSet<NodeName>,
    /// The last number that was given to each name that was wanted again: thousands may want the same.
    numbers: HashMap<NodeName, u64>,
}

impl Walk<'_> {
    /// Takes in what was asked for, with all that is in it.
    async fn take(&mut self, node: &Node) -> Result<(), AppError> {
        let mut folders = Vec::new();
        if node.is_root() {
            folders.push((node.id, None));
        } else {
            self.make_room(1)?;
            let name = self.free_name(&node.name);
            let index = self.push(None, &name, node);
            if node.kind == Kind::Folder {
                folders.push((node.id, Some(index)));
            }
        }
        while let Some((folder, index)) = folders.pop() {
            let below = folders.len();
            self.list(folder, index, &mut folders).await?;
            // the first of them next
            folders[below..].reverse();
        }
        Ok(())
    }

    async fn list(
        &mut self,
        folder: FileId,
        parent: Option<u32>,
        folders: &mut Vec<(FileId, Option<u32>)>,
    ) -> Result<(), AppError> {
        let mut query = ListQuery {
            sort: Sort::Name,
            order: Order::Asc,
            folders_first: false,
            kind: None,
            after: None,
            offset: 0,
            limit: PAGE,
        };
        loop {
            let page = self.service.store.list_children(folder, &query).await?;
            self.make_room(page.items.len())?;
            for node in &page.items {
                let index = match parent {
                    Some(_) => self.push(parent, &node.name, node),
                    None => {
                        let name = self.free_name(&node.name);
                        self.push(None, &name, node)
                    }
                };
                if node.kind == Kind::Folder {
                    folders.push((node.id, Some(index)));
                }
            }
            match page.items.last().filter(|_| page.more) {
                Some(last) => query.after = Some(Position::of(last, Sort::Name)),
                None => return Ok(()),
            }
        }
    }

    fn free_name(&mut self, wanted: &NodeName) -> NodeName {
        if self.taken.insert(wanted.clone()) {
            return wanted.clone();
        }
        let number = self.numbers.entry(wanted.clone()).or_insert(1);
        loop {
            *number += 1;
            let name = wanted.numbered(*number);
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }

    fn push(&mut self, parent: Option<u32>, name: &NodeName, node: &Node) -> u32 {
        let content = node.content.as_ref();
        let modified_at = content.map_or(node.modified_at, |content| content.modified_at).seconds();
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.hasher.update(&parent.unwrap_or(u32::MAX).to_be_bytes());
        self.hasher.update(&(name.as_str().len() as u64).to_be_bytes());
        self.hasher.update(name.as_str().as_bytes());
        self.hasher.update(&modified_at.to_be_bytes());
        match content {
            Some(content) => self.hasher.update(&content.sha256.0),
            None => self.hasher.update(b"folder"),
        }
        self.entries.push(Entry {
            parent,
            name: name.as_str().into(),
            modified_at,
            stored: content.map(|content| Stored { size: content.size, crc32: content.crc32.0 }),
        });
        self.contents.push(content.map(|content| content.blob));
        index
    }

    fn make_room(&mut self, more: usize) -> Result<(), AppError> {
        if self.entries.len() + more > MAX_ENTRIES {
            let detail = format!("An archive holds up to {MAX_ENTRIES} files and folders: choose less");
            return Err(AppError::because(Code::Unprocessable, detail));
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.service.archive_room).try_acquire_many_owned(more);
        self.room.merge(room.map_err(|error| PortError::unavailable("archives", error))?);
        Ok(())
    }
}
