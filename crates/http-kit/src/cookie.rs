//! The session cookie of the web page.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header;
use url::Url;

/// Name, path and attributes of the session cookie. Put one into the app's data (`web::Data<CookiePolicy>`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookiePolicy {
    name: &'static str,
    path: String,
    secure: bool,
    origin: Option<String>,
}

/// What a request's cookies hold under the session cookie's name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held<'a> {
    Nothing,
    One(&'a str),
    /// Different values under one name: someone planted one of them.
    Several,
}

impl CookiePolicy {
    /// The policy for a product that is reached at `public_url`, or, without one, by whatever name its listener has; `tls` says
    /// whether that listener speaks TLS itself.
    ///
    /// Under TLS the name has the prefix `__Host-` at the root and `__Secure-` under a path (RFC 6265bis, 4.1.3), so that no
    /// neighbouring site can plant one.
    pub fn new(public_url: Option<&Url>, tls: bool) -> Self {
        let secure = public_url.map_or(tls, |url| url.scheme() == "https");
        let path = public_url.map_or("", |url| url.path().trim_end_matches('/'));
        let name = match (secure, path) {
            (true, "") => "__Host-fm_session",
            (true, _) => "__Secure-fm_session",
            (false, _) => "fm_session",
        };
        let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        let origin = public_url.map(|url| url.origin().ascii_serialization());
        Self { name, path, secure, origin }
    }

    /// The cookie's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The cookie that signs in.
    pub fn issue(&self, token: impl Into<String>, lifetime: Duration) -> Cookie<'static> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        self.cookie(token.into(), CookieDuration::seconds(seconds))
    }

    /// The cookie that signs out.
    pub fn clear(&self) -> Cookie<'static> {
        self.cookie(String::new(), CookieDuration::ZERO)
    }

    /// The cookie by which a browser is known again. It signs nobody in, and stays when they sign out.
    pub fn issue_device(&self, value: impl Into<String>, lifetime: Duration) -> Cookie<'static> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let mut cookie = self.cookie(value.into(), CookieDuration::seconds(seconds));
        cookie.set_name(self.device_name());
        cookie
    }

    /// What a request holds of [`CookiePolicy::issue_device`]; none of several, since somebody planted one.
    pub fn find_device<'a>(&self, request: &'a HttpRequest) -> Option<&'a str> {
        match find(request, self.device_name()) {
            Held::One(value) => Some(value),
            Held::Nothing | Held::Several => None,
        }
    }

    /// A cookie for another use, under a name that begins like the session's and ends in `_{what}`, so that no neighbouring site can plant it either.
    pub fn issue_for(&self, what: &str, value: impl Into<String>, lifetime: Duration) -> Cookie<'static> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let mut cookie = self.cookie(value.into(), CookieDuration::seconds(seconds));
        cookie.set_name(self.name_for(what));
        cookie
    }

    /// What a request holds of [`CookiePolicy::issue_for`]; none of several, since somebody planted one.
    pub fn find_for<'a>(&self, request: &'a HttpRequest, what: &str) -> Option<&'a str> {
        match find(request, &self.name_for(what)) {
            Held::One(value) => Some(value),
            Held::Nothing | Held::Several => None,
        }
    }

    fn name_for(&self, what: &str) -> String {
        format!("{}_{what}", self.name.trim_end_matches("_session"))
    }

    fn device_name(&self) -> &'static str {
        match self.name {
            "__Host-fm_session" => "__Host-fm_device",
            "__Secure-fm_session" => "__Secure-fm_device",
            _ => "fm_device",
        }
    }

    /// A cookie of another name, which goes with requests at and below `place` (a path of ours, with its first slash) and no others.
    pub fn below(&self, place: &str, name: String, value: String, lifetime: Duration) -> Cookie<'static> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Cookie::build(name, value)
            .path(format!("{}{place}", self.path.trim_end_matches('/')))
            .secure(self.secure)
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(CookieDuration::seconds(seconds))
            .finish()
    }

    fn cookie(&self, value: String, age: CookieDuration) -> Cookie<'static> {
        Cookie::build(self.name, value)
            .path(self.path.clone())
            .secure(self.secure)
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(age)
            .finish()
    }

    pub(crate) fn find<'a>(&self, request: &'a HttpRequest) -> Held<'a> {
        find(request, self.name)
    }

    /// Whether a request that changes something proves that it comes from the page itself: by `Sec-Fetch-Site`, which no script can
    /// set, else by `Origin`. Without either it does not.
    pub fn is_same_origin(&self, request: &HttpRequest) -> bool {
        let headers = request.headers();
        if let Some(site) = headers.get("sec-fetch-site") {
            return site == "same-origin" || site == "none";
        }
        let Some(origin) = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()) else {
            return false;
        };
        match &self.origin {
            Some(own) => origin.eq_ignore_ascii_case(own),
            None => {
                let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
                let claimed = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                matches!((claimed, host), (Some(claimed), Some(host)) if claimed.eq_ignore_ascii_case(host))
            }
        }
    }
}

