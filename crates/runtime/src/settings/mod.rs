//! Settings: built-in defaults, then a TOML file, then the environment; typed, validated, documented from one table.
//!
//! A program has one struct of settings. Its `Default` holds the defaults, a table of [`Doc`]s says what each key means, and a test of the program
//! calls [`check_docs`], so that neither can drift from the other. A key such as `mail.smtp_host` is `FM_MAIL__SMTP_HOST` in the environment;
//! `FM_MAIL__SMTP_PASSWORD_FILE` names a file that holds the value. `FM_TEST_…` is never a setting.

mod docs;
mod source;
mod types;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use docs::{check_docs, check_section, help, markdown};
pub use types::{ByteSize, Span, at_least};

/// What a key means, in a sentence or two.
#[derive(Debug, Clone, Copy)]
pub struct Doc {
    /// The key with dots, such as `log.format`. `*` stands for a name that whoever sets it chooses, as in `oidc.*.issuer`.
    pub key: &'static str,
    /// For `--help` and the reference.
    pub text: &'static str,
}

/// Why the settings cannot be used. Each names the key as the person wrote it, and where.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Nobody knows this key.
    #[error("unknown setting {name} in {place}{}", near(.nearest))]
    Unknown {
        /// As it was written.
        name: String,
        /// The environment, or the file's path.
        place: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// The value does not fit.
    #[error("{name}: {reason}")]
    Invalid {
        /// The key as it stands in the environment.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read.
    #[error("{name} names {path}, which cannot be read: {source}")]
    Unreadable {
        /// Who names it.
        name: String,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn near(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default()
}

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A TOML file; `FM_CONFIG` in the environment names one if this does not.
    pub file: Option<PathBuf>,
    /// Names and values, usually [`std::env::vars`].
    pub environment: BTreeMap<String, String>,
}

impl Sources {
    /// The environment of this process, and this file.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, environment }
    }
}

/// Loads and types the settings of a program.
///
/// # Errors
/// [`SettingsError`], which names the key.
pub fn load<T: Default + Serialize + DeserializeOwned>(
    docs: &[Doc],
    sources: &Sources,
) -> Result<T, SettingsError> {
    let environment = source::environment(docs, &sources.environment)?;
    let file = sources.file.clone().or_else(|| sources.environment.get(source::CONFIG).map(PathBuf::from));
    let invalid = |error: &config::ConfigError| explain(docs, error);

    let defaults = Config::try_from(&T::default()).map_err(|error| invalid(&error))?;
    let mut builder = Config::builder().add_source(defaults);
    if let Some(path) = &file {
        let text = read(source::CONFIG, path)?;
        source::check_file(docs, path, &text)?;
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
    }
    let environment = Environment::default()
        .separator("__")
        .try_parsing(false)
        .source(Some(environment.into_iter().collect()));
    builder.add_source(environment).build().and_then(Config::try_deserialize).map_err(|error| invalid(&error))
}

fn read(name: &str, path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
        name: name.to_owned(),
        path: path.display().to_string(),
        source,
    })
}

