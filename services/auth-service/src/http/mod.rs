//! Parses requests, maps answers.

mod basic;
mod classic;
mod internal;
mod problems;
mod v1;

pub(crate) use problems::{classic_error, problem};

use actix_web::HttpRequest;
use actix_web::http::header;
use http_kit::{TrustedProxies, client_ip, request_id};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::Client;

/// Most bytes of a JSON body: an address, a password and a code.
pub(crate) const BODY_BYTES: usize = 16 * 1024;

pub(crate) fn public(config: &mut ServiceConfig) {
    config.configure(v1::routes).configure(classic::routes);
}

pub(crate) fn internal(config: &mut actix_web::web::ServiceConfig) {
    internal::routes(config);
}

/// Who makes a request.
pub(crate) fn client(request: &HttpRequest, trusted: &TrustedProxies) -> Client {
    let device = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Client {
        ip: client_ip(request, trusted),
        device: device.map(|text| cut(text, Client::DEVICE_BYTES).to_owned()),
        request_id: request_id::current().map(|id| id.as_str().to_owned()),
        forwarded: is_forwarded(request),
    }
}

/// Whether any of the fields is there that gateways add.
fn is_forwarded(request: &HttpRequest) -> bool {
    request.headers().keys().any(|name| {
        let name = name.as_str();
        matches!(name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-")
    })
}

fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn gateways_are_noticed_by_what_they_add() {
        for name in
            ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Anything"]
        {
            let request = TestRequest::default().insert_header((name, "x")).to_http_request();
            assert!(is_forwarded(&request), "{name}");
        }
        let plain = TestRequest::default().insert_header(("accept", "x")).to_http_request();
        assert!(!is_forwarded(&plain));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "ä");
        assert_eq!(cut("abc", 9), "abc");
    }
}
