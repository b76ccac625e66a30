//! Where contents are: a disk that all replicas share, or a bucket.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use blob::{BlobUrl, DiskBlobs, DiskOptions, S3Blobs, S3Credentials, S3Options};
use common::files::{BlobLocator, BlobStore, PartialBlobs};
use common::routes::S3_LOCATION;
use common::{BlobKey, PortResult};
use file_service::Delivery;
use program::Failure;

use crate::settings::{S3, Sender, Settings};

/// How long an address that was signed for the gateway is good: it asks at once.
const SIGNED_FOR: Duration = Duration::from_secs(60);

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

fn s3_options(bucket: String, settings: &S3) -> Result<S3Options, Failure> {
    let credentials = match (&settings.access_key, &settings.secret_key) {
        (None, None) => S3Credentials::Ambient,
        (Some(access_key), Some(secret_key)) => S3Credentials::Keys {
            access_key: access_key.clone(),
            secret_key: secret_key.clone().into(),
            session_token: None,
        },
        (Some(_), None) => return Err(Failure::setting("FM_S3__SECRET_KEY: a key needs its secret")),
        (None, Some(_)) => return Err(Failure::setting("FM_S3__ACCESS_KEY: a secret needs its key")),
    };
    Ok(S3Options {
        endpoint: settings.endpoint.clone(),
        region: settings.region.clone(),
        allow_http: settings.allow_http,
        credentials,
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
