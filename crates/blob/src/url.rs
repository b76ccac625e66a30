use std::path::PathBuf;
use std::str::FromStr;

use url::{ParseError, Url};

/// Longest prefix, in bytes. A key of S3 has at most 1024, and what stands behind the prefix some 40.
const MAX_PREFIX_BYTES: usize = 512;

/// Where blobs are: `file:///folder` or `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobUrl {
    /// A folder of a local or shared disk, by its absolute path.
    Disk(PathBuf),
    /// A bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// What all keys begin with: segments joined by `/`, without one at either end. Empty for the whole bucket.
        prefix: String,
    },
}

/// What is wrong with the URL of a blob store. Never shows the URL: there may be credentials in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobUrlError {
    /// No URL at all, such as a bare path.
    #[error("this is not a URL ({0}): write file:///folder or s3://bucket/prefix")]
    NoUrl(#[from] ParseError),
    /// A URL of another kind.
    #[error("blobs cannot lie under {0}: write file:///folder or s3://bucket/prefix")]
    Scheme(String),
    /// Credentials in the URL.
    #[error("credentials do not belong into the URL of the blobs: they have settings of their own")]
    Credentials,
    /// A port, a query or a fragment.
    #[error("the URL of the blobs has {0}, which means nothing there")]
    Extra(&'static str),
    /// `file://host/…`, or too few slashes.
    #[error("a folder is written with three slashes, file:///folder, and lies on this machine")]
    Host,
    /// `file:///`.
    #[error("the root of the file system is no folder for blobs")]
    Root,
    /// A name that no bucket can have.
    #[error(
        "this is no name of a bucket: 3 to 63 lower-case letters, digits, hyphens and dots, a letter or digit at both ends"
    )]
    Bucket,
    /// A prefix that is not safe everywhere.
    #[error(
        "the prefix is not allowed: at most 512 letters, digits, dots, hyphens and underscores, with single slashes between"
    )]
    Prefix,
    /// The program was built without S3.
    #[error("this program was built without S3: use file:///folder, or build it with the feature `s3`")]
    WithoutS3,
}

impl FromStr for BlobUrl {
    type Err = BlobUrlError;

    fn from_str(text: &str) -> Result<Self, BlobUrlError> {
        let url = Url::parse(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BlobUrlError::Credentials);
        }
        let extras = [
            (url.port().is_some(), "a port"),
            (url.query().is_some(), "a query"),
            (url.fragment().is_some(), "a fragment"),
        ];
        if let Some((_, extra)) = extras.into_iter().find(|(present, _)| *present) {
            return Err(BlobUrlError::Extra(extra));
        }
        match url.scheme() {
            "file" => disk(&url, text),
            "s3" => {
                let found = s3(&url)?;
                if cfg!(feature = "s3") { Ok(found) } else { Err(BlobUrlError::WithoutS3) }
            }
            other => Err(BlobUrlError::Scheme(other.to_owned())),
        }
    }
}

fn disk(url: &Url, text: &str) -> Result<BlobUrl, BlobUrlError> {
    // the parser completes `file:folder` and `file:/folder`, which hide a forgotten slash or a relative path
    let three_slashes = text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("file:///"));
    let path = url.to_file_path().ok().filter(|_| three_slashes).ok_or(BlobUrlError::Host)?;
    if path.parent().is_none() { Err(BlobUrlError::Root) } else { Ok(BlobUrl::Disk(path)) }
}

