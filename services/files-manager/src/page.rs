//! Serves the web page out of the program.

use actix_web::http::header::{self, Header as _};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use common::Code;
use http_kit::conditions::{Current, ETag, Verdict, evaluate};
use http_kit::problem::Problem;

/// One file of the page.
pub(crate) struct File {
    path: &'static str,
    mime: &'static str,
    hash: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What the page may load: its own files and the API, nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; \
     font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// The page stands at `/`; its places are below `/app`, where every path is the same document: what [`document`] gave.
pub(crate) fn routes(config: &mut web::ServiceConfig, document: &'static File) {
    let show = move |request: HttpRequest| async move { answer(&request, document) };
    for path in ["/", "/app", "/app/{place:.*}"] {
        config.service(web::resource(path).route(web::get().to(show)).route(web::head().to(show)));
    }
    for file in FILES.iter().filter(|file| file.path != "index.html") {
        let serve = move |request: HttpRequest| async move { answer(&request, file) };
        config.service(
            web::resource(format!("/{}", file.path)).route(web::get().to(serve)).route(web::head().to(serve)),
        );
    }
}

/// The document of the page for people who reach it below `prefix`: `""` at the root of a host, else a path such as `/files`.
/// It lives as long as the process, so it is made once.
///
/// What it names is found from the addresses in it alone; scripts and styles find one another relatively.
pub(crate) fn document(prefix: &str) -> &'static File {
    let index = FILES
        .iter()
        .find(|file| file.path == "index.html")
        .expect("the build refuses a page without index.html");
    if prefix.is_empty() { index } else { below(index, prefix) }
}

fn below(index: &File, prefix: &str) -> &'static File {
    let attribute = format!("=\"{}/", prefix.replace('&', "&amp;"));
    let text = String::from_utf8_lossy(index.plain).replace("=\"/", &attribute);
    Box::leak(Box::new(File {
        path: index.path,
        mime: index.mime,
        // a document kept from another prefix is another one
        hash: format!("{}{prefix}", index.hash).leak(),
        plain: text.leak().as_bytes(),
        gzip: None,
    }))
}

fn answer(request: &HttpRequest, file: &'static File) -> HttpResponse {
    let packed = file.gzip.filter(|_| takes_gzip(request));
    // each encoding is a representation of its own
    let tag = if packed.is_some() { format!("{}-gzip", file.hash) } else { file.hash.to_owned() };
    let etag = ETag::strong(tag).expect("a hash is a tag");
    let verdict =
        evaluate(request.headers(), request.method(), Some(Current { etag: &etag, modified_at: None }));
    // the names of built assets hold a hash of their content
    let cache =
        if file.path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = match verdict {
        Verdict::Proceed => HttpResponse::Ok(),
        Verdict::NotModified => HttpResponse::NotModified(),
        Verdict::PreconditionFailed => return Problem::new(Code::PreconditionFailed).error_response(),
    };
    response
        .insert_header((header::ETAG, etag.to_value()))
        .insert_header((header::CACHE_CONTROL, cache))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "same-origin"));
    if file.path == "index.html" {
        response.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    }
    if verdict == Verdict::NotModified {
        return response.finish();
    }
    response.content_type(file.mime);
    match packed {
        Some(packed) => response.insert_header((header::CONTENT_ENCODING, "gzip")).body(packed),
        None => response.body(file.plain),
    }
}

/// Whether the client wants gzip rather than the file as it is. A client that accepts neither gets the file as it is.
fn takes_gzip(request: &HttpRequest) -> bool {
    let offered = [header::Encoding::gzip(), header::Encoding::identity()];
    header::AcceptEncoding::parse(request)
        .ok()
        .filter(|accepted| !accepted.is_empty())
        .and_then(|accepted| accepted.negotiate(offered.iter()))
        .is_some_and(|chosen| chosen == header::Encoding::gzip())
}

#[cfg(test)]
mod tests {
    use actix_web::http::{Method, StatusCode};
    use actix_web::test::TestRequest;

    use super::*;

    static FILE: File = File {
        path: "index.html",
        mime: "text/html; charset=utf-8",
        hash: "0123",
        plain: b"plain",
        gzip: Some(b"packed"),
    };

    fn asked(fields: &[(&str, &str)]) -> HttpResponse {
        let request = fields
            .iter()
            .fold(TestRequest::default().method(Method::GET), |request, field| request.insert_header(*field));
        answer(&request.to_http_request(), &FILE)
    }

    fn encoding(response: &HttpResponse) -> Option<&str> {
        response.headers().get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok())
    }

    #[test]
    fn below_a_path_the_document_names_what_lies_there() {
        let index = File {
            plain: b"<link href=\"/assets/a.css\"><script src=\"/assets/b.js\"></script><a href=\"#top\">",
            ..FILE
        };
        let below = below(&index, "/my&files");
        assert_eq!(
            std::str::from_utf8(below.plain).unwrap(),
            "<link href=\"/my&amp;files/assets/a.css\"><script src=\"/my&amp;files/assets/b.js\"></script><a href=\"#top\">"
        );
        let response = answer(&TestRequest::default().to_http_request(), below);
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        assert_eq!(response.headers().get(header::ETAG).unwrap(), "\"0123/my&files\"");
    }

    #[test]
    fn gzip_is_sent_to_who_takes_it_alone() {
        for taken in ["gzip", "gzip, deflate, br", "br;q=0.1, gzip;q=0.5, identity;q=0.2"] {
            assert_eq!(encoding(&asked(&[("accept-encoding", taken)])), Some("gzip"), "{taken}");
        }
        for not_taken in
            ["gzip;q=0", "identity", "br", "*", "gzip;q=0, *;q=0.5", "x-gzipped", "identity, gzip;q=0.1"]
        {
            assert_eq!(encoding(&asked(&[("accept-encoding", not_taken)])), None, "{not_taken}");
        }
        assert_eq!(encoding(&asked(&[])), None);
    }

    #[test]
    fn each_encoding_has_a_tag_and_a_known_tag_is_304() {
        let gzip = ("accept-encoding", "gzip");
        let tag = |response: &HttpResponse| {
            response.headers().get(header::ETAG).unwrap().to_str().unwrap().to_owned()
        };
        let (plain, packed) = (tag(&asked(&[])), tag(&asked(&[gzip])));
        assert_ne!(plain, packed);
        assert_eq!(asked(&[("if-none-match", &plain)]).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asked(&[("if-none-match", &packed), gzip]).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asked(&[("if-none-match", &packed)]).status(), StatusCode::OK);
        assert_eq!(asked(&[("if-none-match", "*")]).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asked(&[("if-match", "\"other\"")]).status(), StatusCode::PRECONDITION_FAILED);
    }
}
