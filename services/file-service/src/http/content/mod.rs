//! Contents: `…/children/{name}/content` and `…/{id}/content`.

mod read;
mod safety;
mod write;

pub(super) use read::{describe, send, show};

pub(super) use write::{OnConflictWord, put_child, put_content};
