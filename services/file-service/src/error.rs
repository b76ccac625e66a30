use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use common::files::{InvalidName, NodeError};
use common::{Code, FileId, PortError};
use http_kit::{BodyError, Problem};
use runtime::passwords::HashError;

/// Where an upload stands.
pub(crate) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

// registered by the draft of the IETF on resumable uploads
const MISMATCHING_OFFSET: &str = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset";
const COMPLETED_UPLOAD: &str = "https://iana.org/assignments/http-problem-types#completed-upload";
const INCONSISTENT_LENGTH: &str =
    "https://iana.org/assignments/http-problem-types#inconsistent-upload-length";

/// Why a use case ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A rule says no. The caller learns the code and, if there is one, the sentence.
    #[error("refused: {}", .code.word())]
    Refused {
        /// Which rule.
        code: Code,
        /// What it means in this case; the code's title if there is nothing to add.
        detail: Option<Cow<'static, str>>,
    },
    /// A live node of the folder has the name.
    #[error("refused: name_taken")]
    NameTaken {
        /// Which one.
        existing: FileId,
    },
    /// What was to be undone has changed since, or was undone already.
    #[error("refused: changed_since")]
    ChangedSince {
        /// The file or folder.
        node: FileId,
    },
    /// Too many attempts.
    #[error("refused: rate_limited")]
    RateLimited {
        /// When the next one passes.
        retry_after: Duration,
    },
    /// The upload stands at another offset than the client thinks.
    #[error("refused: upload_offset")]
    UploadOffset {
        /// Where it stands.
        expected: u64,
        /// Where the client thinks that it stands.
        provided: u64,
    },
    /// What a client sent could not be read to its end.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A part could not do it.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl AppError {
    /// Refused by the rule of this code.
    pub const fn refused(code: Code) -> Self {
        Self::Refused { code, detail: None }
    }

    /// Refused by the rule of this code, with a sentence for the caller.
    pub fn because(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused { code, detail: Some(detail.into()) }
    }

    /// The word that clients see.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused { code, .. } => *code,
            Self::NameTaken { .. } => Code::NameTaken,
            Self::ChangedSince { .. } => Code::ChangedSince,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::UploadOffset { .. } => Code::UploadOffset,
            Self::Body(error) => error.code(),
            Self::Port(PortError::Unavailable { .. }) => Code::Unavailable,
            Self::Port(PortError::Full { .. }) => Code::DiskFull,
            Self::Port(PortError::Broken { .. }) => Code::Internal,
        }
    }
}

impl From<NodeError> for AppError {
    fn from(error: NodeError) -> Self {
        let code = match error {
            NodeError::Port(error) => return Self::Port(error),
            NodeError::NameTaken { existing } => return Self::NameTaken { existing },
            NodeError::NotFound => Code::NotFound,
            NodeError::ParentGone => Code::ParentNotFound,
            NodeError::ParentNotFolder => Code::ParentNotFolder,
            NodeError::Changed => Code::PreconditionFailed,
            NodeError::Cycle => Code::WouldMakeCycle,
            NodeError::TooDeep => Code::TooDeep,
            NodeError::Root => Code::RootIsFixed,
            NodeError::NotTrashed => Code::NotInTrash,
            NodeError::NotAFile => Code::NotAFile,
            NodeError::ContentGone => Code::NotFound,
            NodeError::OverQuota => Code::QuotaExceeded,
        };
        Self::refused(code)
    }
}

impl From<HashError> for AppError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Port(PortError::unavailable("passwords", error)),
            HashError::Port(error) => Self::Port(error),
        }
    }
}

impl From<InvalidName> for AppError {
    fn from(error: InvalidName) -> Self {
        Self::because(Code::InvalidName, error.to_string())
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Refused { code, detail } => {
                let problem = match code {
                    Code::UploadComplete => Self::new(code).kind(COMPLETED_UPLOAD),
                    Code::UploadLength => Self::new(code).kind(INCONSISTENT_LENGTH),
                    Code::Locked => Self::new(code).retry_after(PortError::RETRY_AFTER),
                    _ => Self::new(code),
                };
                match detail {
                    Some(detail) => problem.detail(detail),
                    None => problem,
                }
            }
            AppError::NameTaken { existing } => {
                Self::new(Code::NameTaken).member("existingId", existing.to_string())
            }
            AppError::ChangedSince { node } => {
                Self::new(Code::ChangedSince).member("fileId", node.to_string())
            }
            AppError::RateLimited { retry_after } => Self::new(Code::RateLimited).retry_after(retry_after),
            AppError::UploadOffset { expected, provided } => Self::new(Code::UploadOffset)
                .kind(MISMATCHING_OFFSET)
                .detail(format!("The upload stands at {expected}, not at {provided}"))
                .member("expected-offset", expected)
                .member("provided-offset", provided)
                .header(UPLOAD_OFFSET, HeaderValue::from(expected)),
            AppError::Body(error) => Self::from(error),
            AppError::Port(error) => Self::from(error),
        }
    }
}
