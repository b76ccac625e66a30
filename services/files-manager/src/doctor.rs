//! The command that looks whether this installation can work, while it runs or not.

use std::net::TcpListener;
use std::path::Path;

use admin::doctor::{self, Diagnosis, Doctor, Finding};
use auth_service::{providers, trusted_proxies};
use clients::Probe;
use common::Timestamp;
use program::{Failure, public_url, say};
use runtime::data_dir::DataDir;
use runtime::lifecycle::Exit;
use store_sqlite::{Database, Examined, FilesCopy, examine};
use tokio::task::spawn_blocking;

use crate::settings::Settings;
use crate::{keys, parts, tls};

/// Looks at everything, says it, and fails if anything is wrong.
pub(crate) async fn run(settings: Settings, asked: Doctor) -> Exit {
    let mut diagnosis = Diagnosis::default();
    diagnosis.findings.push(settings_of(&settings));
    let folder = settings.data_dir.clone();
    let keep_free = settings.files.keep_free.bytes();
    let (mut stored, holder) =
        spawn_blocking(move || data(&folder, keep_free)).await.unwrap_or_else(|error| {
            let advice = "run it once more; this is a fault of the program";
            (vec![Finding::wrong("data folder", error.to_string(), advice)], None)
        });
    diagnosis.findings.append(&mut stored);
    diagnosis.findings.push(master_key(&settings));
    diagnosis.findings.push(listener(&settings, holder.as_deref()).await);
    public(&settings, holder.is_some(), &mut diagnosis).await;
    told(&diagnosis, asked)
}

/// Says that nothing could be looked at for want of settings.
pub(crate) fn without_settings(failure: &Failure, asked: Doctor) -> Exit {
    told(&Diagnosis { findings: vec![wrong_settings(failure.to_string())] }, asked)
}

fn told(diagnosis: &Diagnosis, asked: Doctor) -> Exit {
    if asked.json {
        let text = serde_json::to_string_pretty(diagnosis).expect("a diagnosis becomes JSON");
        say(&format!("{text}\n"));
    } else {
        say(&diagnosis.to_string());
    }
    if diagnosis.is_well() { Exit::Stopped } else { Exit::Failed }
}

fn wrong_settings(text: String) -> Finding {
    Finding::wrong(
        "settings",
        text,
        "set it right in the environment or the file of settings; `files-manager --help` names all of them",
    )
}

fn settings_of(settings: &Settings) -> Finding {
    let check = || -> Result<(), String> {
        tls::configuration(settings)?;
        trusted_proxies(&settings.trusted_proxies)?;
        public_url(settings.public_url.as_deref()).map_err(|failure| failure.to_string())?;
        providers(&settings.oidc, settings.public_url.as_deref())?;
        parts::password_hasher(settings).map_err(|failure| failure.to_string())?;
        Ok(())
    };
    match check() {
        Ok(()) => Finding::good("settings", "they can be used"),
        Err(text) => wrong_settings(text),
    }
}

fn master_key(settings: &Settings) -> Finding {
    const CHECK: &str = "master key";
    match keys::look(settings, &settings.data_dir) {
        Ok(Some(_)) => Finding::good(CHECK, "it is there"),
        Ok(None) => Finding::good(CHECK, "it is not there yet: the first start makes it"),
        Err(error) => Finding::wrong(CHECK, error.to_string(), error.advice()),
    }
}

/// What is seen in the data folder, and which process holds it.
fn data(folder: &Path, keep_free_bytes: u64) -> (Vec<Finding>, Option<String>) {
    if !folder.exists() {
        let above = folder.ancestors().skip(1).find(|above| above.exists() && !above.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new("."));
        let text = format!("{} is not there yet: the first start makes it", folder.display());
        let clock = doctor::clock(parts::clock().now(), None);
        return (
            vec![
                Finding::good("data folder", text),
                doctor::disk(above),
                doctor::room(above, keep_free_bytes),
                clock,
            ],
            None,
        );
    }
    let mut findings = vec![doctor::ownership(folder)];
    let holder = match DataDir::look(folder) {
        Ok(holder) => holder,
        Err(error) => {
            findings.push(Finding::wrong("data folder", error.to_string(), "see the message"));
            None
        }
    };
    findings.extend(unfit(folder));
    findings.push(doctor::disk(folder));
    // contents may lie on a disk of their own
    let blobs = folder.join("blobs");
    if blobs.exists() {
        findings.push(doctor::disk(&blobs));
        findings.push(doctor::room(&blobs, keep_free_bytes));
    } else {
        findings.push(doctor::room(folder, keep_free_bytes));
    }
    findings.push(doctor::clock(parts::clock().now(), newest(folder)));
    findings.extend(Database::ALL.map(|database| database_of(folder, database)));
    (findings, holder)
}

/// What keeps the product from starting over a folder whose parts are each well.
fn unfit(folder: &Path) -> Option<Finding> {
    if DataDir::is_unfinished(folder).unwrap_or(false) {
        return Some(Finding::wrong(
            "data folder",
            format!("{} is unfinished: a restore into it was cut, or failed", folder.display()),
            "have the restore done again, or empty the folder",
        ));
    }
    let mark = std::fs::read_to_string(folder.join("store-id")).ok();
    let database = folder.join(Database::Files.file());
    let known = FilesCopy::open(&database).and_then(|files| files.store_id()).ok();
    let is_wrong = match (mark, known) {
        (Some(mark), Some(known)) => mark.trim_end() != known,
        (Some(_), None) => !database.exists(),
        // `admin create` alone makes no place for contents
        (None, Some(_)) => folder.join("blobs").exists(),
        (None, None) => false,
    };
    is_wrong.then(|| {
        Finding::wrong(
            "contents",
            "files.db and the contents (store-id) do not belong together, or one of them is missing",
            "mount the right disk, or restore a backup into an empty folder",
        )
    })
}

