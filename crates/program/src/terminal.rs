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

/// Ends a command that may have left things undone: says its report, also where it was interrupted, and fails if it is not complete. Of what
/// was typed wrongly there is nothing to report.
///
/// # Errors
/// The command's.
pub fn reported<E: std::error::Error + 'static>(
    report: &impl std::fmt::Display,
    is_complete: bool,
    done: Result<(), E>,
    is_usage: impl Fn(&E) -> bool,
) -> Result<Exit, Failure> {
    if !done.as_ref().is_err_and(&is_usage) {
        say(&report.to_string());
    }
    let exit = told(done.map(|()| String::new()), is_usage)?;
    Ok(if is_complete { exit } else { Exit::Failed })
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
