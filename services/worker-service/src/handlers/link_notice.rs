use std::sync::Arc;

use async_trait::async_trait;
use clients::FilesClient;
use common::files::internal::{LinkNews, LinkNoticeOf};
use common::jobs::types::{self, LinkNoticeData};
use common::notifications::{LINK_USED, NewNotification, NotificationStore};
use common::{Clock, JobId, LinkId, NotificationId, ObjectId, UserId};
use metrics::counter;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::service::Parts;
use crate::work::{Bells, HandlerError, JobContext, JobHandler};

/// Bytes of a name in a notification.
const MAX_NAME_BYTES: usize = 200;

/// Tells those who have a link what happened by it: what file-service has counted since it was last told.
pub(crate) struct LinkNoticeHandler {
    files: FilesClient,
    notifications: Arc<dyn NotificationStore>,
    clock: Arc<dyn Clock>,
    bells: Bells,
}

impl LinkNoticeHandler {
    /// Keeps notifications in the store of this service, and rings for them.
    pub(crate) fn new(parts: &Parts, bells: Bells) -> Self {
        Self {
            files: parts.files.clone(),
            notifications: Arc::clone(&parts.notifications),
            clock: Arc::clone(&parts.clock),
            bells,
        }
    }
}

#[async_trait]
impl JobHandler for LinkNoticeHandler {
    fn kind(&self) -> &'static str {
        types::LINK_NOTICE
    }

    fn concurrency(&self) -> usize {
        1
    }

    async fn run(&self, job: &JobContext) -> Result<Option<Value>, HandlerError> {
        let spec = &job.job().spec;
        let LinkNoticeData { link_id: link } = LinkNoticeData::deserialize(&spec.data)
            .map_err(|_| HandlerError::Permanent("Missing linkId".to_owned()))?;
        let asked = LinkNoticeOf { link, job: spec.id };
        // what an attempt before this one has told is answered in the same way until it is closed, and has the same ids
        let Some(news) = self.files.open_link_notice(&asked).await?.notice else {
            return Ok(Some(json!({ "told": 0 })));
        };
        let told: Vec<NewNotification> =
            news.users.iter().map(|user| notification(&news, link, spec.id, *user)).collect();
        let new = self.notifications.notify(&told, self.clock.now()).await?;
        counter!("fm_notifications_total", "kind" => LINK_USED).increment(new.len() as u64);
        self.files.close_link_notice(&asked).await?;
        self.bells.ring_news(news.users.iter().copied()).await;
        Ok(Some(json!({ "told": told.len(), "downloads": news.downloads, "drops": news.drops })))
    }
}

fn notification(news: &LinkNews, link: LinkId, job: JobId, user: UserId) -> NewNotification {
    NewNotification {
        id: NotificationId(ObjectId::named(&format!("link used {job} {user}"))),
        user,
        kind: LINK_USED.to_owned(),
        text: text(news),
        data: json!({
            "linkId": link,
            "label": news.label,
            "fileId": news.file,
            "lastFileId": news.last_file,
            "downloads": news.downloads,
            "drops": news.drops,
        }),
    }
}

fn text(news: &LinkNews) -> String {
    let quoted = |name: &str| format!("“{}”", crate::webhooks::cut(name, MAX_NAME_BYTES));
    let name = |name: &Option<String>| name.as_deref().map_or_else(|| "a file".to_owned(), quoted);
    let what = match (news.downloads, news.drops) {
        (1, 0) => format!("{} was downloaded", name(&news.last_name)),
        (0, 1) => format!("{} was added", name(&news.last_name)),
        (downloads, 0) => format!("{downloads} downloads"),
        (0, drops) => format!("{drops} files were added"),
        (downloads, drops) => format!("{downloads} downloads and {drops} added files"),
    };
    let by =
        if news.label.is_empty() { "a link".to_owned() } else { format!("the link {}", quoted(&news.label)) };
    format!("{what} by {by} to {}", name(&news.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::FileId;

    fn news(downloads: u64, drops: u64) -> LinkNews {
        LinkNews {
            users: vec![UserId::from_bytes([1; 12])],
            label: "Ann".to_owned(),
            file: FileId::from_bytes([2; 12]),
            name: Some("Photos".to_owned()),
            last_file: FileId::from_bytes([3; 12]),
            last_name: Some("a.jpg".to_owned()),
            downloads,
            drops,
        }
    }

    #[test]
    fn a_notice_says_what_happened() {
        for (news, said) in [
            (news(1, 0), "“a.jpg” was downloaded by the link “Ann” to “Photos”"),
            (news(0, 1), "“a.jpg” was added by the link “Ann” to “Photos”"),
            (news(500, 0), "500 downloads by the link “Ann” to “Photos”"),
            (news(0, 2), "2 files were added by the link “Ann” to “Photos”"),
            (news(3, 2), "3 downloads and 2 added files by the link “Ann” to “Photos”"),
            (LinkNews { label: String::new(), name: None, ..news(2, 0) }, "2 downloads by a link to a file"),
        ] {
            assert_eq!(text(&news), said);
        }
        let long = LinkNews { label: "ä".repeat(500), name: Some("ö".repeat(255)), ..news(1, 0) };
        let (link, job) = (LinkId::from_bytes([4; 12]), JobId::from_bytes([5; 12]));
        notification(&long, link, job, long.users[0]).check().unwrap();
    }
}
