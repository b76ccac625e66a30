//! What a link asks before it gives bytes away: that they are counted. An archive counts as one download.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue, SET_COOKIE};
use common::files::{Content, Link, TakeDownload};
use common::{Code, FileId, Sha256, Timestamp};
use http_kit::{CookiePolicy, cursor};
use serde::{Deserialize, Serialize};

use super::public;
use crate::app::sharing::notices;
use crate::error::AppError;
use crate::state::FileService;

/// For so long parts of a content can be read after its first byte was counted.
pub(crate) const TICKET_LIFETIME: Duration = Duration::from_secs(6 * 60 * 60);

/// The field that carries the ticket of a download that was counted, in both directions. Browsers get it as a cookie, too.
pub(crate) const DOWNLOAD_TICKET: HeaderName = HeaderName::from_static("x-download-ticket");

const ARCHIVE_COOKIE: &str = "fm_archive";

/// One download by a link.
pub(crate) struct Toll<'a> {
    link: &'a Link,
    /// The file that is read; of an archive what the link leads to.
    file: FileId,
    /// What is read, of which a ticket is good for one version.
    subject: String,
    /// Exactly what an archive is made of.
    made_of: Option<Sha256>,
    cookie: String,
    /// How cookies are made.
    cookies: &'a CookiePolicy,
}

/// What stands in a ticket: when it ends, in milliseconds, and for which of the link's archives it is.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Paid {
    Content(i64),
    Archive(i64, String),
}

impl Paid {
    fn end(&self) -> i64 {
        match self {
            Self::Content(end) | Self::Archive(end, _) => *end,
        }
    }

    fn made_of(&self) -> Option<&str> {
        match self {
            Self::Content(_) => None,
            Self::Archive(_, digest) => Some(digest),
        }
    }
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
        Self { link, file, subject, made_of: None, cookie: format!("fm_download_{file}"), cookies }
    }

    /// For an archive that is made of exactly this.
    pub(crate) fn of_archive(link: &'a Link, digest: Sha256, cookies: &'a CookiePolicy) -> Self {
        let (subject, cookie) = (archives_of(link), ARCHIVE_COOKIE.to_owned());
        Self { link, file: link.node, subject, made_of: Some(digest), cookie, cookies }
    }

    /// Refuses an archive, before it is planned, by a link that gives nothing any more to whoever shows no ticket for one of its archives.
    ///
    /// # Errors
    /// `link_exhausted`.
    pub(crate) fn check_archive(
        service: &FileService,
        request: &HttpRequest,
        link: &Link,
    ) -> Result<(), AppError> {
        let shown = public::presented(request, &DOWNLOAD_TICKET, ARCHIVE_COOKIE);
        let may_be_paid = || paid(service, &archives_of(link), &shown).next().is_some();
        if is_spent(link) && !may_be_paid() { Err(exhausted()) } else { Ok(()) }
    }

    /// Whether it could be paid, as things stand: what is refused need not be opened. Counts nothing.
    ///
    /// # Errors
    /// `link_exhausted`.
    pub(crate) fn check(&self, service: &FileService, request: &HttpRequest) -> Result<(), AppError> {
        if is_spent(self.link) && !self.has_ticket(service, request) { Err(exhausted()) } else { Ok(()) }
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
        if limited && self.has_ticket(service, request) || !limited && !from_start {
            return Ok(Vec::new());
        }
        let now = service.clock.now();
        let used = notices::used(service, self.link, self.file);
        match service.links.take_download(self.link.id, now, &used).await? {
            TakeDownload::Taken if limited => Ok(self.ticket(service, now)),
            TakeDownload::Taken => Ok(Vec::new()),
            TakeDownload::Exhausted => Err(exhausted()),
            TakeDownload::Gone => Err(AppError::refused(Code::NotFound)),
        }
    }

    fn has_ticket(&self, service: &FileService, request: &HttpRequest) -> bool {
        let shown = public::presented(request, &DOWNLOAD_TICKET, &self.cookie);
        let made_of = self.made_of.map(|digest| digest.to_string());
        paid(service, &self.subject, &shown).any(|paid| paid.made_of() == made_of.as_deref())
    }

    fn ticket(&self, service: &FileService, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
        let end = (now + TICKET_LIFETIME).millis();
        let paid = match self.made_of {
            None => Paid::Content(end),
            Some(digest) => Paid::Archive(end, digest.to_string()),
        };
        let ticket = cursor::sign(&service.link_key, &self.subject, &paid);
        let place = public::place(self.link);
        let cookie =
            self.cookies.below(&place, self.cookie.clone(), ticket.clone(), TICKET_LIFETIME).to_string();
        let value = |text: &str| HeaderValue::from_str(text).expect("a ticket is visible ASCII");
        vec![(DOWNLOAD_TICKET, value(&ticket)), (SET_COOKIE, value(&cookie))]
    }
}

fn archives_of(link: &Link) -> String {
    format!("archives/{}", link.id)
}

/// All that the link gives was taken, when it was looked up.
fn is_spent(link: &Link) -> bool {
    link.max_downloads.is_some_and(|most| link.downloads >= most)
}

/// The tickets among these that are good for this subject now.
fn paid<'t>(
    service: &'t FileService,
    subject: &'t str,
    shown: &'t [String],
) -> impl Iterator<Item = Paid> + 't {
    let now = service.clock.now();
    let read = move |text: &String| cursor::verify::<Paid>(&service.link_key, subject, text).ok();
    shown.iter().filter_map(read).filter(move |paid| now < Timestamp::from_millis(paid.end()))
}

fn exhausted() -> AppError {
    AppError::refused(Code::LinkExhausted)
}
