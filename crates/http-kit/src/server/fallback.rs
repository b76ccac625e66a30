use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use common::Code;

use crate::facade::Facade;
use crate::openapi::MethodTable;
use crate::problem::{ClassicError, Problem};

/// Answers what no route took: a documented path with another method, or an unknown path.
pub(super) async fn answer(request: HttpRequest, methods: Arc<MethodTable>) -> HttpResponse {
    let Some(allowed) =
        methods.allowed(request.path()).and_then(|allowed| HeaderValue::from_str(allowed).ok())
    else {
        return match Facade::of(&request) {
            Facade::Classic => ClassicError::not_found().error_response(),
            Facade::V1 => Problem::new(Code::NotFound).error_response(),
        };
    };
    if request.method() == Method::OPTIONS {
        return HttpResponse::NoContent().insert_header((header::ALLOW, allowed)).finish();
    }
    let mut answer = match Facade::of(&request) {
        Facade::Classic => {
            ClassicError::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed").error_response()
        }
        Facade::V1 => Problem::new(Code::MethodNotAllowed).error_response(),
    };
    answer.headers_mut().insert(header::ALLOW, allowed);
    answer
}
