//! file-service as a program of its own.

mod commands;
mod contents;
mod portable;
mod settings;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    distributed::run::<wiring::FileProgram>()
}