fn s3(url: &Url) -> Result<BlobUrl, BlobUrlError> {
    let bucket = url.host_str().filter(|name| is_bucket_name(name)).ok_or(BlobUrlError::Bucket)?;
    let path = url.path();
    let prefix = path.strip_prefix('/').unwrap_or(path);
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !is_prefix(prefix) {
        return Err(BlobUrlError::Prefix);
    }
    Ok(BlobUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// A name that a bucket may have, by the rules for general purpose buckets.
pub(crate) fn is_bucket_name(name: &str) -> bool {
    let letter_or_digit = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| letter_or_digit(byte) || matches!(byte, b'-' | b'.'))
        && bytes.first().is_some_and(letter_or_digit)
        && bytes.last().is_some_and(letter_or_digit)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

/// Segments that need no encoding anywhere, or nothing.
pub(crate) fn is_prefix(prefix: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let segment = |text: &str| !matches!(text, "" | "." | "..") && text.bytes().all(allowed);
    prefix.is_empty() || (prefix.len() <= MAX_PREFIX_BYTES && prefix.split('/').all(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(path: &str) -> BlobUrl {
        BlobUrl::Disk(path.into())
    }

    #[test]
    fn folders_are_read() {
        assert_eq!("file:///var/lib/blobs".parse(), Ok(disk("/var/lib/blobs")));
        assert_eq!("FILE:///with%20space/ü/".parse(), Ok(disk("/with space/ü/")));
        for wrong in ["file://blobs", "file://host/blobs", "file:blobs", "file:/var/blobs", "file:"] {
            assert_eq!(wrong.parse::<BlobUrl>(), Err(BlobUrlError::Host), "{wrong}");
        }
        assert_eq!("file:///".parse::<BlobUrl>(), Err(BlobUrlError::Root));
        assert_eq!("file:///a/..".parse::<BlobUrl>(), Err(BlobUrlError::Root));
        assert_eq!("file:///a?b".parse::<BlobUrl>(), Err(BlobUrlError::Extra("a query")));
        assert!(matches!("/var/lib/blobs".parse::<BlobUrl>(), Err(BlobUrlError::NoUrl(_))));
        assert!(matches!("".parse::<BlobUrl>(), Err(BlobUrlError::NoUrl(_))));
        assert_eq!("https://bucket/x".parse::<BlobUrl>(), Err(BlobUrlError::Scheme("https".to_owned())));
    }

    #[cfg(feature = "s3")]
    #[test]
    fn buckets_are_read() {
        let s3 = |bucket: &str, prefix: &str| BlobUrl::S3 { bucket: bucket.into(), prefix: prefix.into() };
        assert_eq!("s3://bucket".parse(), Ok(s3("bucket", "")));
        assert_eq!("s3://bucket/".parse(), Ok(s3("bucket", "")));
        assert_eq!("s3://my.bucket-1/one/t_w.o/".parse(), Ok(s3("my.bucket-1", "one/t_w.o")));
        assert_eq!("s3://bucket/x/../y".parse(), Ok(s3("bucket", "y")));
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn a_bucket_needs_the_feature() {
        assert_eq!("s3://bucket/x".parse::<BlobUrl>(), Err(BlobUrlError::WithoutS3));
    }

    #[test]
    fn wrong_buckets_are_named() {
        let long = format!("s3://{}", "b".repeat(64));
        for wrong in [
            "s3:bucket",
            "s3://",
            "s3:///x",
            "s3://Bucket",
            "s3://bu",
            "s3://-bucket",
            "s3://bucket.",
            "s3://a..b",
            "s3://10.0.0.1",
            "s3://a_b",
            &long,
        ] {
            assert_eq!(wrong.parse::<BlobUrl>(), Err(BlobUrlError::Bucket), "{wrong}");
        }
        let long = format!("s3://bucket/{}", "p".repeat(513));
        for wrong in [
            "s3://bucket//x",
            "s3://bucket/x//y",
            "s3://bucket/x y",
            "s3://bucket/ü",
            "s3://bucket/a%2Fb",
            &long,
        ] {
            assert_eq!(wrong.parse::<BlobUrl>(), Err(BlobUrlError::Prefix), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_refused_and_not_repeated() {
        let error =
            "s3://key:hunter2@bucket/x".parse::<BlobUrl>().expect_err("credentials are no part of it");
        assert_eq!(error, BlobUrlError::Credentials);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert_eq!("s3://bucket:9000/x".parse::<BlobUrl>(), Err(BlobUrlError::Extra("a port")));
    }
}
