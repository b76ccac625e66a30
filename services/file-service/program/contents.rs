//! Where contents are: a disk that all replicas share, or a bucket.

use std::sync::Arc;
use std::time::Duration;

use admin::doctor::is_root_in_anothers;
use async_trait::async_trait;
use blob::{BlobUrl, DiskBlobs, DiskOptions, S3Blobs, S3Credentials, S3Options};
use common::files::{BlobLocator, BlobStore, PartialBlobs};
use common::routes::S3_LOCATION;
use common::{BlobKey, PortResult};
use file_service::Delivery;
use program::Failure;
use runtime::lifecycle::Exit;

use crate::settings::{S3, Sender, Settings};

/// How long an address that was signed for the gateway is good. It asks at once, but the signature goes by this host's own clock, which the store takes
/// for right within a quarter of an hour.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

/// Where contents are.
pub(crate) struct Contents {
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) partial_blobs: Arc<dyn PartialBlobs>,
    pub(crate) delivery: Delivery,
}

/// The blob store, and who sends what it holds.
pub(crate) fn open(settings: &Settings) -> Result<Contents, Failure> {
    let url = settings.blob_url.as_deref().ok_or_else(|| Failure::setting("FM_BLOB_URL is missing"))?;
    let url: BlobUrl = url.parse().map_err(|error| Failure::setting(format!("FM_BLOB_URL: {error}")))?;
    let (blobs, partial_blobs, locator): (Arc<dyn BlobStore>, Arc<dyn PartialBlobs>, Arc<dyn BlobLocator>) =
        match url {
            BlobUrl::Disk(folder) => {
                let keep_free_bytes = settings.files.keep_free.bytes();
                let options = DiskOptions { keep_free_bytes, ..DiskOptions::default() };
                let disk = DiskBlobs::open(&folder, options).map_err(|error| Failure::store(&error))?;
                let disk = Arc::new(disk);
                (disk.clone(), disk.clone(), disk)
            }
            BlobUrl::S3 { bucket, prefix } => {
                let options = S3Options { prefix, ..s3_options(bucket, &settings.s3)? };
                let bucket = S3Blobs::open(&options).map_err(|error| Failure::store(&error))?;
                let bucket = Arc::new(bucket);
                (bucket.clone(), bucket.clone(), Arc::new(Signed(bucket)))
            }
        };
    let delivery = match settings.delivery {
        Sender::Service => Delivery::Service,
        Sender::Gateway => Delivery::Gateway(locator),
    };
    Ok(Contents { blobs, partial_blobs, delivery })
}

/// Refuses root where contents are another account's, which the service runs as: what root made there would be closed to it.
///
/// # Errors
/// A sentence.
pub(crate) fn refuse_root(settings: &Settings) -> Result<(), Failure> {
    match settings.blob_url.as_deref().map(str::parse::<BlobUrl>) {
        Some(Ok(BlobUrl::Disk(folder))) if is_root_in_anothers(&folder) => Err(Failure::other(
            Exit::DataFolder,
            format!(
                "{} belongs to another account, and this is root: run this as the account of file-service",
                folder.display()
            ),
        )),
        _ => Ok(()),
    }
}

fn s3_options(bucket: String, settings: &S3) -> Result<S3Options, Failure> {
    let credentials = match (&settings.access_key, &settings.secret_key) {
        (None, None) => S3Credentials::Ambient,
        (Some(access_key), Some(secret_key)) => {
            S3Credentials::Keys { access_key: access_key.clone(), secret_key: secret_key.clone().into() }
        }
        (Some(_), None) => return Err(Failure::setting("FM_S3__SECRET_KEY: a key needs its secret")),
        (None, Some(_)) => return Err(Failure::setting("FM_S3__ACCESS_KEY: a secret needs its key")),
    };
    let root_certificates = match &settings.root_certificates {
        Some(file) => Some(std::fs::read(file).map_err(|error| {
            Failure::setting(format!("FM_S3__ROOT_CERTIFICATES: {}: {error}", file.display()))
        })?),
        None => None,
    };
    Ok(S3Options {
        endpoint: settings.endpoint.clone(),
        region: settings.region.clone(),
        allow_http: settings.allow_http,
        credentials,
        path_style: settings.path_style,
        root_certificates,
        create_only: settings.create.into(),
        ..S3Options::new(bucket)
    })
}

/// Tells the gateway an address at which the bucket gives it one content.
struct Signed(Arc<S3Blobs>);

#[async_trait]
impl BlobLocator for Signed {
    async fn locate(&self, key: BlobKey, _size: u64) -> PortResult<Option<String>> {
        let url = self.0.signed_url(key, SIGNED_FOR).await?;
        Ok(Some(format!("{S3_LOCATION}{}?{}", url.path(), url.query().unwrap_or_default())))
    }
}

#[cfg(test)]
mod tests {
    use blob::CreateOnly;

    use super::*;
    use crate::settings::Create;

    #[test]
    fn root_brings_in_no_contents_that_the_service_could_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let there =
            Settings { blob_url: Some(format!("file://{}", folder.path().display())), ..Settings::default() };
        let to_be_made =
            Settings { blob_url: there.blob_url.as_ref().map(|url| format!("{url}/blobs")), ..there.clone() };
        refuse_root(&there).unwrap();
        // who is not root can give the folder to nobody
        if std::os::unix::fs::chown(folder.path(), Some(4_321), Some(4_321)).is_ok() {
            assert_eq!(refuse_root(&there).unwrap_err().exit, Exit::DataFolder);
            assert_eq!(refuse_root(&to_be_made).unwrap_err().exit, Exit::DataFolder);
        }
    }

    #[test]
    fn every_setting_of_s3_reaches_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let pem = folder.path().join("authority.pem");
        std::fs::write(&pem, "an authority").unwrap();
        let settings = S3 {
            endpoint: Some("https://s3.example.org".to_owned()),
            region: Some("garage".to_owned()),
            allow_http: true,
            access_key: Some("key".to_owned()),
            secret_key: Some("secret".to_owned()),
            path_style: false,
            root_certificates: Some(pem.clone()),
            create: Create::Look,
        };
        let options = s3_options("pail".to_owned(), &settings).unwrap();
        assert_eq!(options.endpoint, settings.endpoint);
        assert_eq!(options.region, settings.region);
        assert!(options.allow_http && !options.path_style);
        assert!(matches!(options.credentials, S3Credentials::Keys { access_key, .. } if access_key == "key"));
        assert_eq!(options.root_certificates.as_deref(), Some(&b"an authority"[..]));
        assert_eq!(options.create_only, CreateOnly::LookFirst);
        let missing = S3 { root_certificates: Some(folder.path().join("none")), ..settings };
        let said = s3_options("pail".to_owned(), &missing).map(drop).unwrap_err().to_string();
        assert!(said.contains("FM_S3__ROOT_CERTIFICATES"), "{said}");
    }
}
