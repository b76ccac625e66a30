//! Why there is no thumbnail, one variant for each thing a caller can do about it.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// Longest reason that is kept. A reason may quote what a decoder said about a stranger's bytes.
const MAX_REASON: usize = 200;

/// Why a picture has no thumbnails.
///
/// `Display` is a reason that may be shown to the owner of the file. It never holds bytes of the file that
/// are not printable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Error {
    /// The bytes are in none of the formats that are decoded here.
    #[error("the file is not a picture of a known format: {reason}")]
    NotAPicture {
        /// What was found instead.
        reason: String,
    },
    /// The format is known, this use of it is not.
    #[error("this kind of picture cannot be decoded: {reason}")]
    Unsupported {
        /// The feature that is missing.
        reason: String,
    },
    /// The file breaks the rules of its own format or ends too early.
    #[error("the picture is damaged: {reason}")]
    Damaged {
        /// What the decoder objected to.
        reason: String,
    },
    /// The picture is over a limit that protects the machine.
    #[error("the picture is too large: {value} {limit}, the limit is {max}")]
    TooLarge {
        /// Which limit.
        limit: Limit,
        /// What the picture has or would need.
        value: u64,
        /// What is allowed.
        max: u64,
    },
    /// The work took longer than it may.
    #[error("making the thumbnails took longer than {limit_ms} ms")]
    TimedOut {
        /// The limit that was met, in milliseconds.
        limit_ms: u64,
    },
    /// The decoder wanted more memory than its process may have.
    #[error("decoding the picture needs more memory than is allowed")]
    OutOfMemory,
    /// The decoding process ended without an answer.
    #[error("the decoding process ended unexpectedly: {reason}")]
    ChildDied {
        /// The signal or exit code.
        reason: String,
    },
    /// The file could not be read or the process could not be started.
    #[error("the picture could not be read: {reason}")]
    Io {
        /// What the system said.
        reason: String,
    },
}

/// A limit that [`Error::TooLarge`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// Bytes of the file.
    InputBytes,
    /// Pixels of the picture, width times height.
    Pixels,
    /// Pixels along the longer side.
    Side,
    /// Bytes of memory that decoding needs.
    Memory,
    /// Bytes of all thumbnails together.
    OutputBytes,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InputBytes => "bytes in the file",
            Self::Pixels => "pixels",
            Self::Side => "pixels along one side",
            Self::Memory => "bytes of memory to decode it",
            Self::OutputBytes => "bytes of thumbnails",
        })
    }
}

impl Error {
    /// A word for machines that never changes: `not_a_picture`, `unsupported`, `damaged`, `too_large`,
    /// `timed_out`, `out_of_memory`, `child_died` or `io`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotAPicture { .. } => "not_a_picture",
            Self::Unsupported { .. } => "unsupported",
            Self::Damaged { .. } => "damaged",
            Self::TooLarge { .. } => "too_large",
            Self::TimedOut { .. } => "timed_out",
            Self::OutOfMemory => "out_of_memory",
            Self::ChildDied { .. } => "child_died",
            Self::Io { .. } => "io",
        }
    }

    /// Whether the same bytes give the same error however often they are tried.
    ///
    /// Running out of memory counts: the limit is the child's own and does not depend on the machine. Time
    /// does depend on it, a child may have been killed from outside, and a read may work the next time.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::NotAPicture { .. }
            | Self::Unsupported { .. }
            | Self::Damaged { .. }
            | Self::TooLarge { .. }
            | Self::OutOfMemory => true,
            Self::TimedOut { .. } | Self::ChildDied { .. } | Self::Io { .. } => false,
        }
    }

    pub(crate) fn not_a_picture(reason: impl fmt::Display) -> Self {
        Self::NotAPicture { reason: printable(reason) }
    }

    pub(crate) fn unsupported(reason: impl fmt::Display) -> Self {
        Self::Unsupported { reason: printable(reason) }
    }

    pub(crate) fn damaged(reason: impl fmt::Display) -> Self {
        Self::Damaged { reason: printable(reason) }
    }

    pub(crate) fn child_died(reason: impl fmt::Display) -> Self {
        Self::ChildDied { reason: printable(reason) }
    }

    /// An error of reading the file or of talking to a child.
    pub(crate) fn io(error: &io::Error) -> Self {
        Self::Io { reason: printable(error) }
    }

    /// An error of reading while decoding: an end that comes too early is the file's fault.
    pub(crate) fn reading(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::damaged("the file ends too early"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::damaged(error),
            io::ErrorKind::OutOfMemory => Self::OutOfMemory,
            _ => Self::io(error),
        }
    }

    /// The same error with its text made safe, for errors that came from another process.
    pub(crate) fn sanitized(mut self) -> Self {
        match &mut self {
            Self::NotAPicture { reason }
            | Self::Unsupported { reason }
            | Self::Damaged { reason }
            | Self::ChildDied { reason }
            | Self::Io { reason } => *reason = printable(&reason),
            Self::TooLarge { .. } | Self::TimedOut { .. } | Self::OutOfMemory => {}
        }
        self
    }
}

impl From<image::ImageError> for Error {
    fn from(error: image::ImageError) -> Self {
        use image::ImageError::{Decoding, Encoding, IoError, Limits, Parameter, Unsupported};
        match error {
            IoError(error) => Self::reading(&error),
            Unsupported(error) => Self::unsupported(error),
            // The exact figures are not given by the decoders; the limits that have figures are checked before.
            Limits(_) => Self::OutOfMemory,
            Decoding(error) => Self::damaged(error),
            Encoding(error) => Self::damaged(error),
            Parameter(error) => Self::damaged(error),
        }
    }
}

/// One line of printable text, cut to a sensible length.
fn printable(text: impl fmt::Display) -> String {
    let text = text.to_string();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_short_printable_line() {
        let Error::Damaged { reason } = Error::damaged(format!("a\nb\u{1b}[31m{}", "x".repeat(1000))) else {
            panic!("another variant");
        };
        assert!(reason.starts_with("a b [31m"));
        assert_eq!(reason.chars().count(), MAX_REASON);
    }

    #[test]
    fn the_word_is_the_one_on_the_wire() {
        let errors = [
            Error::not_a_picture("x"),
            Error::unsupported("x"),
            Error::damaged("x"),
            Error::TooLarge { limit: Limit::Pixels, value: 2, max: 1 },
            Error::TimedOut { limit_ms: 1 },
            Error::OutOfMemory,
            Error::child_died("x"),
            Error::io(&io::Error::other("x")),
        ];
        for error in errors {
            let json = serde_json::to_value(&error).unwrap();
            assert_eq!(json["word"], error.word());
            assert_eq!(serde_json::from_value::<Error>(json).unwrap(), error);
        }
    }

    #[test]
    fn too_large_names_the_limit() {
        let error = Error::TooLarge { limit: Limit::Pixels, value: 2_500_000_000, max: 268_435_456 };
        assert_eq!(error.to_string(), "the picture is too large: 2500000000 pixels, the limit is 268435456");
    }
}
