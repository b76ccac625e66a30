//! Uploads in parts that a crash left behind: found by two requests that `object_store` does not have.

use std::time::Duration;

use bytes::Bytes;
use common::{PortError, PortResult, Timestamp};
use futures_util::TryStreamExt as _;
use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::signer::{Method, SignedUrlOptions, Signer as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::bucket::Bucket;
use super::error::{Refused, S3Error, from_refused, refused};
use crate::PART;

/// The requests are sent at once, so their signatures need not live long. Clocks may differ by more than a few seconds.
const SIGNATURE_LIFETIME: Duration = Duration::from_secs(300);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Uploads {
    #[serde(default)]
    upload: Vec<Upload>,
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
    initiated: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parts {
    #[serde(default)]
    part: Vec<Part>,
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_part_number_marker: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    last_modified: String,
    part_number: u32,
    #[serde(default, rename = "ETag")]
    e_tag: String,
    size: u64,
}

/// A part that the server has.
pub(super) struct ListedPart {
    pub(super) number: u32,
    pub(super) e_tag: String,
    pub(super) size: u64,
    at: Timestamp,
}

impl Bucket {
    /// Gives up uploads that got nothing since `before`; how many. None at all where the server cannot list them.
    pub(super) async fn sweep(&self, before: Timestamp) -> PortResult<u32> {
        let (mut swept, mut key, mut id) = (0, String::new(), String::new());
        loop {
            let prefix = self.blobs();
            let mut query = vec![("uploads", ""), ("prefix", prefix.as_str())];
            if !key.is_empty() {
                query.extend([("key-marker", key.as_str()), ("upload-id-marker", id.as_str())]);
            }
            let page = match self.ask(&Path::default(), &query).await {
                Ok(page) => page,
                Err(AskError::Refused(refused)) if matches!(refused.status, 405 | 501) => {
                    tracing::warn!(
                        bucket = self.name,
                        "the server cannot list unfinished uploads: let a rule of the bucket end them after some days"
                    );
                    return Ok(0);
                }
                Err(error) => return Err(error.into_port(&self.name)),
            };
            let uploads: Uploads = read(&page)?;
            for upload in &uploads.upload {
                swept += u32::from(self.sweep_one(upload, before).await?);
            }
            if !uploads.is_truncated || uploads.next_key_marker.is_empty() {
                return Ok(swept);
            }
            (key, id) = (uploads.next_key_marker, uploads.next_upload_id_marker);
        }
    }

    async fn sweep_one(&self, upload: &Upload, before: Timestamp) -> PortResult<bool> {
        // strangers' uploads in the bucket are theirs
        let Some(key) = self.key_at(&upload.key) else { return Ok(false) };
        // what comes in several goes may rest for long
        if time(&upload.initiated)? >= before || self.is_partial(key).await? {
            return Ok(false);
        }
        let path = Path::from(upload.key.as_str());
        match self.last_part(&path, &upload.upload_id).await {
            Ok(Some(last)) if last >= before => return Ok(false),
            Ok(_) => {}
            // it has ended meanwhile
            Err(AskError::Refused(refused)) if refused.status == 404 => return Ok(false),
            Err(error) => return Err(error.into_port(&self.name)),
        }
        match self.store.abort_multipart(&path, &upload.upload_id).await {
            Ok(()) => Ok(true),
            Err(error) if refused(&error).is_some_and(|refused| refused.code == "NoSuchUpload") => Ok(false),
            Err(error) => Err(self.error(error)),
        }
    }

    /// When the last part came, if there is one.
    async fn last_part(&self, path: &Path, upload_id: &str) -> Result<Option<Timestamp>, AskError> {
        Ok(self.list_parts(path, upload_id).await?.into_iter().map(|part| part.at).max())
    }

    /// The parts that are there, or none if there is no such upload.
    pub(super) async fn parts_of(&self, path: &Path, upload_id: &str) -> PortResult<Option<Vec<ListedPart>>> {
        match self.list_parts(path, upload_id).await {
            Ok(parts) => Ok(Some(parts)),
            Err(AskError::Refused(refused)) if refused.code == "NoSuchUpload" => Ok(None),
            Err(error) => Err(error.into_port(&self.name)),
        }
    }

    async fn list_parts(&self, path: &Path, upload_id: &str) -> Result<Vec<ListedPart>, AskError> {
        let (mut found, mut marker) = (Vec::new(), String::new());
        loop {
            let mut query = vec![("uploadId", upload_id)];
            if !marker.is_empty() {
                query.push(("part-number-marker", &marker));
            }
            let parts: Parts = read(&self.ask(path, &query).await?)?;
            for Part { last_modified, part_number, e_tag, size } in parts.part {
                found.push(ListedPart { number: part_number, e_tag, size, at: time(&last_modified)? });
            }
            if !parts.is_truncated || parts.next_part_number_marker.is_empty() {
                return Ok(found);
            }
            marker = parts.next_part_number_marker;
        }
    }

    /// Sends a GET, signed in its URL.
    async fn ask(&self, path: &Path, query: &[(&str, &str)]) -> Result<Bytes, AskError> {
        self.request(Method::GET, path, query, HttpRequestBody::empty()).await
    }

    /// Sends a POST, signed in its URL.
    ///
    /// # Errors
    /// Whether what it is about is not there, and the error itself.
    pub(super) async fn post(
        &self,
        path: &Path,
        query: &[(&str, &str)],
        body: String,
    ) -> Result<(), (bool, PortError)> {
        match self.request(Method::POST, path, query, body.into()).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let is_gone = matches!(&error, AskError::Refused(refused) if refused.code == "NoSuchUpload");
                Err((is_gone, error.into_port(&self.name)))
            }
        }
    }

    async fn request(
        &self,
        method: Method,
        path: &Path,
        query: &[(&str, &str)],
        body: HttpRequestBody,
    ) -> Result<Bytes, AskError> {
        let options = SignedUrlOptions::new().with_query(query.iter().copied());
        let url = self.store.signed_url_opts(method.clone(), path, SIGNATURE_LIFETIME, &options).await;
        let url = url.map_err(|error| self.error(error))?;
        let mut request = HttpRequest::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().map_err(|error| PortError::broken(PART, error))?;
        let answer = self.http.execute(request).await;
        let answer = answer.map_err(|error| match refused(&error) {
            Some(refused) => AskError::Refused(refused.clone()),
            None => PortError::unavailable(PART, error).into(),
        })?;
        let pieces: Vec<Bytes> = answer
            .into_body()
            .bytes_stream()
            .try_collect()
            .await
            .map_err(|error| PortError::unavailable(PART, error))?;
        Ok(pieces.concat().into())
    }
}

