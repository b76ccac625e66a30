//! Parses requests, maps answers.

mod classic;
mod exports;
mod internal;
mod problems;
mod v1;

pub(crate) use problems::{capitalised, classic_error, problem};

use std::sync::atomic::Ordering;

use actix_web::HttpRequest;
use actix_web::http::header;
use http_kit::{Authenticated, CookiePolicy, TrustedProxies, cause, client_ip};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::AuthService;
use crate::app::audit::Author;
use crate::app::{Client, devices};

/// Most bytes of a JSON body: an address, a password and a code.
pub(crate) const BODY_BYTES: usize = 16 * 1024;

pub(crate) fn public(config: &mut ServiceConfig) {
    config.configure(v1::routes).configure(classic::routes);
}

pub(crate) fn internal(config: &mut actix_web::web::ServiceConfig) {
    internal::routes(config);
    exports::routes(config);
}

/// Who makes a request.
pub(crate) fn client(request: &HttpRequest, service: &AuthService) -> Client {
    let trusted = &service.settings.trusted_proxies;
    if is_from_unknown_gateway(request, trusted)
        && !service.unknown_gateway_seen.swap(true, Ordering::Relaxed)
    {
        tracing::warn!(
            "requests come through a gateway that is not among the trusted ones: all its clients count as one, so one of them can \
             use up the sign-ins of all"
        );
    }
    let device = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Client {
        ip: client_ip(request, trusted),
        device: device.map(|text| cut(text, Client::DEVICE_BYTES).to_owned()),
        cause: cause::current(),
        device_cookie: device_cookie(request),
        forwarded: is_forwarded(request),
    }
}

/// The value of the device cookie, if it can be one of ours.
fn device_cookie(request: &HttpRequest) -> Option<String> {
    let policy = request.app_data::<actix_web::web::Data<CookiePolicy>>()?;
    policy.find_device(request).filter(|value| devices::is_cookie(value)).map(str::to_owned)
}

/// Who makes a request, for the audit log.
pub(crate) fn author(caller: &Authenticated, request: &HttpRequest, service: &AuthService) -> Author {
    Author::of(caller, &client(request, service))
}

/// Whether any of the fields is there that gateways add.
fn is_forwarded(request: &HttpRequest) -> bool {
    request.headers().keys().any(|name| {
        let name = name.as_str();
        matches!(name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-")
    })
}

/// Whether a peer that is not known as a gateway names the address of somebody else.
fn is_from_unknown_gateway(request: &HttpRequest, trusted: &TrustedProxies) -> bool {
    let names_another = request.headers().contains_key("x-forwarded-for");
    names_another && request.peer_addr().is_some_and(|peer| !trusted.contains(peer.ip()))
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
    fn an_unknown_gateway_is_noticed_and_a_known_one_is_not() {
        let request = |peer: &str| TestRequest::default().peer_addr(peer.parse().unwrap());
        let trusted = TrustedProxies::parse(["10.0.0.1"]).unwrap();
        let forwarded = |peer| request(peer).insert_header(("x-forwarded-for", "1.2.3.4")).to_http_request();
        assert!(is_from_unknown_gateway(&forwarded("10.0.0.2:1"), &trusted));
        assert!(!is_from_unknown_gateway(&forwarded("10.0.0.1:1"), &trusted));
        assert!(!is_from_unknown_gateway(&request("10.0.0.2:1").to_http_request(), &trusted));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "ä");
        assert_eq!(cut("abc", 9), "abc");
    }
}
