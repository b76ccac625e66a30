//! `POST …/children`: many files by one form.

use std::cell::Cell;
use std::rc::Rc;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, post, web};
use bytes::Bytes;
use common::files::{Committed, NodeName};
use common::{Code, Sha256, Timestamp};
use futures_util::{Stream, StreamExt as _};
use http_kit::digest_fields::Unchecked;
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, BodyError, BodyStream, Problem, input};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::write::{OnConflictWord, digest_of};
use crate::app::access::{Sight, authorize_parent};
use crate::app::batch::Done;
use crate::app::marks;
use crate::app::upload::{Announced, MAX_FILES, Many};
use crate::error::AppError;
use crate::http::batch::{BatchView, ResultView};
use crate::http::{params, view};
use crate::state::FileService;

/// Longest text of a form: more than the longest name or time.
const TEXT_BYTES: usize = 4096;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FormQuery {
    /// What to do where a name is taken: `fail` (the default), `rename` to the next free one, or `replace` the content.
    #[param(inline)]
    on_conflict: Option<OnConflictWord>,
}

/// Files, each with what is said of it before it.
#[derive(ToSchema)]
#[allow(dead_code, reason = "stands for a form in the document alone")]
struct UploadForm {
    /// The name of the next file, instead of the one that its part gives, in which browsers cannot write each character.
    name: Vec<String>,
    /// When the content of the next file was last changed where it comes from.
    #[schema(value_type = Vec<String>)]
    modified_at: Vec<Timestamp>,
    /// The files: every part that has a file name, whatever the part is called. One may have a `Repr-Digest` or `Content-Digest`, which is then checked.
    #[schema(value_type = Vec<String>, format = Binary, max_items = 1000)]
    file: Vec<Vec<u8>>,
}

/// Uploads many files into one folder, which is faster than one request for each where they are small. Each succeeds or fails by itself, and has a result; what is
/// refused stops none of the others. If the form cannot be read to its end there is one more result, which says why, and what came before is kept.
#[utoipa::path(
    operation_id = "uploadFiles",
    tag = "files",
    params(("id" = String, Path, description = "The folder's id, or `root`"), FormQuery),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "A result for each, also if some or all of them failed", body = BatchView, headers(("Want-Repr-Digest" = String), ("Want-Content-Digest" = String))),
        (status = 400, description = "`invalid_request`: no file, or no form", body = ProblemDocument),
        (status = 404, description = "`parent_not_found`", body = ProblemDocument),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument),
        (status = 409, description = "`parent_not_folder`", body = ProblemDocument),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[post("/{id}/children")]
pub(in crate::http) async fn put_children(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let actor = params::actor(&caller);
    let parent = params::parent_in_path(&request, "id")?;
    let parent = authorize_parent(&service, actor, parent).await?;
    let query: FormQuery = input::query(&request)?;
    let on_conflict = query.on_conflict.unwrap_or_default().into();
    let mut form = Form::new(&request, BodyStream::new(payload, service.settings.upload_pace))?;
    let mut files = Many::new(&service, &parent, on_conflict, params::pass(&request, &caller));
    if let Err(error) = form.read(&mut files).await {
        if files.len() == 0 {
            return Err(error.into());
        }
        files.refuse(error);
    }
    let results = files.finish().await;
    let made = results.iter().filter_map(|result| result.as_ref().ok().map(|committed| &committed.node));
    let stars = marks::stars(&service, actor, made).await?;
    let show = |result: Result<Committed, AppError>| {
        let seen = result.map(|committed| {
            let starred = stars.contains(&committed.node.id);
            let sight = Sight { starred, ..parent.child_sight() };
            Done::Node(Box::new((committed.node, sight)), committed.created)
        });
        ResultView::of(seen)
    };
    let results = results.into_iter().map(show).collect();
    let mut answer = HttpResponse::Ok().insert_header(view::PRIVATE).json(BatchView { results });
    form.unchecked.tell(answer.headers_mut());
    Ok(answer)
}

/// What is said of the next file.
#[derive(Default)]
struct Told {
    name: Option<String>,
    modified_at: Option<Timestamp>,
    /// What is wrong with it.
    wrong: Option<AppError>,
}

/// The body of a request as a form.
struct Form {
    parts: Multipart,
    /// Why the body cannot be read further.
    fault: Rc<Cell<Option<BodyError>>>,
    /// Of all files.
    unchecked: Unchecked,
}

