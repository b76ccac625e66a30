use blob::{S3Blobs, S3Credentials, S3Options};
use common::files::{BlobRange, BlobStore};
use common::{BlobKey, Causes, PortError, PortResult};
use futures_util::TryStreamExt as _;
use testkit::servers::s3::S3Server;

/// The bucket of the tests.
pub(crate) const BUCKET: &str = "test-bucket";

/// A server with a bucket.
pub(crate) struct Server {
    pub(crate) s3: S3Server,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let s3 = S3Server::start().await.unwrap();
        s3.create_bucket(BUCKET);
        Self { s3 }
    }

    pub(crate) fn options(&self) -> S3Options {
        options(self.s3.endpoint())
    }

    pub(crate) fn open(&self, options: S3Options) -> S3Blobs {
        S3Blobs::open(&options).unwrap()
    }

    pub(crate) fn blobs(&self) -> S3Blobs {
        self.open(self.options())
    }

    /// Waits until nothing is left of uploads.
    pub(crate) async fn nothing_unfinished(&self) {
        testkit::wait::until(|| self.s3.unfinished().is_empty()).await;
    }
}

/// A bucket below a prefix at this address, with the keys that the test server knows.
pub(crate) fn options(endpoint: String) -> S3Options {
    S3Options {
        prefix: "some/prefix".to_owned(),
        endpoint: Some(endpoint),
        allow_http: true,
        credentials: keys(S3Server::ACCESS_KEY, S3Server::SECRET_KEY),
        ..S3Options::new(BUCKET)
    }
}

pub(crate) fn keys(access_key: &str, secret_key: &str) -> S3Credentials {
    S3Credentials::Keys { access_key: access_key.to_owned(), secret_key: secret_key.into() }
}

pub(crate) fn whole(len: usize) -> BlobRange {
    BlobRange { start: 0, len: len as u64 }
}

pub(crate) async fn content(blobs: &dyn BlobStore, key: BlobKey, len: usize) -> PortResult<Option<Vec<u8>>> {
    let Some(stream) = blobs.stream(key, whole(len)).await? else {
        return Ok(None);
    };
    let pieces: Vec<_> = stream.try_collect().await?;
    Ok(Some(pieces.concat()))
}

#[track_caller]
pub(crate) fn assert_unavailable<T>(result: PortResult<T>) {
    match result {
        Err(PortError::Unavailable { .. }) => {}
        Err(error) => panic!("{}", Causes(&error)),
        Ok(_) => panic!("it worked"),
    }
}

/// The error, with its causes, which must not be worth a second try.
#[track_caller]
pub(crate) fn broken<T>(result: PortResult<T>) -> String {
    match result {
        Err(error @ PortError::Broken { .. }) => Causes(&error).to_string(),
        Err(error) => panic!("{}", Causes(&error)),
        Ok(_) => panic!("it worked"),
    }
}
