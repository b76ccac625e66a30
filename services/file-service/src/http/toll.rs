//! What a link asks before it gives bytes away: that they are counted.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue, SET_COOKIE};
use common::files::{Content, Link, TakeDownload};
use common::{Code, FileId, Timestamp};
use http_kit::{CookiePolicy, cursor};

use super::public;
use crate::error::AppError;
use crate::state::FileService;

/// For so long parts of a content can be read after its first byte was counted.
pub(crate) const TICKET_LIFETIME: Duration = Duration::from_secs(6 * 60 * 60);

/// The field that carries the ticket of a download that was counted, in both directions. Browsers get it as a cookie, too.
pub(crate) const DOWNLOAD_TICKET: HeaderName = HeaderName::from_static("x-download-ticket");

/// One content that is read by a link.
#[derive(Clone, Copy)]
pub(crate) struct Toll<'a> {
    /// The link.
    pub(crate) link: &'a Link,
    /// The file.
    pub(crate) file: FileId,
    /// Its content.
    pub(crate) content: &'a Content,
    /// How cookies are made.
    pub(crate) cookies: &'a CookiePolicy,
}

impl Toll<'_> {
    /// Counts this download, unless a ticket says that it was counted. Where the link has a limit each part that comes without a ticket counts, and
    /// whatever counted gets a ticket; where it has none only what has the first byte counts. The fields go into the answer.
    ///
    /// # Errors
    /// `link_exhausted`; `not_found` if the link has ended.
    pub(crate) async fn pay(
        self,
        service: &FileService,
        request: &HttpRequest,
        from_start: bool,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, AppError> {
        let limited = self.link.max_downloads.is_some();
        let now = service.clock.now();
        if limited && self.has_ticket(service, request, now) || !limited && !from_start {
            return Ok(Vec::new());
        }
        match service.links.take_download(self.link.id, now).await? {
            TakeDownload::Taken if limited => Ok(self.ticket(service, now)),
            TakeDownload::Taken => Ok(Vec::new()),
            TakeDownload::Exhausted => Err(AppError::refused(Code::LinkExhausted)),
            TakeDownload::Gone => Err(AppError::refused(Code::NotFound)),
        }
    }

    fn subject(&self) -> String {
        format!("download/{}/{}/{}", self.link.id, self.file, self.content.blob)
    }

    fn cookie(&self) -> String {
        format!("fm_download_{}", self.file)
    }

    fn has_ticket(&self, service: &FileService, request: &HttpRequest, now: Timestamp) -> bool {
        public::presented(request, &DOWNLOAD_TICKET, &self.cookie()).iter().any(|text| {
            let end = cursor::decode::<i64>(&service.link_key, &self.subject(), text);
            end.is_ok_and(|end| now < Timestamp::from_millis(end))
        })
    }

    fn ticket(&self, service: &FileService, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
        let end = (now + TICKET_LIFETIME).millis();
        let ticket = cursor::encode(&service.link_key, &self.subject(), &end);
        let place = public::place(self.link);
        let cookie = self.cookies.below(&place, self.cookie(), ticket.clone(), TICKET_LIFETIME).to_string();
        let value = |text: &str| HeaderValue::from_str(text).expect("a ticket is visible ASCII");
        vec![(DOWNLOAD_TICKET, value(&ticket)), (SET_COOKIE, value(&cookie))]
    }
}
