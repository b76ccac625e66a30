//! `POST /files`.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, post, web};
use bytes::{Bytes, BytesMut};
use common::PortError;
use common::auth::Scope;
use common::files::{ClassicType, Node, ShareRole};
use futures_util::StreamExt as _;
use http_kit::body::declared_length;
use http_kit::{Authenticated, BodyLimits, BodyStream, ClassicError, ClassicResult};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::Failure;
use super::body::{self, Asked, AskedParent};
use super::object::{self, ClassicParentId, FileObject};
use crate::app::access::{Authorized, Target, authorize_parent};
use crate::app::{folders, upload};
use crate::http::{params, view};
use crate::state::FileService;

/// A body of up to so many bytes is read where the request is handled: that takes a fraction of a millisecond.
const SMALL_BODY_BYTES: usize = 64 * 1024;

/// What is uploaded.
#[derive(ToSchema)]
#[schema(as = ClassicUpload, rename_all = "camelCase")]
#[allow(dead_code, reason = "stands for the body in the document alone; `body` reads it")]
struct Upload {
    /// Its name; another node of the folder may have the same.
    #[schema(example = "image.png")]
    name: String,
    /// `folder`, `file` or `image`.
    #[schema(rename = "type", example = "image")]
    kind: String,
    /// The folder that it goes into: an id, or 0 for the root, also if left out.
    parent_id: Option<ClassicParentId>,
    /// Everybody may read its content; false if left out.
    is_public: Option<bool>,
    /// The content in base64, standard or URL-safe; not for a folder.
    data: Option<String>,
}

/// Uploads a file, or makes a folder.
#[utoipa::path(
    operation_id = "classicUpload",
    tag = "classic",
    request_body = Upload,
    responses(
        (status = 201, description = "The file", body = FileObject),
        (status = 400, description = "`Missing name`, `Invalid name`, `Missing type`, `Missing data`, `Invalid data`, `Invalid isPublic`, `Parent not found`, `Parent is not a folder`, `Invalid JSON`", body = Failure),
        (status = 401, description = "`Unauthorized`", body = Failure),
        (status = 403, description = "`Forbidden`: to be opened to everybody, in a folder that the caller may not share", body = Failure),
        (status = 413, description = "`Payload too large`", body = Failure),
        (status = 503, description = "`Service unavailable`: no room in memory for the body, or a store does not answer", body = Failure),
    ),
    security(("token" = []), ("bearer" = []))
)]
#[post("/files")]
pub(super) async fn create(
    caller: Authenticated,
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<FileService>,
) -> ClassicResult<HttpResponse> {
    let pass = params::pass(&request, &caller);
    let (asked, _room) = read(&service, &request, payload).await?;
    pass.still(&service).await?;
    let target = match asked.parent {
        AskedParent::Root => Target::Root,
        AskedParent::Node(id) => Target::Node(id),
        AskedParent::Unknown => return Err(ClassicError::bad_request("Parent not found")),
    };
    let parent = authorize_parent(&service, params::actor(&caller), target).await?;
    let may_open = caller.scopes.contains(Scope::Shares)
        && params::ends_with_it(&caller, None).is_ok()
        && parent.sight().role >= ShareRole::Manager;
    if asked.public && !may_open {
        return Err(ClassicError::new(StatusCode::FORBIDDEN, "Forbidden"));
    }
    let node = store(&service, &parent, asked).await?;
    let object = FileObject::new(&node, object::child_of(&parent));
    Ok(HttpResponse::Created().insert_header(view::PRIVATE).json(object))
}

async fn store(service: &FileService, parent: &Authorized, asked: Asked) -> ClassicResult<Node> {
    let Asked { name, kind, public, content, .. } = asked;
    Ok(match kind {
        ClassicType::Folder => folders::create_classic(service, parent, name, public).await?,
        ClassicType::File | ClassicType::Image => {
            upload::store_classic(service, parent, name, kind, public, content).await?
        }
    })
}

/// Reads the body as far as there is room for it, and checks it. The room is taken for as long as the value is held.
async fn read<'a>(
    service: &'a FileService,
    request: &HttpRequest,
    payload: web::Payload,
) -> ClassicResult<(Asked, Option<Room<'a>>)> {
    if !is_json(request) {
        return Ok((body::read(Bytes::new())?, None));
    }
    let limits = BodyLimits {
        max_bytes: Some(service.settings.classic_body_bytes as u64),
        ..service.settings.upload_pace
    };
    limits.check_declared(request)?;
    let expected = declared_length(request).and_then(|length| usize::try_from(length).ok());
    let mut body = BodyStream::new(payload, limits);
    // memory that is asked for and not written costs nothing, while a buffer that grows is there twice
    let mut text = BytesMut::with_capacity(expected.unwrap_or(service.settings.classic_body_bytes));
    let mut room = Room::new(service);
    while let Some(piece) = body.next().await.transpose()? {
        room.make(text.len() + piece.len()).await?;
        text.extend_from_slice(&piece);
    }
    let text = text.freeze();
    let asked = if text.len() <= SMALL_BODY_BYTES {
        body::read(text)?
    } else {
        let read = tokio::task::spawn_blocking(move || body::read(text)).await;
        read.map_err(|broken| PortError::broken("files", broken))??
    };
    Ok((asked, Some(room)))
}

/// By how much the room of a body grows at least.
const ROOM_STEP_BYTES: usize = 16 * 1024;

/// A part of the memory for bodies, which grows with what has arrived: a slow client holds no more than it has sent.
///
/// Bodies that each have a part and wait for more would wait for one another. So when all room is taken, one of them at a time goes on without: it
/// comes to its end, and its room to the others. The bound is exceeded by one body at most.
struct Room<'a> {
    service: &'a FileService,
    granted: usize,
    permits: Option<OwnedSemaphorePermit>,
    passing: Option<OwnedSemaphorePermit>,
}

impl<'a> Room<'a> {
    fn new(service: &'a FileService) -> Self {
        Self { service, granted: 0, permits: None, passing: None }
    }

    /// Grows to `bytes`; waits for others if there is no room for more.
    async fn make(&mut self, bytes: usize) -> ClassicResult<()> {
        if bytes <= self.granted || self.passing.is_some() {
            return Ok(());
        }
        let wanted = bytes.max(self.granted + ROOM_STEP_BYTES).next_multiple_of(1024);
        let kibibytes = u32::try_from((wanted - self.granted) / 1024).unwrap_or(u32::MAX);
        let service = self.service;
        let either = async {
            tokio::select! {
                biased;
                more = service.classic_room.clone().acquire_many_owned(kibibytes) => more.map(|more| (Some(more), None)),
                passing = service.classic_passing.clone().acquire_owned() => passing.map(|passing| (None, Some(passing))),
            }
        };
        let (more, passing) = match tokio::time::timeout(service.settings.classic_room_wait, either).await {
            Ok(either) => either.map_err(|closed| PortError::broken("files", closed))?,
            Err(late) => return Err(PortError::unavailable("memory for upload bodies", late).into()),
        };
        self.passing = passing;
        if let Some(more) = more {
            match &mut self.permits {
                Some(permits) => permits.merge(more),
                None => self.permits = Some(more),
            }
            self.granted = wanted;
        }
        Ok(())
    }
}

/// Whether the body is JSON; anything else counts as no body.
fn is_json(request: &HttpRequest) -> bool {
    let value =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
