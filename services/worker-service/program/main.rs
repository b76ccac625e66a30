//! worker-service as a program of its own.

mod settings;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    // before anything else: in a child that decodes pictures this call does not return
    thumbnails::run_child_if_asked();
    distributed::run::<wiring::WorkerProgram>()
}
