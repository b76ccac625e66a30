//! Brings a folder of this machine into somebody's space.
//!
//! The tree is walked by open folders, never by paths, so whoever can write to it while it is read cannot lead the walk out of it. What is there already
//! with the same bytes is passed over, so an import that was interrupted goes on; what was changed there since is left as it is, unless something else is asked.

mod entries;

use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::files::{
    Content, IncomingContent, IncomingNode, Intake, IntakeError, InvalidName, Kind, MAX_DEPTH, NodeName,
    SeenFile,
};
use common::{FileId, PortError, Sha256, Timestamp, UserId};
use rustix::fs::OFlags;

use crate::names;
use crate::report::Report;
use crate::source::{Source, blocking};

use entries::{Found, list, open_at, open_top};

/// What to bring in, and into whose space.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Import {
    /// The address of the account
    #[arg(long, value_name = "ADDRESS")]
    pub user: String,
    /// The folder of the space that it goes into, such as `Archive/2024`; folders that are missing are made. The space itself is `/`
    #[arg(long, value_name = "PATH")]
    pub into: String,
    /// Also give their content from here to files that were changed in the product later than here. Without this they are left as they are, and reported
    #[arg(long)]
    pub replace: bool,
    /// The folder of this machine whose content is brought in
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// Why it ended before its end. What was brought in stays; run again, it goes on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A step of the path is no name.
    #[error("“{0}” is no name of a folder")]
    Path(String, #[source] InvalidName),
    /// A step of the path is a file.
    #[error("“{0}” is a file")]
    NotFolder(String),
    /// The folder that it should go into cannot be made.
    #[error("the folder to bring it into cannot be made")]
    Target(#[source] IntakeError),
    /// The folder of this machine cannot be read.
    #[error("{path} cannot be read")]
    Source {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A store failed.
    #[error("it was interrupted; run it again, and it goes on")]
    Port(#[from] PortError),
}

impl ImportError {
    /// Whether something else has to be typed.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Port(_) | Self::Target(_))
    }
}

/// What it has done so far, for whoever waits: files, and bytes of them.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// Brings everything in that can be, into the space of the account that has the address. The report is true whenever it ends.
///
/// # Errors
/// [`ImportError`].
pub async fn import(
    asked: &Import,
    owner: UserId,
    files: &dyn Intake,
    report: &mut Report,
    progress: Progress<'_>,
) -> Result<(), ImportError> {
    let into = steps(&asked.into)?;
    let path = asked.folder.clone();
    let top = blocking(move || open_top(&path))
        .await
        .map_err(|source| ImportError::Source { path: asked.folder.clone(), source })?;
    let (target, depth) = target(files, owner, into).await?;
    let replace = asked.replace;
    let mut walk = Walk { files, owner, replace, progress, report, taken: 0, bytes: 0, pending: Vec::new() };
    walk.enter(top, target, depth, Path::new("")).await?;
    while let Some(step) = walk.pending.pop() {
        walk.take(step).await?;
        (walk.progress)(walk.taken, walk.bytes);
    }
    Ok(())
}

/// The folder that everything goes into, made if it is missing, and how deep it lies.
async fn target(
    files: &dyn Intake,
    owner: UserId,
    into: Vec<NodeName>,
) -> Result<(FileId, usize), ImportError> {
    let (mut at, depth) = (files.root_of(owner).await?, into.len());
    for name in into {
        at = match files.find_child(at, &name).await? {
            Some(node) if node.kind == Kind::Folder => node.id,
            Some(_) => return Err(ImportError::NotFolder(name.to_string())),
            None => {
                let folder = IncomingNode { owner, parent: at, name, former: None };
                files.make_folder(&folder).await.map_err(ImportError::Target)?.id
            }
        };
    }
    Ok((at, depth))
}

/// The names of a path; none for the space itself.
fn steps(path: &str) -> Result<Vec<NodeName>, ImportError> {
    let steps = path.split('/').filter(|step| !step.is_empty());
    steps
        .map(|step| NodeName::parse(step).map_err(|error| ImportError::Path(step.to_owned(), error)))
        .collect()
}

/// One entry of a folder, waiting for its turn.
struct Step {
    within: Arc<OwnedFd>,
    entry: CString,
    found: Found,
    /// Its name in the product, which no other entry of the folder has.
    name: NodeName,
    parent: FileId,
    /// How deep its folder lies in the product.
    depth: usize,
    /// Where it is below the folder that was given, for the report.
    path: PathBuf,
}

struct Walk<'a> {
    files: &'a dyn Intake,
    owner: UserId,
    /// Also what was changed in the product since.
    replace: bool,
    progress: Progress<'a>,
    report: &'a mut Report,
    taken: u64,
    bytes: u64,
    /// The last one is next: a folder is walked to its end before its neighbours, so that as many folders are open as it is deep.
    pending: Vec<Step>,
}

impl Walk<'_> {
    /// Puts what a folder holds before everything else that waits.
    async fn enter(
        &mut self,
        folder: OwnedFd,
        parent: FileId,
        depth: usize,
        path: &Path,
    ) -> Result<(), ImportError> {
        let listed = blocking(move || list(&folder).map(|entries| (folder, entries))).await;
        let (folder, entries) = match listed {
            Ok(listed) => listed,
            Err(error) if path.as_os_str().is_empty() => {
                return Err(ImportError::Source { path: PathBuf::from("."), source: error });
            }
            Err(error) => {
                self.report.left(format!("{}: {error}", path.display()));
                return Ok(());
            }
        };
        let within = Arc::new(folder);
        let mut names = HashSet::new();
        let mut steps = Vec::new();
        for (entry, found) in entries {
            let text = String::from_utf8_lossy(entry.as_bytes()).into_owned();
            let path = path.join(OsStr::from_bytes(entry.as_bytes()));
            let name = self.name(&text, &path, &mut names, entry.to_str().is_ok());
            steps.push(Step { within: Arc::clone(&within), entry, found, name, parent, depth, path });
        }
        steps.reverse();
        self.pending.extend(steps);
        Ok(())
    }

    /// The name of an entry in the product. The entries of a folder come in the same order each time, so each gets the same name each time.
    fn name(&mut self, text: &str, path: &Path, names: &mut HashSet<NodeName>, is_text: bool) -> NodeName {
        let allowed = names::allowed(text);
        let mut name = allowed.clone();
        let mut number = 2;
        while !names.insert(name.clone()) {
            name = allowed.numbered(number);
            number += 1;
        }
        let composed = NodeName::parse(text);
        if !is_text || composed.as_ref() != Ok(&name) {
            self.report.changed(format!("{}: it is called “{name}”", path.display()));
        }
        name
    }

    async fn take(&mut self, step: Step) -> Result<(), ImportError> {
        match step.found {
            Found::Folder => self.take_folder(step).await,
            Found::File => self.take_file(step).await,
            Found::Link => {
                self.report.left(format!("{}: a symbolic link, which is not followed", step.path.display()));
                Ok(())
            }
            Found::Special(what) => {
                self.report.left(format!("{}: {what}", step.path.display()));
                Ok(())
            }
        }
    }

    async fn take_folder(&mut self, step: Step) -> Result<(), ImportError> {
        let Step { within, entry, name, parent, depth, path, .. } = step;
        if depth >= MAX_DEPTH {
            self.report.left(format!("{}: it lies too deep", path.display()));
            return Ok(());
        }
        let opened = blocking(move || open_at(&within, &entry, OFlags::DIRECTORY)).await;
        let folder = match opened {
            Ok(folder) => folder,
            Err(error) => {
                self.report.left(format!("{}: {error}", path.display()));
                return Ok(());
            }
        };
        let id = match self.files.find_child(parent, &name).await? {
            Some(node) if node.kind == Kind::Folder => {
                self.report.count("folders that were there");
                node.id
            }
            Some(_) => {
                self.report.left(format!("{}: a file has its name", path.display()));
                return Ok(());
            }
            None => {
                let folder = IncomingNode { owner: self.owner, parent, name, former: None };
                match self.files.make_folder(&folder).await {
                    Ok(node) => {
                        self.report.count("folders brought in");
                        node.id
                    }
                    Err(error) => return self.refused(&path, error),
                }
            }
        };
        self.enter(folder, id, depth + 1, &path).await
    }

    async fn take_file(&mut self, step: Step) -> Result<(), ImportError> {
        let Step { within, entry, name, parent, path, .. } = step;
        let opened = blocking(move || {
            let file = open_at(&within, &entry, OFlags::NONBLOCK)?;
            Source::of(File::from(file))
        });
        let mut source = match opened.await {
            Ok(source) => source,
            Err(error) => {
                self.report.left(format!("{}: {error}", path.display()));
                return Ok(());
            }
        };
        let (mut counted, mut over) = ("files brought in", None);
        if let Some(node) = self.files.find_child(parent, &name).await? {
            let Some(content) = &node.content else {
                self.report.left(format!("{}: a folder has its name", path.display()));
                return Ok(());
            };
            if content.size == source.size() {
                let digest: Sha256;
                (source, digest) = match source.digest().await {
                    Ok(read) => read,
                    Err(error) => {
                        self.report.left(format!("{}: {error}", path.display()));
                        return Ok(());
                    }
                };
                if digest == content.sha256 {
                    self.report.count("files that were there");
                    return Ok(());
                }
            }
            counted = match (is_newer(source.modified_at(), content, node.modified_at), self.replace) {
                (true, _) => "files that got a newer content",
                (false, true) => "files that got the content from here back",
                (false, false) => {
                    let why = "it was changed in the product later than here (--replace takes it)";
                    self.report.left(format!("{}: {why}", path.display()));
                    return Ok(());
                }
            };
            over = Some(SeenFile { id: node.id, revision: node.revision });
        }
        let (size, modified_at) = (source.size(), Some(source.modified_at()));
        let (bytes, read) = source.bytes();
        let content = IncomingContent { size, modified_at, bytes };
        let taken = match over {
            Some(seen) => self.files.take_content(self.owner, seen, content).await,
            None => {
                let file = IncomingNode { owner: self.owner, parent, name, former: None };
                self.files.take_file(&file, content).await
            }
        };
        match taken {
            Ok(node) if node.content.as_ref().map(|content| content.sha256) == read.get() => {
                self.report.count(counted);
                self.report.add("bytes", size);
                (self.taken, self.bytes) = (self.taken + 1, self.bytes + size);
                Ok(())
            }
            Ok(_) => {
                let damaged = format!("{}: it is not stored as it was read", path.display());
                Err(PortError::broken("blobs", damaged).into())
            }
            Err(error) => self.refused(&path, error),
        }
    }

    /// What one file or folder cannot have, others may; what a store cannot do ends it all.
    fn refused(&mut self, path: &Path, error: IntakeError) -> Result<(), ImportError> {
        match error {
            IntakeError::Port(error) => Err(error.into()),
            error => {
                self.report.left(format!("{}: {error}", path.display()));
                Ok(())
            }
        }
    }
}

/// Whether a file that was changed at `here` has a newer content than its namesake in the product, which has other bytes, and was changed there at `changed_at`.
/// The first content of a file is as old as it says: it was brought in, most of the time. One that took another's place in the product is of that moment at
/// least: somebody wanted it so, also if they went back to an older one.
fn is_newer(here: Timestamp, content: &Content, changed_at: Timestamp) -> bool {
    here > content.modified_at && (content.version == 1 || here > changed_at)
}
