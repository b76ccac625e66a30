//! Telling those who have links of their use.

use common::files::internal::{LinkNews, LinkNoticeOf, LinkNoticeTold};
use common::files::{Link, LinkNotice, LinkUse};
use common::jobs::types;
use common::{FileId, JobId};
use http_kit::cause;

use crate::error::AppError;
use crate::state::FileService;

/// A use of a link, with the job that may have to tell of it.
pub(crate) fn used(service: &FileService, link: &Link, file: FileId) -> LinkUse {
    let (id, now) = (JobId(service.ids.object_id()), service.clock.now());
    let job = types::link_notice(id, link.id, link.owner, now).caused_by(&cause::current());
    LinkUse { file, job }
}

/// What a notice tells: its link's maker, and the owner of what the link leads to.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn open(service: &FileService, asked: LinkNoticeOf) -> Result<LinkNoticeTold, AppError> {
    let Some(notice) = service.links.open_notice(asked.link, asked.job).await? else {
        return Ok(LinkNoticeTold { notice: None });
    };
    let LinkNotice { link, file, downloads, drops } = notice;
    let mut users = vec![link.owner, link.by];
    users.dedup();
    let news = LinkNews {
        users,
        label: link.label,
        file: link.node,
        name: name_of(service, link.node).await?,
        last_file: file,
        last_name: name_of(service, file).await?,
        downloads,
        drops,
    };
    Ok(LinkNoticeTold { notice: Some(news) })
}

async fn name_of(service: &FileService, id: FileId) -> Result<Option<String>, AppError> {
    Ok(service.store.find_path(id).await?.map(|path| path.node.name.as_str().to_owned()))
}

/// Notes that a notice was given.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn close(service: &FileService, told: LinkNoticeOf) -> Result<(), AppError> {
    let Some(link) = service.links.find_link(told.link).await? else { return Ok(()) };
    let next = used(service, &link, link.node).job;
    Ok(service.links.close_notice(told.link, told.job, &next, service.clock.now()).await?)
}