impl Form {
    fn new(request: &HttpRequest, body: BodyStream) -> ApiResult<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"))
        {
            let detail = "The body must be multipart/form-data";
            return Err(Problem::new(Code::UnsupportedMediaType).detail(detail));
        }
        let fault = Rc::new(Cell::new(None));
        let found = Rc::clone(&fault);
        // the reader of forms knows no such errors
        let body = body.map(move |piece| {
            piece.map_err(|error| {
                found.set(Some(error));
                PayloadError::Incomplete(None)
            })
        });
        Ok(Self { parts: Multipart::new(request.headers(), body), fault, unchecked: Unchecked::default() })
    }

    /// Puts all files.
    ///
    /// # Errors
    /// Why it ended before the end of the form.
    async fn read(&mut self, files: &mut Many<'_>) -> Result<(), AppError> {
        let mut said = Told::default();
        while let Some(part) = files.meanwhile(self.parts.next()).await {
            let mut part = part.map_err(|error| self.broken(&error))?;
            let file_name = part.content_disposition().and_then(|it| it.get_filename()).map(str::to_owned);
            let Some(file_name) = file_name else {
                files.meanwhile(self.take_text(&mut part, &mut said)).await?;
                continue;
            };
            if files.len() == MAX_FILES {
                let detail = format!("At most {MAX_FILES} files at once");
                return Err(AppError::because(Code::InvalidRequest, detail));
            }
            let Told { name, modified_at, wrong } = std::mem::take(&mut said);
            let told = match wrong {
                Some(wrong) => Err(wrong),
                None => of_file(name.as_deref().unwrap_or(&file_name), part.headers()),
            };
            match told {
                Ok((name, digest)) => {
                    self.unchecked = self.unchecked.or(Unchecked::of(part.headers()));
                    let announced = Announced { length: None, digest, modified_at };
                    files.put(name, announced, self.content(&mut part)).await;
                }
                Err(error) => files.refuse(error),
            }
            // it has its result already
            if self.fault.get().is_some() {
                return Ok(());
            }
        }
        if files.len() == 0 {
            return Err(AppError::because(Code::InvalidRequest, "There is no file in the form"));
        }
        Ok(())
    }

    /// Takes what is said of the next file. What is wrong with it is that file's alone.
    ///
    /// # Errors
    /// The form cannot be read further, or is none of this kind.
    async fn take_text(&self, part: &mut Field, told: &mut Told) -> Result<(), AppError> {
        let called = part.name().unwrap_or_default().to_owned();
        let wrong = |why: &str| AppError::because(Code::InvalidRequest, format!("{called}: {why}"));
        let text = match part.bytes(TEXT_BYTES).await {
            Ok(Ok(text)) => String::from_utf8(text.to_vec()).map_err(|_| wrong("it is not UTF-8")),
            Ok(Err(error)) => return Err(self.broken(&error)),
            Err(_) => Err(wrong("it is too long")),
        };
        match (&*called, text) {
            ("name", Ok(text)) => told.name = Some(text),
            ("modifiedAt", Ok(text)) => match Timestamp::parse(&text) {
                Some(at) => told.modified_at = Some(at),
                None => told.wrong = Some(wrong("it is no RFC 3339 time")),
            },
            ("name" | "modifiedAt", Err(error)) => told.wrong = Some(error),
            _ => return Err(wrong("nobody knows this field; a file has a file name")),
        }
        Ok(())
    }

    fn content(&self, part: &mut Field) -> impl Stream<Item = Result<Bytes, BodyError>> + Unpin {
        part.map(|piece| {
            piece.map_err(|error| {
                let fault = self.fault.get().unwrap_or_else(|| fault_of(&error));
                self.fault.set(Some(fault));
                fault
            })
        })
    }

    fn broken(&self, error: &MultipartError) -> AppError {
        match self.fault.get() {
            Some(fault) => AppError::Body(fault),
            None => match fault_of(error) {
                BodyError::Malformed => AppError::because(Code::InvalidRequest, format!("The form: {error}")),
                fault => AppError::Body(fault),
            },
        }
    }
}

/// What a file is called, and the digest that it must have.
fn of_file(name: &str, fields: &HeaderMap) -> Result<(NodeName, Option<Sha256>), AppError> {
    Ok((NodeName::parse(name)?, digest_of(fields)?))
}

fn fault_of(error: &MultipartError) -> BodyError {
    match error {
        MultipartError::Incomplete => BodyError::Incomplete,
        _ => BodyError::Malformed,
    }
}
