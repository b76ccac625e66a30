//! What can be said to a service on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) config: Option<PathBuf>,
    pub(crate) what: What,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum What {
    /// Run the service.
    Serve,
    /// Ask the service of this machine whether it is ready.
    HealthCheck,
    /// Print the reference of settings.
    Settings,
    /// One of the service's own commands, with what was typed.
    Own(ArgMatches),
}

/// Reads the command line of the service `name`, whose settings `help` lists.
pub(crate) fn parse(
    name: &'static str,
    about: &'static str,
    help: String,
    own: Vec<Command>,
    arguments: impl Iterator<Item = OsString>,
) -> Result<Asked, clap::Error> {
    let command = Command::new(name)
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .after_help(help)
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .action(ArgAction::Set)
                .global(true)
                .help("Settings file in TOML form (or name it in FM_CONFIG)"),
        )
        .subcommand(Command::new("serve").about("Run the service (what is done without a command)"))
        .subcommand(
            Command::new("healthcheck")
                .about("Ask the service that runs with these settings whether it is ready; 0 if it is"),
        )
        .subcommand(Command::new("settings").about("Print the reference of settings"))
        .subcommands(own);
    let matches = command.try_get_matches_from(arguments)?;
    let what = match matches.subcommand_name() {
        Some("healthcheck") => What::HealthCheck,
        Some("settings") => What::Settings,
        None | Some("serve") => What::Serve,
        Some(_) => What::Own(matches.clone()),
    };
    // an option that is global stands with the command that it follows
    let config = matches
        .get_one("config")
        .or_else(|| matches.subcommand().and_then(|(_, matches)| matches.get_one("config")))
        .cloned();
    Ok(Asked { config, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[&str]) -> Asked {
        let words = std::iter::once("service").chain(words.iter().copied()).map(OsString::from);
        let own = vec![Command::new("tidy").subcommand(Command::new("up"))];
        parse("service", "about", String::new(), own, words).unwrap()
    }

    #[test]
    fn serving_is_what_is_done_without_a_command() {
        assert!(matches!(asked(&[]), Asked { config: None, what: What::Serve }));
        assert!(matches!(asked(&["serve"]).what, What::Serve));
        assert!(matches!(asked(&["healthcheck"]).what, What::HealthCheck));
    }

    #[test]
    fn the_file_may_be_named_on_either_side_of_the_command() {
        let file = Some(PathBuf::from("a.toml"));
        assert_eq!(asked(&["--config", "a.toml", "serve"]).config, file);
        assert_eq!(asked(&["healthcheck", "--config", "a.toml"]).config, file);
        assert_eq!(asked(&["tidy", "up", "--config", "a.toml"]).config, file);
    }

    #[test]
    fn a_service_has_commands_of_its_own() {
        let What::Own(matches) = asked(&["tidy", "up"]).what else { panic!("it is the service's own") };
        assert_eq!(matches.subcommand().unwrap().0, "tidy");
    }
}
