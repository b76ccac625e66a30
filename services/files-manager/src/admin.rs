//! Administrator's commands on a data folder that no process uses.

use std::io::{BufRead as _, Write as _};

use auth_service::{Accounts, CreateAccountError};
use auth_service::{NewCredentials, create_first_admin};
use program::Failure;
use runtime::data_dir::DataDir;
use runtime::lifecycle::Exit;

use crate::parts;
use crate::settings::Settings;

/// Makes the first administrator with a password from standard input.
///
/// # Errors
/// What is wrong with address or password, or that there is an administrator, or that the data folder cannot be used.
pub(crate) async fn create(settings: &Settings, email: &str) -> Result<Exit, Failure> {
    let data = DataDir::open(&settings.data_dir)?;
    let password = read_password()?;
    let credentials = NewCredentials::parse(email, &password)
        .map_err(|error| Failure::other(Exit::Usage, format!("no administrator was made: {error}")))?;
    let store = parts::auth_store(&data)?;
    let accounts =
        Accounts::new(store.clone(), parts::password_hasher(settings)?, parts::clock(), parts::ids());
    let made = create_first_admin(&accounts, credentials).await;
    store.close();
    match made {
        Ok(user) => {
            say(&format!("administrator {} made; sign in with the address and the password\n", user.id));
            Ok(Exit::Stopped)
        }
        Err(CreateAccountError::AlreadySetUp) => {
            Err(Failure::other(Exit::Failed, "no administrator was made: there is one already"))
        }
        Err(error) => Err(Failure::new(Exit::Failed, &error)),
    }
}

fn read_password() -> Result<String, Failure> {
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        say("password (it shows while you type): ");
    }
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::other(Exit::Usage, format!("the password cannot be read: {error}")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn say(text: &str) {
    let mut out = std::io::stdout();
    // whoever closed standard output does not want to be told
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
