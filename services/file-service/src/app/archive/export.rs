//! The archive of all that is an account's: files about it, which a job has put together, and the files of its space as they are now.

use std::sync::Arc;

use archive::Format;
use common::auth::{EXPORT_PART_BYTES, Export, ExportFile, ExportPart, Exports};
use common::files::{Action, Actor, BlobRange, ByteStream};
use common::{ExportId, PortError, Timestamp, UserId};
use futures_util::stream;

use super::Plan;
use super::plan::Walk;
use super::room::Holder;
use crate::app::access::{Target, authorize};
use crate::error::AppError;
use crate::state::FileService;

/// Most files and folders of an export: what nobody can choose less of.
const MAX_ENTRIES: usize = 1_000_000;
/// Nodes of the trash that are read at a time.
const PAGE: u32 = 500;
/// What it is called.
const TITLE: &str = "export";

/// Plans the archive of an export that is ready.
///
/// # Errors
/// `unprocessable` for more than [`MAX_ENTRIES`]; `unavailable` while too much is being sent.
pub(crate) async fn plan(service: &FileService, export: &Export, format: Format) -> Result<Plan, AppError> {
    let at = export.ended_at.unwrap_or(export.requested_at);
    lay_out(service, export.user, (export.id, &export.files), at, format).await
}

/// How long the archive would be now, with these files about the account; none for more than an archive can hold.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn measure(
    service: &FileService,
    user: UserId,
    files: &[ExportFile],
) -> Result<Option<u64>, AppError> {
    let nowhere = ExportId::from_bytes([0; 12]);
    match lay_out(service, user, (nowhere, files), service.clock.now(), Format::Zip).await {
        Ok(plan) => Ok(Some(plan.layout.len())),
        Err(error) if error.code() == common::Code::Unprocessable => Ok(None),
        Err(error) => Err(error),
    }
}

async fn lay_out(
    service: &FileService,
    user: UserId,
    (export, files): (ExportId, &[ExportFile]),
    at: Timestamp,
    format: Format,
) -> Result<Plan, AppError> {
    let root = authorize(service, Actor::User(user), Action::List, Target::Root).await?;
    let mut walk = Walk::begin(service, Holder::Account(user), format, MAX_ENTRIES);
    let account = walk.add_folder("account", at.seconds())?;
    for (file, position) in files.iter().zip(0..) {
        let held = ExportPart { user, export, file: position, number: 0 };
        walk.add_file(account, file, at.seconds(), held)?;
    }
    let folder = walk.add_folder("files", root.node().modified_at.seconds())?;
    walk.take_below(root.id(), Some(folder)).await?;
    let trash = walk.add_folder("trash", at.seconds())?;
    let mut after = None;
    loop {
        let page = service.store.list_trash(root.space(), after, PAGE).await?;
        for node in &page.items {
            walk.take_under(trash, node).await?;
        }
        after = page.items.last().and_then(|last| Some((last.trashed.as_ref()?.at, last.id)));
        if !page.more || after.is_none() {
            break;
        }
    }
    walk.lay_out(format, vec![(0, root)], Some(TITLE)).await
}

/// A part of a file about an account, which has `size` bytes.
pub(super) fn read(exports: Arc<dyn Exports>, file: ExportPart, size: u64, range: BlobRange) -> ByteStream {
    let end = range.start + range.len;
    Box::pin(stream::try_unfold(range.start, move |at| {
        let exports = Arc::clone(&exports);
        async move {
            if at >= end {
                return Ok(None);
            }
            let each = EXPORT_PART_BYTES as u64;
            let number = u32::try_from(at / each).map_err(|error| PortError::broken("exports", error))?;
            let begins = u64::from(number) * each;
            let length = each.min(size - begins);
            let bytes = exports.export_part(ExportPart { number, ..file }).await?;
            let bytes = bytes.filter(|bytes| bytes.len() as u64 == length);
            let bytes = bytes.ok_or_else(|| PortError::broken("exports", "a part is gone, or cut"))?;
            let place = |at: u64| usize::try_from(at - begins).unwrap_or(usize::MAX);
            let until = end.min(begins + length);
            Ok(Some((bytes.slice(place(at)..place(until)), until)))
        }
    }))
}
