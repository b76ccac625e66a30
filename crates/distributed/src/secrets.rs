//! Secrets and addresses from the settings, and waiting for what they name.

use std::future::Future;

use common::{Causes, PortError, PortResult};
use http_kit::service_token::ServiceTokens;
use runtime::retry::RetryDelay;
use runtime::secrets::MasterKey;
use url::Url;

use program::Failure;

use crate::starting::waits_for;

/// The tokens with which the services know one another, from `FM_INTERNAL_SECRET` and `FM_INTERNAL_SECRET_PREVIOUS`.
///
/// # Errors
/// There is none, or it is too short or a placeholder.
pub(crate) fn service_tokens(secret: Option<&str>, previous: Option<&str>) -> Result<ServiceTokens, Failure> {
    let secret = required("FM_INTERNAL_SECRET", secret)?;
    if is_placeholder(secret) {
        return Err(Failure::setting(
            "FM_INTERNAL_SECRET: this is a placeholder; make one with `openssl rand -hex 32`",
        ));
    }
    let wrong = |setting| move |error| Failure::setting(format!("{setting}: {error}"));
    let tokens = ServiceTokens::new(secret.as_bytes(), None).map_err(wrong("FM_INTERNAL_SECRET"))?;
    let Some(previous) = previous else { return Ok(tokens) };
    ServiceTokens::new(secret.as_bytes(), Some(previous.as_bytes()))
        .map_err(wrong("FM_INTERNAL_SECRET_PREVIOUS"))
}

/// The key under which secrets are sealed, from `FM_MASTER_KEY` and `FM_MASTER_KEY_PREVIOUS`.
///
/// # Errors
/// There is none, or it is not a key.
pub(crate) fn master_key(current: Option<&str>, previous: Option<&str>) -> Result<MasterKey, Failure> {
    let current = required("FM_MASTER_KEY", current)?;
    if is_placeholder(current) {
        return Err(Failure::setting(
            "FM_MASTER_KEY: this is a placeholder; make one with `openssl rand -hex 32`",
        ));
    }
    let wrong = |setting| move |error| Failure::setting(format!("{setting}: {error}"));
    let key = MasterKey::parse(current, None).map_err(wrong("FM_MASTER_KEY"))?;
    let Some(previous) = previous else { return Ok(key) };
    MasterKey::parse(current, Some(previous)).map_err(wrong("FM_MASTER_KEY_PREVIOUS"))
}

/// The addresses of another service's internal listeners, with commas between: one of each replica, or one name for all.
///
/// # Errors
/// One of them is none, or is there twice.
pub(crate) fn addresses(setting: &str, value: &str) -> Result<Vec<Url>, Failure> {
    let mut addresses = Vec::new();
    for one in value.split(',') {
        let url = address(setting, one.trim())?;
        if addresses.contains(&url) {
            return Err(Failure::setting(format!("{setting}: {url} is there twice")));
        }
        addresses.push(url);
    }
    Ok(addresses)
}

fn address(setting: &str, value: &str) -> Result<Url, Failure> {
    let url: Url = value.parse().map_err(|error| Failure::setting(format!("{setting}: {error}")))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err(Failure::setting(format!("{setting}: begin with http:// and a host name")))
    }
}

/// The value of a setting without a default.
///
/// # Errors
/// It is not there.
pub(crate) fn required<'a>(setting: &str, value: Option<&'a str>) -> Result<&'a str, Failure> {
    value.filter(|value| !value.trim().is_empty()).ok_or_else(|| {
        Failure::setting(format!("{setting} is missing; set it, or {setting}_FILE to a file that holds it"))
    })
}

/// Tries until the dependency answers; each failure is logged, and readiness shows it. What does not go away by waiting ends it.
///
/// # Errors
/// `Full` and `Broken`.
pub async fn until_available<T, F: Future<Output = PortResult<T>>>(
    mut attempt: impl FnMut() -> F,
) -> Result<T, Failure> {
    let mut delay = RetryDelay::default();
    loop {
        match attempt().await {
            Ok(value) => {
                waits_for(None);
                return Ok(value);
            }
            Err(error) => {
                let PortError::Unavailable { part, .. } = &error else { return Err(Failure::store(&error)) };
                waits_for(Some(part));
                tracing::warn!(cause = %Causes(&error), "waiting for a dependency");
                tokio::time::sleep(delay.next_delay()).await;
            }
        }
    }
}

/// A sample file's value, or one that is a single sign again and again.
fn is_placeholder(secret: &str) -> bool {
    let secret = secret.trim();
    let first = secret.chars().next();
    secret.to_ascii_lowercase().contains("change") || secret.chars().all(|sign| Some(sign) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_missing_secrets_are_refused_by_name() {
        let good = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        service_tokens(Some(good), None).unwrap();
        master_key(Some(good), None).unwrap();
        for weak in [
            None,
            Some(""),
            Some("short"),
            Some("change-me-change-me-change-me-change-me"),
            Some(&"0".repeat(64)[..]),
        ] {
            for refused in [service_tokens(weak, None).map(drop), master_key(weak, None).map(drop)] {
                let text = refused.unwrap_err().to_string();
                assert!(
                    text.starts_with("FM_INTERNAL_SECRET") || text.starts_with("FM_MASTER_KEY"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_wrong_previous_secret_is_refused_by_its_own_name() {
        let good = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        service_tokens(Some(good), Some(&good.replace('0', "f"))).unwrap();
        master_key(Some(good), Some(&good.replace('0', "f"))).unwrap();
        for weak in ["", "short"] {
            for (refused, name) in [
                (service_tokens(Some(good), Some(weak)).map(drop), "FM_INTERNAL_SECRET_PREVIOUS: "),
                (master_key(Some(good), Some(weak)).map(drop), "FM_MASTER_KEY_PREVIOUS: "),
            ] {
                let text = refused.unwrap_err().to_string();
                assert!(text.starts_with(name), "{text}");
            }
        }
    }

    #[test]
    fn addresses_are_http_with_commas_between() {
        let one = addresses("FM_AUTH_URL", "http://auth-service:8081").unwrap();
        assert_eq!(one, ["http://auth-service:8081".parse().unwrap()]);
        let two = addresses("FM_AUTH_URL", "http://10.0.0.1:8081, https://auth.internal/below").unwrap();
        let expected = ["http://10.0.0.1:8081", "https://auth.internal/below"];
        assert_eq!(two, expected.map(|address| address.parse().unwrap()));
        for wrong in
            ["", "auth-service:8081", "ftp://auth", "http://a,", "http://a,b", "http://a:80,http://a/"]
        {
            assert!(
                addresses("FM_AUTH_URL", wrong).unwrap_err().to_string().starts_with("FM_AUTH_URL: "),
                "{wrong}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_answer_yet_is_asked_again() {
        let mut left = 5;
        let found = until_available(|| {
            left -= 1;
            let now = left;
            async move { if now == 0 { Ok("there") } else { Err(PortError::unavailable("store", "not yet")) } }
        });
        assert_eq!(found.await.unwrap(), "there");
        let broken = until_available(|| async { Err::<(), _>(PortError::broken("store", "no such rights")) });
        broken.await.unwrap_err();
    }
}
