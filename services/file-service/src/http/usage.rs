//! `/api/v1/usage`, what is below it, and `/api/v1/limits`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use common::files::{Action, Amount, MAX_DEPTH, NodeName, UsageByType};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, input};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{params, view};
use crate::app::access::{Target, authorize, authorize_parent};
use crate::app::usage;
use crate::state::FileService;

/// What the caller's space holds. Old versions and the trash count.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Usage)]
pub(super) struct UsageView {
    /// Bytes of all contents.
    used_bytes: u64,
    /// Most bytes that it may hold; null is no limit.
    #[schema(required = true)]
    quota_bytes: Option<u64>,
    /// Files and folders, the root left out.
    file_count: u64,
    /// What was put into the trash, not counting what lies inside of it.
    trash_count: u64,
}

/// Shows what the caller's space holds.
#[utoipa::path(
    operation_id = "getUsage",
    tag = "files",
    responses((status = 200, description = "What it holds and may hold", body = UsageView)),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/usage")]
pub(super) async fn show(caller: Authenticated, service: web::Data<FileService>) -> ApiResult<HttpResponse> {
    let root = authorize(&service, params::actor(&caller), Action::ReadMetadata, Target::Root).await?;
    let usage = usage::usage(&service, &root).await?;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(UsageView {
        used_bytes: usage.used_bytes,
        quota_bytes: usage.quota_bytes,
        file_count: usage.node_count,
        trash_count: usage.trash_count,
    }))
}

/// Contents, counted together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsageAmount)]
struct AmountView {
    /// How many contents.
    count: u64,
    /// Their bytes.
    bytes: u64,
}

impl AmountView {
    fn of(amount: Amount) -> Self {
        Self { count: amount.count, bytes: amount.bytes }
    }
}

/// Contents of one type.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsageOfType)]
struct TypeView {
    /// The MIME type; null is all types that have no item of their own.
    #[schema(required = true)]
    mime_type: Option<String>,
    /// How many files.
    count: u64,
    /// Bytes of their contents.
    bytes: u64,
}

/// What the caller's space holds, in parts that have nothing in common. Together they are `usedBytes`, but for what was deleted a moment ago.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsageByType)]
pub(super) struct ByTypeView {
    /// Files outside of the trash by the type of their content, the most bytes first: at most 100 items.
    types: Vec<TypeView>,
    /// Former contents of those files.
    versions: AmountView,
    /// Contents of files in the trash, the former ones too.
    trash: AmountView,
    /// All was counted. A space of more than 250,000 files and folders is counted as far as that, or as far as it goes in a few seconds.
    complete: bool,
}

/// Types that have an item of their own.
const TYPES: usize = 99;

impl ByTypeView {
    fn of(usage: UsageByType) -> Self {
        let mut types: Vec<_> = usage
            .types
            .into_iter()
            .map(|(mime, amount)| TypeView {
                mime_type: Some(mime),
                count: amount.count,
                bytes: amount.bytes,
            })
            .collect();
        types.sort_by_key(|of| std::cmp::Reverse(of.bytes));
        if types.len() > TYPES {
            let rest = types.split_off(TYPES);
            types.push(TypeView {
                mime_type: None,
                count: rest.iter().map(|of| of.count).sum(),
                bytes: rest.iter().map(|of| of.bytes).sum(),
            });
        }
        Self {
            types,
            versions: AmountView::of(usage.versions),
            trash: AmountView::of(usage.trash),
            complete: usage.complete,
        }
    }
}

/// Counts what the caller's space holds by type.
#[utoipa::path(
    operation_id = "getUsageByType",
    tag = "files",
    responses((status = 200, description = "What it holds", body = ByTypeView)),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/usage/types")]
pub(super) async fn by_type(
    caller: Authenticated,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let root = authorize(&service, params::actor(&caller), Action::ReadMetadata, Target::Root).await?;
    let usage = usage::by_type(&service, &root).await?;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(ByTypeView::of(usage)))
}

/// What an upload must keep to, so that a client can refuse before a byte is sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Limits)]
pub(super) struct LimitsView {
    /// Most bytes of one content; null is no limit.
    #[schema(required = true)]
    max_upload_bytes: Option<u64>,
    /// How many more bytes the folder's space takes; null is no limit.
    #[schema(required = true)]
    free_bytes: Option<u64>,
    /// Most bytes of a name, in UTF-8 and NFC.
    max_name_bytes: usize,
    /// Most folders above a file.
    max_depth: usize,
    /// How long an unfinished upload is kept after its last bytes came, in seconds.
    keep_uploads_seconds: u64,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LimitsQuery {
    /// The id of the folder that it shall go into, or `root` (the default).
    folder: Option<String>,
}

/// Shows what an upload must keep to.
#[utoipa::path(
    operation_id = "getLimits",
    tag = "files",
    params(LimitsQuery),
    responses(
        (status = 200, description = "The limits", body = LimitsView),
        (status = 404, description = "`parent_not_found`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/limits")]
pub(super) async fn limits(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let query: LimitsQuery = input::query(&request)?;
    let folder = params::parent(query.folder.as_deref())?;
    let folder = authorize_parent(&service, params::actor(&caller), folder).await?;
    let usage = usage::usage(&service, &folder).await?;
    Ok(HttpResponse::Ok().insert_header(view::PRIVATE).json(LimitsView {
        max_upload_bytes: service.settings.max_upload_bytes,
        free_bytes: usage::free_bytes(&usage),
        max_name_bytes: NodeName::MAX_BYTES,
        max_depth: MAX_DEPTH,
        keep_uploads_seconds: service.settings.keep_uploads.as_secs(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_beyond_the_largest_are_one_item() {
        let types = (0..150).map(|bytes| (format!("a/{bytes}"), Amount { count: 1, bytes })).collect();
        let view = ByTypeView::of(UsageByType { types, ..UsageByType::default() });
        assert_eq!(view.types.len(), TYPES + 1);
        assert_eq!(view.types[0].mime_type.as_deref(), Some("a/149"));
        let rest = view.types.last().unwrap();
        assert_eq!((rest.mime_type.as_deref(), rest.count, rest.bytes), (None, 51, 1_275));
    }
}
