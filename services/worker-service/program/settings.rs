//! Everything that can be set.

use distributed::{CONNECTION_DOCS, Connections, PEER_DOCS, Peers};
use program::{LOG_DOCS, Log, STOP_DOCS, Stop};
use runtime::settings::Doc;
use serde::{Deserialize, Serialize};
use worker_service::{
    MAIL_DOCS, MAINTENANCE_DOCS, MailSection, MaintenanceSection, THUMBNAILS_DOCS, ThumbnailsSection,
};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    #[serde(flatten)]
    pub(crate) connections: Connections,
    #[serde(flatten)]
    pub(crate) peers: Peers,
    pub(crate) thumbnails: ThumbnailsSection,
    pub(crate) mail: MailSection,
    pub(crate) maintenance: MaintenanceSection,
    pub(crate) log: Log,
    pub(crate) stop: Stop,
}

/// What each key means.
pub(crate) fn docs() -> Vec<Doc> {
    [CONNECTION_DOCS, PEER_DOCS, THUMBNAILS_DOCS, MAIL_DOCS, MAINTENANCE_DOCS, LOG_DOCS, STOP_DOCS].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_documented() {
        runtime::settings::check_docs::<Settings>(&docs()).unwrap();
    }
}
