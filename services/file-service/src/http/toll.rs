//! What a link asks before it gives bytes away: that they are counted. An archive counts as one download.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue, SET_COOKIE};
use common::files::{Content, Link, TakeDownload};
use common::{Code, FileId, Sha256, Timestamp};
use http_kit::{CookiePolicy, cursor};

use super::public;
use crate::app::sharing::notices;
use crate::error::AppError;
use crate::state::FileService;

/// For so long parts of a content can be read after its first byte was counted.
pub(crate) const TICKET_LIFETIME: Duration = Duration::from_secs(6 * 60 * 60);

/// The field that carries the ticket of a download that was counted, in both directions. Browsers get it as a cookie, too.
pub(crate) const DOWNLOAD_TICKET: HeaderName = HeaderName::from_static("x-download-ticket");

/// One download by a link.
pub(crate) struct Toll<'a> {
    link: &'a Link,
    /// The file that is read; of an archive what the link leads to.
    file: FileId,
    /// What is read, of which a ticket is good for one version.
    subject: String,
    cookie: String,
    /// How cookies are made.
    cookies: &'a CookiePolicy,
}

impl<'a> Toll<'a> {
    /// For the content of a file.
    pub(crate) fn of_content(
        link: &'a Link,
        file: FileId,
        content: &Content,
        cookies: &'a CookiePolicy,
    ) -> Self {
        let subject = format!("download/{}/{file}/{}", link.id, content.blob);
        Self { link, file, subject, cookie: format!("fm_download_{file}"), cookies }
    }

    /// For an archive that is made of exactly this.
    pub(crate) fn of_archive(link: &'a Link, digest: Sha256, cookies: &'a CookiePolicy) -> Self {
        let subject = format!("archive/{}/{digest}", link.id);
        Self { link, file: link.node, subject, cookie: "fm_archive".to_owned(), cookies }
    }

    /// Counts this download, unless a ticket says that it was counted. Where the link has a limit each part that comes without a ticket counts, and
    /// whatever counted gets a ticket; where it has none only what has the first byte counts. The fields go into the answer.
    ///
    /// # Errors
    /// `link_exhausted`; `not_found` if the link has ended.
    pub(crate) async fn pay(
        &self,
        service: &FileService,
        request: &HttpRequest,
        from_start: bool,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, AppError> {
        let limited = self.link.max_downloads.is_some();
        let now = service.clock.now();
        if limited && self.has_ticket(service, request, now) || !limited && !from_start {
            return Ok(Vec::new());
        }
        let used = notices::used(service, self.link, self.file);
        match service.links.take_download(self.link.id, now, &used).await? {
            TakeDownload::Taken if limited => Ok(self.ticket(service, now)),
            TakeDownload::Taken => Ok(Vec::new()),
            TakeDownload::Exhausted => Err(AppError::refused(Code::LinkExhausted)),
            TakeDownload::Gone => Err(AppError::refused(Code::NotFound)),
        }
    }

    fn has_ticket(&self, service: &FileService, request: &HttpRequest, now: Timestamp) -> bool {
        public::presented(request, &DOWNLOAD_TICKET, &self.cookie).iter().any(|text| {
            let end = cursor::decode::<i64>(&service.link_key, &self.subject, text);
            end.is_ok_and(|end| now < Timestamp::from_millis(end))
        })
    }

    fn ticket(&self, service: &FileService, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
        let end = (now + TICKET_LIFETIME).millis();
        let ticket = cursor::encode(&service.link_key, &self.subject, &end);
        let place = public::place(self.link);
        let cookie =
            self.cookies.below(&place, self.cookie.clone(), ticket.clone(), TICKET_LIFETIME).to_string();
        let value = |text: &str| HeaderValue::from_str(text).expect("a ticket is visible ASCII");
        vec![(DOWNLOAD_TICKET, value(&ticket)), (SET_COOKIE, value(&cookie))]
    }
}
