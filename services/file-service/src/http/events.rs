//! `/api/v1/events`: what happens to files, as a stream (Server-Sent Events).

use actix_web::dev::Payload;
use actix_web::{FromRequest as _, HttpRequest, HttpResponse, get, web};
use common::{Code, UserId};
use http_kit::event_stream::{self, Events, message};
use http_kit::problem::ProblemDocument;
use http_kit::{ApiResult, Authenticated, Problem, input};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::activity::FileEventView;
use super::params;
use crate::app::follow::{Follower, Places, Told};
use crate::error::AppError;
use crate::state::FileService;

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only what came after the event with this id; as the field `Last-Event-ID`, which goes before it. Without either: from now on.
    after: Option<String>,
}

/// Follows what happens to the caller's own files, and to what is shared with them as far as they may see it: `event` is its word (`created`, `updated`,
/// `renamed`, `moved`, `tagged`, `trashed`, `restored`, `deleted`, `shared`, `unshared`, `linked`, `unlinked`), `data` a `FileEvent`. Whoever comes back with
/// `Last-Event-ID` misses nothing of what was theirs to see and gets nothing twice; `reset` says that events are forgotten which would have come, or that a
/// tree is new to them by a share, so that the files have to be looked at. Of one person's streams the oldest ends when there are too many. A credential for one folder follows nothing.
#[utoipa::path(
    operation_id = "followFiles",
    tag = "organising",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "Only what came after this event")),
    responses(
        (status = 200, description = "A stream without an end", body = String, content_type = "text/event-stream"),
        (status = 400, description = "`invalid_request`: no id of an event", body = ProblemDocument),
        (status = 404, description = "`not_found`, to a credential for one folder", body = ProblemDocument),
        (status = 429, description = "`rate_limited`: too many streams of one person whose clients read nothing", body = ProblemDocument),
    ),
    security(("bearer" = []), ("token" = []), ("cookie" = []))
)]
#[get("/api/v1/events")]
pub(super) async fn follow(
    caller: Authenticated,
    request: HttpRequest,
    service: web::Data<FileService>,
) -> ApiResult<HttpResponse> {
    let query: EventsQuery = input::query(&request)?;
    let user = params::whole(&caller)?;
    let came_from = event_stream::last_event_id(&request).or(query.after.as_deref());
    let read = |text| Places::parse(&service.cursor_key, user, text).ok_or_else(no_event);
    let places = came_from.map(read).transpose()?;
    let seat = event_stream::seat(&service.seats, user)?;
    let (pace, closing) = (service.settings.streams.pace(&service.settings), service.closing.clone());
    let follower = Follower::begin(service.into_inner(), user, places).await?;
    // whoever is cut off before anything happens comes back to here
    let first = follower.place().map_or_else(String::new, |place| format!("id: {place}\n\n"));
    Ok(event_stream::answer(request, Files { follower, user }, &first, (seat, pace, closing)))
}

fn no_event() -> Problem {
    let detail = "Last-Event-ID must be the id of an event";
    Problem::new(Code::InvalidRequest).detail(detail)
}

struct Files {
    follower: Follower,
    user: UserId,
}

impl Events for Files {
    type Item = Result<Told, AppError>;

    async fn next(&mut self) -> Self::Item {
        self.follower.next().await
    }

    async fn text(&mut self, told: Self::Item) -> Option<String> {
        match told {
            Ok(Told::Event(event, place)) => {
                let word = event.kind.word();
                let data = serde_json::to_value(FileEventView::from(*event)).unwrap_or_default();
                Some(message(place, word, &data))
            }
            Ok(Told::Reset(place)) => Some(message(place, "reset", &json!({}))),
            Err(error) => {
                tracing::debug!(%error, "a stream of files breaks off");
                None
            }
        }
    }

    fn place(&self) -> Option<String> {
        self.follower.place()
    }

    async fn is_allowed(&self, request: &HttpRequest) -> bool {
        match Authenticated::from_request(request, &mut Payload::None).await {
            Ok(caller) => caller.user == self.user,
            Err(error) => error.as_response_error().status_code().is_server_error(),
        }
    }
}
