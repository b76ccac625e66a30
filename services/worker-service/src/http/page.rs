//! Pages of lists.

use common::Code;
use common::jobs::{JobFilter, JobOrder, JobPage};
use http_kit::cursor;
use http_kit::{ApiResult, Problem};

use crate::WorkerService;

/// Items on a page when the client does not say.
const USUAL_LIMIT: u32 = 100;
/// Most items on a page.
const MOST_LIMIT: u32 = 1000;

/// What a client asks of a list: how many, and from where.
pub(super) struct Asked<'a> {
    pub(super) limit: Option<u32>,
    pub(super) cursor: Option<&'a str>,
    /// What the cursor belongs to: whose list, and which part of it in which order.
    pub(super) name: String,
}

impl Asked<'_> {
    /// The page, and the cursor of the next one.
    ///
    /// # Errors
    /// `invalid_request`, `invalid_cursor`, `unavailable`.
    pub(super) async fn page(
        self,
        service: &WorkerService,
        filter: &JobFilter,
        order: JobOrder,
    ) -> ApiResult<(JobPage, Option<String>)> {
        let limit = limit(self.limit)?;
        let after: Option<u64> =
            self.cursor.map(|cursor| cursor::decode(&service.cursor_key, &self.name, cursor)).transpose()?;
        let page: JobPage = service.admin.list(filter, order, after, limit).await?;
        let last = page.items.last().filter(|_| page.more);
        let next = last.map(|job| cursor::encode(&service.cursor_key, &self.name, &job.number));
        Ok((page, next))
    }
}

/// How many items a page has.
///
/// # Errors
/// `invalid_request`.
pub(super) fn limit(asked: Option<u32>) -> ApiResult<u32> {
    match asked {
        None => Ok(USUAL_LIMIT),
        Some(limit @ 1..=MOST_LIMIT) => Ok(limit),
        Some(_) => {
            let message = "limit must be from 1 to 1000";
            Err(Problem::new(Code::InvalidRequest).detail(message).field("?limit", "invalid", message))
        }
    }
}
