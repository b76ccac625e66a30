//! Talking to whoever typed a command.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use runtime::lifecycle::Exit;

use crate::Failure;

/// Writes text to standard output.
pub fn say(text: &str) {
    let mut out = io::stdout();
    // whoever closed standard output does not want to be told
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Ends a command: says what it did, or gives its error with the code for what was typed or for what failed.
///
/// # Errors
/// The command's.
pub fn told<E: std::error::Error + 'static>(
    done: Result<String, E>,
    is_usage: impl FnOnce(&E) -> bool,
) -> Result<Exit, Failure> {
    match done {
        Ok(text) => {
            say(&text);
            Ok(Exit::Stopped)
        }
        Err(error) => {
            let exit = if is_usage(&error) { Exit::Usage } else { Exit::Failed };
            Err(Failure::new(exit, &error))
        }
    }
}

/// Ends a command that may have left things undone: says its report, and fails if it is not complete.
///
/// # Errors
/// The command's.
pub fn reported<R: std::fmt::Display, E: std::error::Error + 'static>(
    done: Result<R, E>,
    is_complete: impl FnOnce(&R) -> bool,
    is_usage: impl FnOnce(&E) -> bool,
) -> Result<Exit, Failure> {
    let complete = done.as_ref().is_ok_and(is_complete);
    let exit = told(done.map(|report| report.to_string()), is_usage)?;
    Ok(if complete { exit } else { Exit::Failed })
}

/// A password from the first line of standard input; asked for where someone sits there.
///
/// # Errors
/// Standard input cannot be read.
pub fn read_password() -> io::Result<String> {
    if io::stdin().is_terminal() {
        say("password (it shows while you type): ");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
