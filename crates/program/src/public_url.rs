use url::Url;

use crate::Failure;

/// `FM_PUBLIC_URL`, if it is set.
///
/// # Errors
/// What is wrong with it.
pub fn public_url(setting: Option<&str>) -> Result<Option<Url>, Failure> {
    let Some(text) = setting else { return Ok(None) };
    let url: Url = text.parse().map_err(|error| Failure::setting(format!("FM_PUBLIC_URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Failure::setting("FM_PUBLIC_URL: begin with http:// or https:// and a host name"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(Failure::setting(
            "FM_PUBLIC_URL: the product stands at the root of its host name; give no path",
        ));
    }
    Ok(Some(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_is_taken() {
        assert!(public_url(None).unwrap().is_none());
        assert_eq!(public_url(Some("https://files.example.org")).unwrap().unwrap().path(), "/");
    }

    #[test]
    fn anything_else_is_refused_by_the_name_of_the_setting() {
        for wrong in [
            "files.example.org",
            "ftp://files.example.org",
            "https://a.example/drive",
            "https://a.example/?x=1",
        ] {
            assert!(
                public_url(Some(wrong)).unwrap_err().to_string().starts_with("FM_PUBLIC_URL: "),
                "{wrong}"
            );
        }
    }
}