/// When a database was last written.
fn newest(folder: &Path) -> Option<Timestamp> {
    use std::os::unix::fs::MetadataExt as _;
    let written = Database::ALL.into_iter().flat_map(|database| {
        let file = database.file();
        [file.to_owned(), format!("{file}-wal")]
    });
    let at = |file: String| Some(std::fs::metadata(folder.join(file)).ok()?.mtime());
    written.filter_map(at).max().map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)))
}

fn database_of(folder: &Path, database: Database) -> Finding {
    const CHECK: &str = "database";
    let file = database.file();
    match examine(folder, database) {
        Examined::Absent => {
            Finding::good(CHECK, format!("{file} is not there yet: the first start makes it"))
        }
        Examined::Good { version, newest } if version == newest => {
            Finding::good(CHECK, format!("{file} hangs together and has format {version}"))
        }
        Examined::Good { version, newest } => Finding::good(
            CHECK,
            format!("{file} hangs together and has format {version}; the next start brings it to {newest}"),
        ),
        Examined::TooNew { version, newest } => Finding::wrong(
            CHECK,
            format!("{file} has format {version}, and this program knows {newest}"),
            "use the program that wrote it, or a newer one; or restore a backup",
        ),
        Examined::Damaged(problems) => Finding::wrong(
            CHECK,
            format!("{file}: {}", problems.join("; ")),
            "stop the product, keep a copy of the data folder, and restore a backup; look at the disk",
        ),
    }
}

async fn listener(settings: &Settings, holder: Option<&str>) -> Finding {
    const CHECK: &str = "port";
    let address = settings.listen;
    match (TcpListener::bind(address), holder) {
        (Ok(_), None) => Finding::good(CHECK, format!("{address} is free for the product")),
        (Ok(_), Some(process)) if address.port() != 0 => Finding::wrong(
            CHECK,
            format!("the product runs as process {process}, and does not listen at {address}"),
            "it was started with other settings, or does not get ready: look at its log",
        ),
        (Ok(_), Some(_)) => Finding::good(CHECK, "the product chose a port by itself"),
        (Err(error), Some(_)) if error.kind() == std::io::ErrorKind::AddrInUse => {
            match answers(settings).await {
                Ok(()) => Finding::good(CHECK, format!("the product answers at {address}")),
                Err(said) => Finding::wrong(
                    CHECK,
                    format!("the product runs, and does not answer at {address}: {said}"),
                    "look at its log; another program may have the port",
                ),
            }
        }
        (Err(error), _) => Finding::wrong(
            CHECK,
            format!("{address} cannot be used: {error}"),
            "set FM_LISTEN to another port, or stop the program that has this one",
        ),
    }
}

/// Whether the product answers at the address that it listens at.
async fn answers(settings: &Settings) -> Result<(), String> {
    // its certificate is for another name
    if settings.tls_cert.is_some() {
        return Ok(());
    }
    let mut address = settings.listen;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    Probe::new(&format!("http://{address}"))?.answers().await
}

async fn public(settings: &Settings, runs: bool, diagnosis: &mut Diagnosis) {
    const CHECK: &str = "public address";
    let Some(url) = settings.public_url.as_deref() else {
        diagnosis.findings.push(Finding::good(CHECK, "none is set: people use the address of FM_LISTEN"));
        return;
    };
    if !runs {
        let text = format!("{url} was not asked: the product does not run");
        diagnosis.findings.push(Finding::warning(CHECK, text, "run this once more when it does"));
        return;
    }
    let probe = match Probe::new(url) {
        Ok(probe) => probe,
        Err(error) => {
            diagnosis.findings.push(Finding::wrong(CHECK, error, "see the message"));
            return;
        }
    };
    if let Err(said) = probe.answers().await {
        diagnosis.findings.push(Finding::wrong(
            CHECK,
            format!("{url}: {said}"),
            "let the name lead to the gateway, the gateway to the product, and the certificate be for the name (docs/gateway.md)",
        ));
        return;
    }
    diagnosis.findings.push(Finding::good(CHECK, format!("the product answers at {url}")));
    diagnosis.findings.push(match probe.large_header().await {
        Ok(200) => Finding::good("gateway: headers", "4 KiB in one header come through"),
        other => Finding::warning(
            "gateway: headers",
            format!("4 KiB in one header do not come through: {}", in_words(other)),
            "let the gateway take header fields of 8 KiB (nginx: large_client_header_buffers)",
        ),
    });
    diagnosis.findings.push(match probe.large_body().await {
        Ok(401) => Finding::good("gateway: uploads", "a body of 2 MiB comes through"),
        other => Finding::wrong(
            "gateway: uploads",
            format!("a body of 2 MiB does not come through: {}", in_words(other)),
            "let the gateway pass bodies of any size on as they come (nginx: client_max_body_size 0, proxy_request_buffering off)",
        ),
    });
}

fn in_words(heard: Result<u16, String>) -> String {
    heard.map_or_else(|error| error, |status| format!("the answer was {status}"))
}
