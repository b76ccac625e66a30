//! Files and folders of the original, in their turn.

use std::collections::{HashMap, HashSet};

use common::files::{
    ClassicType, FormerNode, IncomingContent, IncomingNode, Intake, IntakeError, Node, NodeName,
};
use common::{FileId, PortError, UserId};

use super::contents::{Contents, NoContent};
use super::old::{OldFile, made_at};
use super::plan::{Planned, plan};
use super::{MigrateError, Progress};
use crate::names;
use crate::report::Report;
use crate::source::{Source, blocking};

/// Takes files and folders, each after its folder.
pub(super) struct FileIntake<'a> {
    files: &'a dyn Intake,
    contents: Contents,
    dry: bool,
    roots: HashMap<UserId, FileId>,
    /// Folders that are there, or would be.
    there: HashSet<FileId>,
    /// Folders of which it is known whether they, or one above them, are in the trash here.
    trashed: HashMap<FileId, bool>,
    /// Names that a dry run would have given.
    names: HashSet<(UserId, Option<FileId>, NodeName)>,
}

impl<'a> FileIntake<'a> {
    pub(super) fn new(files: &'a dyn Intake, contents: Contents, dry: bool) -> Self {
        Self {
            files,
            contents,
            dry,
            roots: HashMap::new(),
            there: HashSet::new(),
            trashed: HashMap::new(),
            names: HashSet::new(),
        }
    }

    pub(super) async fn take_all(
        mut self,
        nodes: Vec<OldFile>,
        owners: &HashSet<UserId>,
        report: &mut Report,
        progress: Progress<'_>,
    ) -> Result<(), MigrateError> {
        let (planned, left) = plan(nodes, owners);
        for (file, reason) in left {
            report.left(format!("{file}: {reason}"));
        }
        let all = planned.len() as u64;
        for (done, planned) in planned.into_iter().enumerate() {
            progress("files and folders", done as u64, all);
            self.take(planned, report).await?;
        }
        Ok(())
    }

    async fn take(&mut self, planned: Planned, report: &mut Report) -> Result<(), MigrateError> {
        let Planned { file, mut parent, mut moved } = planned;
        let (is_folder, taken, were_there) = match file.kind {
            ClassicType::Folder => (true, "folders taken over", "folders that were there"),
            ClassicType::File | ClassicType::Image => (false, "files taken over", "files that were there"),
        };
        if let Some(node) = self.files.find_node(file.id).await? {
            if node.owner == file.owner {
                report.count(were_there);
                if is_folder && !self.in_trash(node).await? {
                    self.there.insert(file.id);
                }
            } else {
                report.left(format!("{file}: its id belongs to somebody else here"));
            }
            return Ok(());
        }
        if parent.is_some_and(|parent| !self.there.contains(&parent)) {
            let is_trashed =
                parent.and_then(|parent| self.trashed.get(&parent)).is_some_and(|trashed| *trashed);
            let why = if is_trashed { "its folder is in the trash here" } else { "its folder was not taken" };
            (parent, moved) = (None, Some(why));
        }
        let name = names::allowed(&file.name);
        let source = match file.kind {
            ClassicType::Folder => None,
            ClassicType::File | ClassicType::Image => match self.open(&file).await? {
                Ok(source) => Some(source),
                Err(reason) => {
                    report.left(format!("{file}: {reason}"));
                    return Ok(());
                }
            },
        };
        let bytes = source.as_ref().map_or(0, Source::size);
        let outcome = if self.dry {
            Ok(self.would_be_called(&file, parent, &name))
        } else {
            self.bring(&file, parent, &name, source).await.map(|node| node.name)
        };
        match outcome {
            Ok(called) => {
                report.count(taken);
                if file.public {
                    report.count("of these open to everybody");
                }
                report.add("bytes", bytes);
                if is_folder {
                    self.there.insert(file.id);
                }
                if let Some(reason) = moved {
                    report.changed(format!("{file}: {reason}; it is in its owner's root folder"));
                }
                tell_name(report, &file, &name, &called);
                Ok(())
            }
            Err(IntakeError::Port(error)) => Err(error.into()),
            Err(error) => {
                report.left(format!("{file}: {error}"));
                Ok(())
            }
        }
    }

    async fn open(&self, file: &OldFile) -> Result<Result<Source, NoContent>, MigrateError> {
        let (contents, path) = (self.contents.clone(), file.local_path.clone());
        let opened = blocking(move || Ok(contents.open(path.as_deref()))).await;
        opened.map_err(|error| PortError::broken("contents", error).into())
    }

    async fn bring(
        &mut self,
        file: &OldFile,
        parent: Option<FileId>,
        name: &NodeName,
        source: Option<Source>,
    ) -> Result<Node, IntakeError> {
        let parent = match parent {
            Some(parent) => parent,
            None => self.root_of(file.owner).await?,
        };
        let former = FormerNode {
            id: file.id,
            kind: file.kind,
            public: file.public,
            created_at: made_at(file.id.bytes()),
        };
        let node = IncomingNode { owner: file.owner, parent, name: name.clone(), former: Some(former) };
        let Some(source) = source else { return self.files.make_folder(&node).await };
        let (size, modified_at) = (source.size(), Some(source.modified_at()));
        let (bytes, _) = source.bytes();
        self.files.take_file(&node, IncomingContent { size, modified_at, bytes }).await
    }

    async fn root_of(&mut self, owner: UserId) -> Result<FileId, PortError> {
        if let Some(root) = self.roots.get(&owner) {
            return Ok(*root);
        }
        let root = self.files.root_of(owner).await?;
        self.roots.insert(owner, root);
        Ok(root)
    }

    /// Whether nothing can be put into a folder that was there: it, or one above it, is in the trash.
    async fn in_trash(&mut self, folder: Node) -> Result<bool, PortError> {
        let (mut way, mut at) = (Vec::new(), Some(folder));
        let mut trashed = false;
        while let Some(node) = at {
            if let Some(known) = self.trashed.get(&node.id) {
                trashed = *known;
                break;
            }
            way.push(node.id);
            trashed = node.trashed.is_some();
            at = match node.parent {
                Some(parent) if !trashed => self.files.find_node(parent).await?,
                _ => None,
            };
        }
        self.trashed.extend(way.into_iter().map(|id| (id, trashed)));
        Ok(trashed)
    }

    /// The name that something would get, as far as the dump alone decides that.
    fn would_be_called(&mut self, file: &OldFile, parent: Option<FileId>, name: &NodeName) -> NodeName {
        let mut called = name.clone();
        let mut number = 2;
        while !self.names.insert((file.owner, parent, called.clone())) {
            called = name.numbered(number);
            number += 1;
        }
        called
    }
}

fn tell_name(report: &mut Report, file: &OldFile, name: &NodeName, called: &NodeName) {
    let composed = NodeName::parse(&file.name);
    if composed.as_ref() != Ok(name) {
        let reason = composed.err().map_or_else(String::new, |error| format!(" ({error})"));
        report.changed(format!("{file}: its name is not allowed here{reason}; it is called “{called}”"));
    } else if called != name {
        report.changed(format!(
            "{file}: its folder has another of this name; it is called “{called}”, and by the classic API as before"
        ));
    }
}
