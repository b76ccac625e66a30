//! Everything that can be set.

use distributed::{Common, with_common_docs};
use runtime::settings::Doc;
use serde::{Deserialize, Serialize};
use worker_service::{
    CLAIMS_DOCS, ClaimsSection, JOBS_DOCS, JobsSection, MAIL_DOCS, MAINTENANCE_DOCS, MailSection,
    MaintenanceSection, THUMBNAILS_DOCS, ThumbnailsSection, WEBHOOKS_DOCS, WebhooksSection,
};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    #[serde(flatten)]
    pub(crate) common: Common,
    pub(crate) thumbnails: ThumbnailsSection,
    pub(crate) mail: MailSection,
    pub(crate) maintenance: MaintenanceSection,
    pub(crate) webhooks: WebhooksSection,
    pub(crate) jobs: JobsSection,
    pub(crate) claims: ClaimsSection,
}

/// What each key means.
pub(crate) fn docs() -> Vec<Doc> {
    with_common_docs(&[THUMBNAILS_DOCS, MAIL_DOCS, MAINTENANCE_DOCS, WEBHOOKS_DOCS, JOBS_DOCS, CLAIMS_DOCS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_documented() {
        runtime::settings::check_docs::<Settings>(&docs()).unwrap();
    }
}
