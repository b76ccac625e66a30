//! auth-service as a program of its own.

mod settings;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    distributed::run::<wiring::AuthProgram>()
}