fn find<'a>(request: &'a HttpRequest, wanted: &str) -> Held<'a> {
    let mut found: Option<&str> = None;
    let pairs = request
        .headers()
        .get_all(header::COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    for (name, value) in pairs {
        if name == wanted {
            match found {
                Some(first) if first != value => return Held::Several,
                _ => found = Some(value),
            }
        }
    }
    match found {
        Some(value) if !value.is_empty() => Held::One(value),
        _ => Held::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn policy(url: &str) -> CookiePolicy {
        CookiePolicy::new(Some(&Url::parse(url).unwrap()), false)
    }

    #[test]
    fn the_name_follows_scheme_and_path() {
        assert_eq!(policy("https://files.example").name(), "__Host-fm_session");
        assert_eq!(policy("https://files.example/").name(), "__Host-fm_session");
        assert_eq!(policy("https://example/files/").name(), "__Secure-fm_session");
        assert_eq!(policy("http://example/files").name(), "fm_session");
        assert_eq!(CookiePolicy::new(None, false).name(), "fm_session");
        assert_eq!(CookiePolicy::new(None, true).name(), "__Host-fm_session");
    }

    #[test]
    fn cookies_are_shut_off_from_scripts_and_other_sites() {
        let issued = policy("https://example/files/").issue("t", Duration::from_secs(60)).to_string();
        assert_eq!(issued, "__Secure-fm_session=t; HttpOnly; SameSite=Lax; Secure; Path=/files; Max-Age=60");
        assert_eq!(
            CookiePolicy::new(None, false).clear().to_string(),
            "fm_session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"
        );
        let below = |policy: CookiePolicy| {
            policy.below("/api/x", "n".to_owned(), "v".to_owned(), Duration::from_secs(1)).to_string()
        };
        assert_eq!(
            below(CookiePolicy::new(None, false)),
            "n=v; HttpOnly; SameSite=Lax; Path=/api/x; Max-Age=1"
        );
        assert_eq!(
            below(policy("https://example/files/")),
            "n=v; HttpOnly; SameSite=Lax; Secure; Path=/files/api/x; Max-Age=1"
        );
    }

    #[test]
    fn cookies_for_other_uses_are_as_safe_as_the_session_s() {
        let issued =
            policy("https://files.example").issue_for("oidc", "x", Duration::from_secs(9)).to_string();
        assert_eq!(issued, "__Host-fm_oidc=x; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=9");
        let plain = CookiePolicy::new(None, false);
        let held = |cookie: &str| {
            let request = TestRequest::default().insert_header((header::COOKIE, cookie)).to_http_request();
            plain.find_for(&request, "oidc").map(str::to_owned)
        };
        assert_eq!(held("fm_session=t; fm_oidc=x").as_deref(), Some("x"));
        assert_eq!(held("fm_oidc=x; fm_oidc=y"), None);
    }

    #[test]
    fn one_value_is_taken_and_two_are_not() {
        let policy = CookiePolicy::new(None, false);
        let held = |cookie: &str| {
            let request = TestRequest::default().insert_header((header::COOKIE, cookie)).to_http_request();
            match policy.find(&request) {
                Held::Nothing => None,
                Held::One(value) => Some(value.to_owned()),
                Held::Several => Some("several".into()),
            }
        };
        assert_eq!(held("a=b; fm_session=t; c=d").as_deref(), Some("t"));
        assert_eq!(held("fm_session=t;fm_session=t").as_deref(), Some("t"));
        assert_eq!(held("fm_session=t; fm_session=u").as_deref(), Some("several"));
        assert_eq!(held("fm_session=; xfm_session=t"), None);
    }

    #[test]
    fn the_origin_must_be_ours() {
        let check = |policy: &CookiePolicy, fields: &[(&str, &str)]| {
            let request =
                fields.iter().fold(TestRequest::default(), |request, field| request.insert_header(*field));
            policy.is_same_origin(&request.to_http_request())
        };
        let own = policy("https://files.example/x");
        assert!(check(&own, &[("sec-fetch-site", "same-origin")]));
        assert!(check(&own, &[("sec-fetch-site", "none")]));
        for site in ["same-site", "cross-site", "", "SAME-ORIGIN"] {
            assert!(!check(&own, &[("sec-fetch-site", site), ("origin", "https://files.example")]), "{site}");
        }
        assert!(check(&own, &[("origin", "https://files.example")]));
        assert!(!check(&own, &[("origin", "http://files.example")]));
        assert!(!check(&own, &[("origin", "null")]));
        assert!(!check(&own, &[]));
        let local = CookiePolicy::new(None, false);
        assert!(check(&local, &[("origin", "http://localhost:8080"), ("host", "localhost:8080")]));
        assert!(!check(&local, &[("origin", "http://localhost:8081"), ("host", "localhost:8080")]));
        assert!(!check(&local, &[("origin", "http://localhost:8080")]));
    }
}