/// Turns the library's error into one that names the key as people write it.
fn explain(docs: &[Doc], error: &config::ConfigError) -> SettingsError {
    let (key, reason) = match error {
        config::ConfigError::At { error, key, .. } => (key.clone(), error.to_string()),
        config::ConfigError::Type { key, .. } => (key.clone(), error.to_string()),
        _ => (None, error.to_string()),
    };
    let key = key.or_else(|| {
        docs.iter().map(|doc| doc.key.to_owned()).find(|key| reason.contains(&format!("`{key}`")))
    });
    SettingsError::Invalid {
        name: key.map_or_else(|| "settings".to_owned(), |key| source::variable(&key)),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Example {
        listen: std::net::SocketAddr,
        limit: ByteSize,
        secret: Option<String>,
        count: u32,
        mail: Mail,
        doors: BTreeMap<String, Mail>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Mail {
        smtp_host: Option<String>,
        every: Span,
    }

    impl Default for Example {
        fn default() -> Self {
            let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 8080));
            Self {
                listen,
                limit: ByteSize::from_mib(1),
                secret: None,
                count: 3,
                mail: Mail::default(),
                doors: BTreeMap::new(),
            }
        }
    }

    const DOCS: &[Doc] = &[
        Doc { key: "listen", text: "Where to listen" },
        Doc { key: "limit", text: "How much" },
        Doc { key: "secret", text: "What nobody may know" },
        Doc { key: "count", text: "How many" },
        Doc { key: "mail.smtp_host", text: "Through whom" },
        Doc { key: "mail.every", text: "How often" },
        Doc { key: "doors.*.smtp_host", text: "Through whom at that door" },
        Doc { key: "doors.*.every", text: "How often there" },
    ];

    fn loaded(file: &str, environment: &[(&str, &str)]) -> Result<Example, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, file).unwrap();
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        load(DOCS, &Sources { file: Some(path), environment })
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let example = loaded(
            "count = 5\nlimit = \"2 KiB\"\n[mail]\nsmtp_host = \"file\"\nevery = \"2m\"",
            &[
                ("FM_MAIL__SMTP_HOST", "environment"),
                ("FM_COUNT", "7"),
                ("FM_SECRET", "0123"),
                ("HOME", "/"),
                ("FM_TEST_X", "y"),
            ],
        )
        .unwrap();
        assert_eq!(example.count, 7);
        assert_eq!(example.limit.bytes(), 2048);
        assert_eq!(example.secret.as_deref(), Some("0123"), "a text of digits stays a text");
        assert_eq!(example.mail.smtp_host.as_deref(), Some("environment"));
        assert_eq!(example.mail.every.duration().as_secs(), 120);
        assert_eq!(example.listen.port(), 8080);
    }

    #[test]
    fn a_value_may_stand_in_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret\n").unwrap();
        let example = loaded("", &[("FM_SECRET_FILE", path.to_str().unwrap())]).unwrap();
        assert_eq!(example.secret.as_deref(), Some("s3cret"));
        let error = loaded("", &[("FM_SECRET_FILE", "/nowhere/at/all")]).unwrap_err().to_string();
        assert!(error.contains("FM_SECRET_FILE") && error.contains("/nowhere/at/all"), "{error}");
        let error = loaded("", &[("FM_SECRET_FILE", path.to_str().unwrap()), ("FM_SECRET", "x")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("FM_SECRET_FILE"), "{error}");
    }

    #[test]
    fn a_section_may_have_many_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "from a file\n").unwrap();
        let example = loaded(
            "[doors.front]\nsmtp_host = \"a\"\nevery = \"2s\"\n[doors.back-yard]\nsmtp_host = \"b\"",
            &[("FM_DOORS__FRONT__EVERY", "3s"), ("FM_DOORS__SIDE_2__SMTP_HOST_FILE", path.to_str().unwrap())],
        )
        .unwrap();
        let names: Vec<_> = example.doors.keys().map(String::as_str).collect();
        assert_eq!(names, ["back-yard", "front", "side_2"]);
        assert_eq!(example.doors["front"].every.duration().as_secs(), 3);
        assert_eq!(example.doors["side_2"].smtp_host.as_deref(), Some("from a file"));
        check_section::<Mail>("doors", &DOCS[6..]).unwrap();
        assert!(check_section::<Mail>("doors", &DOCS[7..]).unwrap_err().contains("doors.*.smtp_host"));
        for wrong in
            ["FM_DOORS__FRONT__HOST", "FM_DOORS__EVERY", "FM_DOORS__front__EVERY", "FM_DOORS____EVERY"]
        {
            let error = loaded("", &[(wrong, "1s")]).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
        let error = loaded("[doors.front]\nhost = \"a\"", &[]).unwrap_err().to_string();
        assert!(error.contains("doors.front.host"), "{error}");
        let error = loaded("", &[("FM_DOORS__FRONT__EVERY", "often")]).unwrap_err().to_string();
        assert!(error.contains("FM_DOORS__FRONT__EVERY"), "{error}");
    }

    #[test]
    fn unknown_keys_name_the_nearest_known_one() {
        let error = loaded("", &[("FM_LISTNE", "x")]).unwrap_err().to_string();
        assert!(error.contains("FM_LISTNE") && error.contains("did you mean FM_LISTEN?"), "{error}");
        let error = loaded("[mail]\nsmtp_hots = \"x\"", &[]).unwrap_err().to_string();
        assert!(
            error.contains("mail.smtp_hots") && error.contains("did you mean mail.smtp_host?"),
            "{error}"
        );
        let error = loaded("", &[("FM_MAIL", "x")]).unwrap_err().to_string();
        assert!(error.contains("FM_MAIL"), "{error}");
    }

    #[test]
    fn wrong_values_name_their_key() {
        for (name, value) in [
            ("FM_LISTEN", "nowhere"),
            ("FM_COUNT", "many"),
            ("FM_LIMIT", "12 parsecs"),
            ("FM_MAIL__EVERY", "often"),
        ] {
            let error = loaded("", &[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        let error = loaded("count = \"", &[]).unwrap_err().to_string();
        assert!(error.contains("settings.toml"), "{error}");
    }

    #[test]
    fn the_table_of_docs_is_held_against_the_struct() {
        check_docs::<Example>(DOCS).unwrap();
        assert!(check_docs::<Example>(&DOCS[1..]).unwrap_err().contains("listen"));
        let help = help::<Example>(DOCS);
        assert!(help.contains("FM_MAIL__SMTP_HOST") && help.contains("How often"), "{help}");
        assert!(markdown::<Example>(DOCS).contains("| `FM_COUNT` | `count` | `3` | How many |"));
    }
}
