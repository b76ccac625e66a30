//! Contents: `…/children`, `…/children/{name}/content` and `…/{id}/content`.

mod form;
mod read;
mod safety;
mod write;

pub(super) use form::put_children;
pub(super) use read::{Way, describe, send, send_content, send_file, show};
pub(super) use safety::policy;
pub(super) use write::{OnConflictWord, announced, name, put_child, put_content};
