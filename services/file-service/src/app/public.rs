//! Opening a file to everybody, and closing it.

use common::Code;
use common::files::Node;

use super::access::Authorized;
use crate::error::AppError;
use crate::state::FileService;

/// Opens `node` to everybody, or closes it (action: share). Repeating changes nothing. A public folder does not open what is in it.
///
/// # Errors
/// `root_is_fixed`; `not_found` if the node went away.
pub(crate) async fn set(service: &FileService, node: &Authorized, public: bool) -> Result<Node, AppError> {
    if node.node().is_root() {
        return Err(AppError::refused(Code::RootIsFixed));
    }
    Ok(service.store.set_public(node.id(), public, node.by(), service.clock.now()).await?)
}
