//! Files and folders that an administrator brings in.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use common::files::{
    Action, Actor, ClassicType, IncomingContent, IncomingNode, Intake, IntakeError, NewFolder, Node,
    NodeName, SeenFile,
};
use common::{Code, FileId, PortResult, UserId};
use futures_util::{Stream, StreamExt as _};
use http_kit::BodyError;

use super::access::{Authorized, authorize, authorize_parent};
use super::spaces::StoredSpaces;
use super::upload::{self, Announced, OnConflict, Sender};
use super::watch::Pass;
use crate::error::AppError;
use crate::state::FileService;

/// Where the stream of an upload leaves why it broke off.
type Fault = Arc<Mutex<Option<io::Error>>>;

#[async_trait]
impl Intake for FileService {
    async fn root_of(&self, owner: UserId) -> PortResult<FileId> {
        Ok(StoredSpaces::of(self).space(owner).await?.root)
    }

    async fn find_node(&self, id: FileId) -> PortResult<Option<Node>> {
        Ok(self.store.find_path(id).await?.map(|path| path.node))
    }

    async fn find_child(&self, parent: FileId, name: &NodeName) -> PortResult<Option<Node>> {
        self.store.find_child(parent, name).await
    }

    async fn make_folder(&self, folder: &IncomingNode) -> Result<Node, IntakeError> {
        let parent = parent_of(self, folder).await?;
        let former = folder.former;
        let new = NewFolder {
            id: former.map_or_else(|| FileId(self.ids.object_id()), |former| former.id),
            parent: parent.id(),
            name: folder.name.clone(),
            rename_if_taken: former.is_some(),
            classic_type: former.map(|_| ClassicType::Folder),
            public: former.is_some_and(|former| former.public),
            by: parent.by(),
            via: None,
            at: former.map_or_else(|| self.clock.now(), |former| former.created_at.min(self.clock.now())),
        };
        self.store.create_folder(&new).await.map_err(|error| refusal(error.into()))
    }

    async fn take_file(&self, file: &IncomingNode, content: IncomingContent) -> Result<Node, IntakeError> {
        let parent = parent_of(self, file).await?;
        let (announced, body, fault) = upload_of(content);
        let taken = match file.former {
            Some(former) => upload::take_former(self, &parent, &file.name, former, announced, body).await,
            None => {
                let kept_as = (&file.name, OnConflict::Fail);
                let sender = Sender::Caller(Pass::Free);
                upload::put_child(self, &parent, kept_as, sender, announced, body).await
            }
        };
        taken.map(|committed| committed.node).map_err(|error| broken_off(error, &fault))
    }

    async fn take_content(
        &self,
        owner: UserId,
        file: SeenFile,
        content: IncomingContent,
    ) -> Result<Node, IntakeError> {
        let SeenFile { id, revision } = file;
        let node = authorize(self, Actor::User(owner), Action::Change, id).await.map_err(refusal)?;
        if node.node().owner != owner {
            return Err(IntakeError::Refused(Code::NotFound));
        }
        let (announced, body, fault) = upload_of(content);
        let taken = upload::put_content(self, &node, Some(revision), &Pass::Free, announced, body).await;
        taken.map(|committed| committed.node).map_err(|error| broken_off(error, &fault))
    }
}

/// The content as an upload has it.
fn upload_of(
    content: IncomingContent,
) -> (Announced, impl Stream<Item = Result<Bytes, BodyError>> + Unpin + Send, Fault) {
    let IncomingContent { size, modified_at, bytes } = content;
    let announced = Announced { length: Some(size), modified_at, ..Announced::default() };
    let fault = Fault::default();
    let noted = Arc::clone(&fault);
    let body = bytes.map(move |piece| {
        piece.map_err(|error| {
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            BodyError::Incomplete
        })
    });
    (announced, body, fault)
}

fn broken_off(error: AppError, fault: &Fault) -> IntakeError {
    match error {
        AppError::Body(error) => {
            let cause = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
            IntakeError::Source(cause.unwrap_or_else(|| io::Error::other(error)))
        }
        error => refusal(error),
    }
}

/// The folder that something goes into, which must be in its owner's own space.
async fn parent_of(service: &FileService, node: &IncomingNode) -> Result<Authorized, IntakeError> {
    let parent = authorize_parent(service, Actor::User(node.owner), node.parent).await.map_err(refusal)?;
    if parent.node().owner == node.owner && !parent.in_trash() {
        Ok(parent)
    } else {
        Err(IntakeError::Refused(Code::ParentNotFound))
    }
}

fn refusal(error: AppError) -> IntakeError {
    match error {
        AppError::Port(error) => IntakeError::Port(error),
        error => IntakeError::Refused(error.code()),
    }
}
