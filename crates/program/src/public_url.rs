use url::Url;

use crate::Failure;

/// `FM_PUBLIC_URL`, if it is set, which may have a path, such as `https://example.org/files`. The path
/// of the result has no slash at its end, but for the root's. Whoever is in front takes it off again before requests come here.
///
/// # Errors
/// What is wrong with it.
pub fn public_url(setting: Option<&str>) -> Result<Option<Url>, Failure> {
    let Some(mut url) = address(setting)? else { return Ok(None) };
    let path = url.path().trim_end_matches('/').to_owned();
    if path.contains("//") {
        return Err(Failure::setting("FM_PUBLIC_URL: the path has an empty part"));
    }
    url.set_path(&path);
    Ok(Some(url))
}

fn address(setting: Option<&str>) -> Result<Option<Url>, Failure> {
    let Some(text) = setting else { return Ok(None) };
    let url: Url = text.parse().map_err(|error| Failure::setting(format!("FM_PUBLIC_URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Failure::setting("FM_PUBLIC_URL: begin with http:// or https:// and a host name"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Failure::setting("FM_PUBLIC_URL: give no query and no fragment"));
    }
    Ok(Some(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_or_without_a_path_is_taken() {
        assert!(public_url(None).unwrap().is_none());
        for (given, path) in [
            ("https://a.example", "/"),
            ("https://a.example/", "/"),
            ("https://a.example/drive", "/drive"),
            ("https://a.example/my/drive/", "/my/drive"),
        ] {
            assert_eq!(public_url(Some(given)).unwrap().unwrap().path(), path, "{given}");
        }
    }

    #[test]
    fn anything_else_is_refused_by_the_name_of_the_setting() {
        for wrong in
            ["files.example.org", "ftp://files.example.org", "https://a.example/?x=1", "https://a.example/#x"]
        {
            let refused = public_url(Some(wrong)).unwrap_err().to_string();
            assert!(refused.starts_with("FM_PUBLIC_URL: "), "{wrong}");
        }
        assert!(public_url(Some("https://a.example/my//drive")).is_err());
    }
}
