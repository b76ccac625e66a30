//! Making folders.

use common::files::{ClassicType, Kind, MAX_DEPTH, NewFolder, Node, NodeError, NodeName};
use common::{Code, FileId};

use super::access::Authorized;
use crate::error::AppError;
use crate::state::FileService;

/// How often a path is walked anew when a folder on it went away under way.
const WALKS: usize = 3;

/// Makes a folder in `parent` (action: add a child).
///
/// # Errors
/// `name_taken`, `parent_not_found` if the parent went away, `too_deep`.
pub(crate) async fn create(
    service: &FileService,
    parent: &Authorized,
    name: NodeName,
) -> Result<Node, AppError> {
    Ok(service.store.create_folder(&new_folder(service, parent, parent.id(), name)).await?)
}

/// Makes a folder as the classic API does: under the next free name if the name is taken, and open to everybody if asked.
///
/// # Errors
/// `parent_not_found` if the parent went away, `too_deep`.
pub(crate) async fn create_classic(
    service: &FileService,
    parent: &Authorized,
    name: NodeName,
    public: bool,
) -> Result<Node, AppError> {
    let folder = NewFolder {
        rename_if_taken: true,
        classic_type: Some(ClassicType::Folder),
        public,
        ..new_folder(service, parent, parent.id(), name)
    };
    Ok(service.store.create_folder(&folder).await?)
}

/// A folder that was asked for by its path.
#[derive(Debug)]
pub(crate) struct PathFolder {
    /// The last folder of the path.
    pub(crate) node: Node,
    /// It was made just now, rather than found.
    pub(crate) created: bool,
}

/// Walks down from `start` (action: add a child), making the folders that are missing. Any number of callers may make the same path at
/// once: all of them get the same folders. What was made before a failure stays.
///
/// # Errors
/// `name_taken` if the last step is a file, `parent_not_folder` if an earlier one is; `parent_not_found` if a folder went away under way;
/// `too_deep`.
pub(crate) async fn create_path(
    service: &FileService,
    start: &Authorized,
    path: &[NodeName],
) -> Result<PathFolder, AppError> {
    if start.path().depth() + path.len() > MAX_DEPTH {
        return Err(AppError::refused(Code::TooDeep));
    }
    for _ in 1..WALKS {
        match walk(service, start, path).await {
            // a folder of the path was moved or deleted by someone else between two steps: its successor may be there already
            Err(error) if error.code() == Code::ParentNotFound => {}
            settled => return settled,
        }
    }
    walk(service, start, path).await
}

async fn walk(service: &FileService, start: &Authorized, path: &[NodeName]) -> Result<PathFolder, AppError> {
    let mut at = PathFolder { node: start.node().clone(), created: false };
    for (step, name) in path.iter().enumerate() {
        at = find_or_create(service, start, at.node.id, name).await?;
        if at.node.kind != Kind::Folder {
            let last = step + 1 == path.len();
            return Err(if last {
                AppError::NameTaken { existing: at.node.id }
            } else {
                AppError::because(Code::ParentNotFolder, format!("“{name}” is a file"))
            });
        }
    }
    Ok(at)
}

async fn find_or_create(
    service: &FileService,
    start: &Authorized,
    parent: FileId,
    name: &NodeName,
) -> Result<PathFolder, AppError> {
    if let Some(node) = service.store.find_child(parent, name).await? {
        return Ok(PathFolder { node, created: false });
    }
    match service.store.create_folder(&new_folder(service, start, parent, name.clone())).await {
        Ok(node) => Ok(PathFolder { node, created: true }),
        Err(NodeError::NameTaken { .. }) => match service.store.find_child(parent, name).await? {
            Some(node) => Ok(PathFolder { node, created: false }),
            // made by someone else and gone again
            None => Err(AppError::refused(Code::ParentNotFound)),
        },
        Err(error) => Err(error.into()),
    }
}

fn new_folder(service: &FileService, authority: &Authorized, parent: FileId, name: NodeName) -> NewFolder {
    NewFolder {
        id: FileId(service.ids.object_id()),
        parent,
        name,
        rename_if_taken: false,
        classic_type: None,
        public: false,
        by: authority.by(),
        via: authority.doer().link,
        at: service.clock.now(),
    }
}