enum AskError {
    Refused(Refused),
    Port(PortError),
}

impl AskError {
    fn into_port(self, bucket: &str) -> PortError {
        match self {
            Self::Refused(refused) => from_refused(bucket, refused),
            Self::Port(error) => error,
        }
    }
}

impl From<PortError> for AskError {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

fn read<T: DeserializeOwned>(page: &[u8]) -> PortResult<T> {
    quick_xml::de::from_reader(page).map_err(|error| S3Error::List(error.into()).broken())
}

fn time(text: &str) -> PortResult<Timestamp> {
    Timestamp::parse(text).ok_or_else(|| S3Error::List(format!("{text:?} is no time").into()).broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_uploads_are_read() {
        let page = br#"<?xml version="1.0" encoding="UTF-8"?>
            <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Bucket>pail</Bucket><KeyMarker/><UploadIdMarker/>
              <NextKeyMarker>blobs/2</NextKeyMarker><NextUploadIdMarker>two</NextUploadIdMarker>
              <MaxUploads>2</MaxUploads><IsTruncated>true</IsTruncated>
              <Upload><Key>blobs/1</Key><UploadId>one</UploadId><Initiator><ID>i</ID></Initiator>
                <StorageClass>STANDARD</StorageClass><Initiated>2026-11-10T20:48:33.000Z</Initiated></Upload>
              <Upload><Key>blobs/2</Key><UploadId>two</UploadId><Initiated>2026-11-10T20:48:34Z</Initiated></Upload>
            </ListMultipartUploadsResult>"#;
        let uploads: Uploads = read(page).unwrap();
        assert_eq!(
            uploads.upload.iter().map(|upload| upload.upload_id.as_str()).collect::<Vec<_>>(),
            ["one", "two"]
        );
        assert!(uploads.is_truncated);
        assert_eq!(
            (uploads.next_key_marker.as_str(), uploads.next_upload_id_marker.as_str()),
            ("blobs/2", "two")
        );
        assert!(time(&uploads.upload[0].initiated).unwrap() < time(&uploads.upload[1].initiated).unwrap());

        let empty: Uploads = read(
            b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>",
        )
        .unwrap();
        assert!(empty.upload.is_empty() && !empty.is_truncated);
    }

    #[test]
    fn lists_of_parts_are_read() {
        let page = br"<ListPartsResult><UploadId>one</UploadId><PartNumberMarker>0</PartNumberMarker>
            <NextPartNumberMarker>2</NextPartNumberMarker><MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>
            <Part><PartNumber>1</PartNumber><LastModified>2026-11-10T20:48:34.000Z</LastModified><Size>5</Size></Part>
            <Part><PartNumber>2</PartNumber><LastModified>2026-11-10T20:48:35.000Z</LastModified><Size>5</Size></Part>
            </ListPartsResult>";
        let parts: Parts = read(page).unwrap();
        assert_eq!(
            (parts.part.len(), parts.is_truncated, parts.next_part_number_marker.as_str()),
            (2, true, "2")
        );
        assert!(read::<Parts>(b"<ListPartsResult>").is_err());
        assert!(time("yesterday").is_err());
    }
}
