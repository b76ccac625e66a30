//! `/api/v1/search`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use common::files::search::{Excerpt, MimeFilter, Rank, Ranked, SearchFilter, words_of_search};
use common::files::{Action, Actor, Kind};
use common::{Code, FileId, Timestamp};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, cursor, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::path::CrumbView;
use super::view::{self, FileView};
use super::{marks, params};
use crate::app::access::{Target, authorize};
use crate::app::listing;
use crate::app::search::{self, Asked, Hit};
use crate::state::FileService;

/// Longest text that is searched for, in characters.
const MAX_CHARS: usize = 256;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParams {
    /// What to look for, at most 256 characters. Each word (the first eight) must stand, or begin a word, in the name, the tags or the text. Case and accents
    /// do not matter.
    q: String,
    /// Only this kind: `folder` or `file`.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>)]
    kind: Option<Kind>,
    /// Only contents of this type, such as `image/png`, or of all that begin with it, if it ends in `/`.
    mime: Option<String>,
    /// Only what has this tag, in whatever case.
    tag: Option<String>,
    /// Only what changed then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only what changed before.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Only files of at least so many bytes.
    min_size: Option<u64>,
    /// Only files of at most so many bytes.
    max_size: Option<u64>,
    /// Only what lies below this folder: its id, or `root`.
    under: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Most items of the page, 1 to 1000; 100 if left out.
    limit: Option<u32>,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SearchResults)]
pub(super) struct ResultsView {
    /// By how well they were found: by the name before the tags, by these before the text, by whole words before beginnings; then the latest first.
    items: Vec<ResultView>,
    /// What to send as `cursor` for the next page; null on the last one. A page may be shorter than asked for, even empty, with another one behind it.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// More may be there that is not found: the search took too long, a word stands in too many texts, or too much is shared with the caller. More words, a
    /// filter or `under` find it.
    incomplete: bool,
}

/// A file or folder that was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchResult)]
struct ResultView {
    /// The file or folder.
    file: FileView,
    /// The folders above it, from the first that the caller may know of down to the one that it is in.
    path: Vec<CrumbView>,
    /// Where the word stands that stands least well.
    #[serde(rename = "match")]
    found_in: FoundIn,
    /// The part of the text in which words stand, if `match` is `text`; else null, and where it is not known.
    #[schema(required = true)]
    excerpt: Option<ExcerptView>,
}

/// What holds a word that was searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SearchMatch)]
enum FoundIn {
    Name,
    Tag,
    Text,
}

/// A part of a text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Excerpt)]
struct ExcerptView {
    /// Its characters, in one line.
    text: String,
    /// Where in it words were found.
    marks: Vec<MarkView>,
}

/// A place in a text, in UTF-16 code units, as JavaScript counts them.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExcerptMark)]
struct MarkView {
    /// Where it begins.
    start: usize,
    /// Behind its last one.
    end: usize,
}

impl ExcerptView {
    fn of(excerpt: &Excerpt) -> Self {
        let units = |at: usize| excerpt.text[..at].encode_utf16().count();
        let marks =
            excerpt.marks.iter().map(|(start, end)| MarkView { start: units(*start), end: units(*end) });
        Self { marks: marks.collect(), text: excerpt.text.clone() }
    }
}

impl ResultView {
    fn of(hit: &Hit) -> Self {
        let mut path: Vec<CrumbView> =
            listing::way_to(&hit.node).into_iter().map(|(id, name)| CrumbView::new(id, &name)).collect();
        path.pop();
        Self {
            file: FileView::of(hit.node.node(), hit.sight),
            path,
            found_in: match hit.rank {
                Rank::Name | Rank::NamePrefix => FoundIn::Name,
                Rank::Tag | Rank::TagPrefix => FoundIn::Tag,
                Rank::Text | Rank::TextPrefix => FoundIn::Text,
            },
            excerpt: hit.excerpt.as_ref().map(ExcerptView::of),
        }
    }
}

/// Finds files and folders by words of their names, tags and texts: the caller's own, and those that others share with them. What is in the trash is not
/// found. A new name is found at once, a new text some moments later.
#[utoipa::path(
    operation_id = "search",
    tag = "organising",
    params(SearchParams),
    responses(
        (status = 200, description = "A page of what was found", body = ResultsView),
        (status = 400, description = "`invalid_request`, `invalid_cursor`", body = ProblemDocument),
        (status = 404, description = "`not_found`: the folder of `under`", body = ProblemDocument),
        (status = 409, description = "`not_a_folder`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/search")]
pub(super) async fn find(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let user = params::whole(&caller)?;
    let query: SearchParams = input::query(&request)?;
    if query.q.chars().nth(MAX_CHARS).is_some() {
        let detail = format!("A search has at most {MAX_CHARS} characters");
        return Err(Problem::new(Code::InvalidRequest)
            .detail(detail.clone())
            .field("?q", "too_long", detail));
    }
    let filter = filter(&query)?;
    let under = match under(query.under.as_deref())? {
        Some(target) => {
            Some(authorize(&service, Actor::User(user), Action::List, target).await?.live()?.folder()?)
        }
        None => None,
    };
    let words = words_of_search(&query.q);
    let folder = under.as_ref().map(crate::app::access::Authorized::id);
    let bound_to = format!("search {user} {words:?} {filter:?} {folder:?}");
    let after: Option<Ranked> =
        query.cursor.map(|text| cursor::decode(&service.cursor_key, &bound_to, &text)).transpose()?;
    let asked = Asked { words, filter, under, after, limit: params::limit(query.limit)? };
    let hits = search::search(&service, user, &asked).await?;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(ResultsView {
        items: hits.items.iter().map(ResultView::of).collect(),
        next_cursor: hits.next.map(|next| cursor::encode(&service.cursor_key, &bound_to, &next)),
        incomplete: hits.incomplete,
    }))
}

fn filter(query: &SearchParams) -> ApiResult<SearchFilter> {
    let mime = query.mime.as_ref().map(|mime| {
        let mime = mime.to_ascii_lowercase();
        if mime.ends_with('/') { MimeFilter::Begins(mime) } else { MimeFilter::Is(mime) }
    });
    let tag = query.tag.as_deref().map(|tag| marks::tag("?tag", tag)).transpose()?;
    Ok(SearchFilter {
        kind: query.kind,
        mime,
        tag,
        from: query.from,
        to: query.to,
        min_size: query.min_size,
        max_size: query.max_size,
    })
}

/// # Errors
/// `not_found` for what is neither an id nor the word `root`.
fn under(text: Option<&str>) -> ApiResult<Option<Target>> {
    match text {
        None => Ok(None),
        Some(params::ROOT) => Ok(Some(Target::Root)),
        Some(text) => match FileId::parse(text) {
            Ok(id) => Ok(Some(Target::Node(id))),
            Err(_) => Err(Code::NotFound.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_counted_as_javascript_does() {
        let text = "𝄞 größe x".to_owned();
        let at = text.find("größe").unwrap();
        let excerpt = ExcerptView::of(&Excerpt { marks: vec![(at, at + "größe".len())], text });
        assert_eq!(excerpt.marks, [MarkView { start: 3, end: 8 }]);
    }
}
