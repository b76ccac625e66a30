use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use archive::{Entry, Format, Layout, LayoutError, Stored};
use common::auth::{ExportFile, ExportPart};
use common::digest::Hasher;
use common::files::{Action, Actor, Kind, ListQuery, Node, NodeName, Order, Position, Sort};
use common::{BlobKey, Code, FileId, PortError, Sha256};

use super::room::{Holder, Part};
use crate::app::access::{Authorized, Target, authorize};
use crate::error::AppError;
use crate::state::FileService;

/// Most files and folders of one archive.
pub(crate) const MAX_ENTRIES: usize = 250_000;

/// Children that are read at a time.
const PAGE: u32 = 1000;

/// Where the bytes of an entry are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// The content of a file.
    Blob(BlobKey),
    /// A file about an account, by its position in the account's export.
    Export(ExportPart),
}

/// What an archive is made of: everything that was there when it was planned.
pub(crate) struct Plan {
    /// Which bytes stand where.
    pub(crate) layout: Arc<Layout>,
    /// Where the contents of the entries are; none for folders.
    pub(crate) contents: Arc<[Option<Held>]>,
    /// What was asked for, each with the position of its first entry.
    pub(crate) roots: Vec<(usize, Authorized)>,
    /// Of everything that the archive's bytes depend on.
    pub(crate) digest: Sha256,
    /// What it is called, whatever is in it.
    pub(crate) title: Option<&'static str>,
    /// Room for the entries, until the archive was sent.
    pub(crate) room: Part,
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
    holder: Holder,
    targets: &[Target],
    format: Format,
) -> Result<Plan, AppError> {
    let mut walk = Walk::begin(service, holder, format, MAX_ENTRIES);
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
    walk.lay_out(format, roots, None).await
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

/// An archive while it is planned.
pub(super) struct Walk<'a> {
    service: &'a FileService,
    most: usize,
    room: Part,
    entries: Vec<Entry>,
    contents: Vec<Option<Held>>,
    hasher: Hasher,
    /// Names where what was asked for stands.
    taken: HashSet<NodeName>,
    /// The last number that was given to each name that was wanted again: thousands may want the same.
    numbers: HashMap<NodeName, u64>,
}

impl<'a> Walk<'a> {
    /// Nothing yet, and at most so many entries.
    pub(super) fn begin(service: &'a FileService, holder: Holder, format: Format, most: usize) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(if format == Format::Zip { b"zip1" } else { b"tar1" });
        Self {
            service,
            most,
            room: service.archive_room.part(holder),
            entries: Vec::new(),
            contents: Vec::new(),
            hasher,
            taken: HashSet::new(),
            numbers: HashMap::new(),
        }
    }

    /// The plan of what was taken in.
    pub(super) async fn lay_out(
        self,
        format: Format,
        roots: Vec<(usize, Authorized)>,
        title: Option<&'static str>,
    ) -> Result<Plan, AppError> {
        let Self { room, entries, contents, hasher, .. } = self;
        // tens of milliseconds for many entries
        let laid_out = tokio::task::spawn_blocking(move || Layout::new(format, entries)).await;
        let layout = laid_out.map_err(|error| PortError::broken("archives", error))?.map_err(refused)?;
        let (_, digest, _) = hasher.finish();
        Ok(Plan { layout: Arc::new(layout), contents: contents.into(), roots, digest, title, room })
    }

    /// Adds a folder that is no node.
    pub(super) fn add_folder(&mut self, name: &str, modified_at: i64) -> Result<u32, AppError> {
        self.make_room(1)?;
        self.hasher.update(name.as_bytes());
        self.hasher.update(&modified_at.to_be_bytes());
        Ok(self.add(Entry { parent: None, name: name.into(), modified_at, stored: None }, None))
    }

    /// Adds a file that is no node.
    pub(super) fn add_file(
        &mut self,
        parent: u32,
        file: &ExportFile,
        modified_at: i64,
        held: ExportPart,
    ) -> Result<(), AppError> {
        self.make_room(1)?;
        self.hasher.update(held.export.bytes());
        self.hasher.update(file.name.as_bytes());
        self.hasher.update(&file.size.to_be_bytes());
        self.hasher.update(&file.crc32.to_be_bytes());
        let stored = Some(Stored { size: file.size, crc32: file.crc32 });
        let entry = Entry { parent: Some(parent), name: file.name.as_str().into(), modified_at, stored };
        self.add(entry, Some(Held::Export(held)));
        Ok(())
    }

    /// Takes in a node under this entry, by its name or the next free one there, with all that is in it. Names are of one entry at a time.
    pub(super) async fn take_under(&mut self, parent: u32, node: &Node) -> Result<(), AppError> {
        self.make_room(1)?;
        let name = self.free_name(&node.name);
        let index = self.push(Some(parent), &name, node);
        if node.kind == Kind::Folder {
            self.take_below(node.id, Some(index)).await?;
        }
        Ok(())
    }

    /// Takes in what was asked for, with all that is in it.
    async fn take(&mut self, node: &Node) -> Result<(), AppError> {
        if node.is_root() {
            return self.take_below(node.id, None).await;
        }
        self.make_room(1)?;
        let name = self.free_name(&node.name);
        let index = self.push(None, &name, node);
        if node.kind == Kind::Folder {
            self.take_below(node.id, Some(index)).await?;
        }
        Ok(())
    }

    /// Takes in all that is in a folder, under this entry.
    pub(super) async fn take_below(&mut self, folder: FileId, index: Option<u32>) -> Result<(), AppError> {
        let mut folders = vec![(folder, index)];
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
        self.hasher.update(&parent.unwrap_or(u32::MAX).to_be_bytes());
        self.hasher.update(&(name.as_str().len() as u64).to_be_bytes());
        self.hasher.update(name.as_str().as_bytes());
        self.hasher.update(&modified_at.to_be_bytes());
        match content {
            Some(content) => self.hasher.update(&content.sha256.0),
            None => self.hasher.update(b"folder"),
        }
        let stored = content.map(|content| Stored { size: content.size, crc32: content.crc32.0 });
        let entry = Entry { parent, name: name.as_str().into(), modified_at, stored };
        self.add(entry, content.map(|content| Held::Blob(content.blob)))
    }

    fn add(&mut self, entry: Entry, held: Option<Held>) -> u32 {
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(entry);
        self.contents.push(held);
        index
    }

    fn make_room(&mut self, more: usize) -> Result<(), AppError> {
        if self.entries.len() + more > self.most {
            let detail = format!("An archive holds up to {} files and folders: choose less", self.most);
            return Err(AppError::because(Code::Unprocessable, detail));
        }
        self.room.grow(more).map_err(|error| PortError::unavailable("archives", error))?;
        Ok(())
    }
}
