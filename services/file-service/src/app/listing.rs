//! Lists: what is in a folder, and the way to a node.

use common::FileId;
use common::files::{ListQuery, Node, NodeName, Page};

use super::access::Authorized;
use crate::error::AppError;
use crate::state::FileService;

/// How many items a page of the classic list has.
pub(crate) const CLASSIC_PAGE: u32 = 20;

/// A page of what is in `folder` (action: list).
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn children(
    service: &FileService,
    folder: &Authorized,
    query: &ListQuery,
) -> Result<Page<Node>, AppError> {
    Ok(service.store.list_children(folder.id(), query).await?)
}

/// Page `page`, from 0, of what is in `folder` (action: list), newest first.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn classic_page(
    service: &FileService,
    folder: &Authorized,
    page: u64,
) -> Result<Vec<Node>, AppError> {
    let offset = page.saturating_mul(u64::from(CLASSIC_PAGE));
    if offset >= folder.node().child_count {
        // also spares the store offsets that no folder can have
        return Ok(Vec::new());
    }
    Ok(service.store.list_children_by_id(folder.id(), offset, CLASSIC_PAGE).await?)
}

/// The way down to the node itself: from the root, or from the first folder that the caller may know of.
pub(crate) fn way_to(node: &Authorized) -> Vec<(FileId, NodeName)> {
    let above = node.path().ancestors.iter().skip(node.hidden()).map(|crumb| (crumb.id, crumb.name.clone()));
    above.chain([(node.id(), node.node().name.clone())]).collect()
}
