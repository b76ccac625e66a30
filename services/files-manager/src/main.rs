//! The all-in-one: the three services over embedded adapters, and the page, in one process.

mod admin;
mod backup;
mod check;
mod command_line;
mod docs;
mod doctor;
mod keys;
mod page;
mod parts;
mod portable;
mod routes;
mod serve;
mod settings;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use program::{Failure, GRACE_FOR_THREADS};
use runtime::lifecycle::Exit;
use runtime::settings::Sources;

use command_line::{Command, CommandLine};
use settings::Settings;

fn main() -> ExitCode {
    // before anything else: in a child that decodes pictures this call does not return
    thumbnails::run_child_if_asked();
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // help and version are no errors
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Stopped };
            // there is nobody left to tell when the terminal is gone
            let _ = error.print();
            return exit.into();
        }
    };
    if let Some(Command::Docs { what }) = line.command {
        return docs::print(what).into();
    }
    let settings = match (settings_of(line.config), &line.command) {
        (Ok(settings), _) => settings,
        (Err(wrong), Some(Command::Doctor(asked))) => return doctor::without_settings(&wrong, *asked).into(),
        (Err(wrong), _) => return fail(wrong.exit, &wrong),
    };
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return fail(Exit::Failed, &"another TLS provider was installed first");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Failed, &error),
    };
    let work = async {
        match line.command {
            Some(Command::Admin(command)) => admin::run(&settings, command).await,
            // both have the process to themselves, and may block it
            Some(Command::Backup(asked)) => backup::take(&settings, &asked),
            Some(Command::Restore { folder, skip_damaged }) => {
                backup::restore(&settings, &folder, skip_damaged)
            }
            Some(Command::Export { folder }) => portable::export(&settings, &folder).await,
            Some(Command::Import { folder }) => portable::import(&settings, &folder).await,
            Some(Command::Doctor(asked)) => Ok(doctor::run(settings, asked).await),
            _ => serve::run(settings).await,
        }
    };
    let ended = runtime.block_on(work);
    // a thread that still waits for a disk must not hold up the end
    runtime.shutdown_timeout(GRACE_FOR_THREADS);
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => fail(failure.exit, &failure),
    }
}

fn settings_of(file: Option<PathBuf>) -> Result<Settings, Failure> {
    let settings: Settings = runtime::settings::load(&settings::docs(), &Sources::of_process(file))
        .map_err(|error| Failure::new(Exit::Usage, &error))?;
    settings.check()?;
    Ok(settings)
}

#[expect(
    clippy::print_stderr,
    reason = "logs may not be set up yet, and whoever typed the command reads this"
)]
fn fail(exit: Exit, error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("files-manager: {error}");
    exit.into()
}
