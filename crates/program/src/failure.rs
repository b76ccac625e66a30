//! Why the program cannot go on, and with which code it ends.

use std::fmt;

use runtime::data_dir::DataDirError;
use runtime::lifecycle::Exit;

/// An error for whoever started the program.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    text: String,
}

impl Failure {
    /// With an error and all its causes.
    pub fn new(exit: Exit, error: &(dyn std::error::Error + 'static)) -> Self {
        Self { exit, text: common::Causes(error).to_string() }
    }

    /// A wrong setting, with a sentence that names it.
    pub fn setting(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    /// With a sentence.
    pub fn other(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }

    /// A store that cannot be opened or used.
    pub fn store(error: &common::PortError) -> Self {
        Self::new(Exit::Unavailable, error)
    }
}

impl From<DataDirError> for Failure {
    fn from(error: DataDirError) -> Self {
        Self { exit: Exit::DataFolder, text: error.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
