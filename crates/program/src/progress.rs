//! How far a command is, for whoever waits for it.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a line is written over where somebody looks at it.
const ON_TERMINAL: Duration = Duration::from_millis(200);
/// How often a line is written into a file.
const ELSEWHERE: Duration = Duration::from_secs(10);

/// One line on standard error, written over on a terminal.
#[derive(Debug)]
pub struct ProgressLine {
    terminal: bool,
    shown: Mutex<Instant>,
}

impl Default for ProgressLine {
    fn default() -> Self {
        Self { terminal: io::stderr().is_terminal(), shown: Mutex::new(Instant::now()) }
    }
}

impl ProgressLine {
    /// Shows a text, if the last one has stood for a while.
    pub fn show(&self, text: impl FnOnce() -> String) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.elapsed() < if self.terminal { ON_TERMINAL } else { ELSEWHERE } {
            return;
        }
        *shown = Instant::now();
        let text = text();
        // whoever closed standard error does not want to be told
        let _ = if self.terminal {
            write!(io::stderr(), "\r\x1b[K{text}")
        } else {
            writeln!(io::stderr(), "{text}")
        };
    }

    /// Leaves no half line behind.
    pub fn end(&self) {
        if self.terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
