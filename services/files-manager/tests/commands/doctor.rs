//! Looking whether an installation can work: each thing that can be wrong is made wrong, and found.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use e2e::contents::noise;
use serde_json::Value;

use super::run;
use crate::support::Installation;

/// How it ended, and its findings.
fn doctor(installation: &Installation, environment: &[(&str, &str)]) -> (Option<i32>, Vec<Value>) {
    let (status, said) = run(installation, &["doctor", "--json"], environment);
    let mut json: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    let findings = json["findings"].take();
    (status, findings.as_array().unwrap().clone())
}

fn is_well(installation: &Installation, environment: &[(&str, &str)]) {
    let (status, findings) = doctor(installation, environment);
    assert_eq!(status, Some(0), "{findings:#?}");
}

/// One thing is found, with this state and text, and with advice.
fn is_found(installation: &Installation, environment: &[(&str, &str)], check: &str, state: &str, text: &str) {
    let (status, findings) = doctor(installation, environment);
    let found = findings.iter().any(|finding| {
        finding["check"] == check
            && finding["state"] == state
            && finding["text"].as_str().unwrap().contains(text)
            && !finding["advice"].as_str().unwrap_or_default().is_empty()
    });
    assert!(found, "no {state} {check} with “{text}”: {findings:#?}");
    assert_eq!(status, Some(i32::from(state == "wrong")), "{findings:#?}");
}

/// Answers everything with one status, as a gateway that leads elsewhere, until the test ends.
fn something_else(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    address.to_string()
}

/// Leads to the product, and refuses what has more bytes than most gateways take unless told to.
fn narrow_gateway(product: &str) -> String {
    let product = product.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let product = product.clone();
            std::thread::spawn(move || pass_on(stream, &product));
        }
    });
    format!("http://{address}")
}

fn pass_on(mut stream: TcpStream, product: &str) {
    let mut head = vec![0; 16 * 1024];
    let mut read = 0;
    while !head[..read].windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut head[read..]) {
            Ok(more) if more > 0 => read += more,
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&head[..read]).into_owned();
    let refusal = if text.starts_with("PUT ") {
        "413 Content Too Large"
    } else if text.len() > 2048 {
        "431 Request Header Fields Too Large"
    } else {
        let mut upstream = TcpStream::connect(product).unwrap();
        upstream.write_all(text.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes()).unwrap();
        let _ = std::io::copy(&mut upstream, &mut stream);
        return;
    };
    let _ = write!(stream, "HTTP/1.1 {refusal}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    // what comes still is read, so that the answer is not lost with a reset connection
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_thing_that_is_wrong_with_an_installation_is_found() {
    let installation = Installation::fresh();
    is_well(&installation, &[]);
    assert!(!installation.data().exists(), "looking makes no data folder");

    // settings
    is_found(&installation, &[("FM_BCRYPT_COST", "99")], "settings", "wrong", "FM_BCRYPT_COST");
    is_found(&installation, &[("FM_LISTEN", "nowhere")], "settings", "wrong", "FM_LISTEN");
    is_found(&installation, &[("FM_TLS_CERT", "/none")], "settings", "wrong", "FM_TLS_KEY");

    let running = installation.start();
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    product.upload(&ada, "root", "a.bin", noise(40_000, 1)).await.unwrap();
    let address = running.address.trim_start_matches("http://").to_owned();
    let public = running.address.clone();
    is_well(&installation, &[("FM_LISTEN", &address), ("FM_PUBLIC_URL", &public)]);

    // port and public address, while it runs
    let other = something_else("404 Not Found");
    let elsewhere = format!("http://{other}");
    is_found(&installation, &[("FM_LISTEN", &other)], "port", "wrong", "does not answer");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    is_found(&installation, &[("FM_LISTEN", &free)], "port", "wrong", "does not listen");
    is_found(
        &installation,
        &[("FM_PUBLIC_URL", &elsewhere)],
        "public address",
        "wrong",
        "something else answers",
    );
    let narrow = narrow_gateway(&running.address);
    is_found(&installation, &[("FM_PUBLIC_URL", &narrow)], "gateway: uploads", "wrong", "413");
    let (_, findings) = doctor(&installation, &[("FM_PUBLIC_URL", &narrow)]);
    let header = findings.iter().find(|finding| finding["check"] == "gateway: headers").unwrap();
    assert_eq!(
        (&header["state"], true),
        (&Value::from("warning"), header["text"].as_str().unwrap().contains("431"))
    );
    running.stop();

    // and while it does not
    is_well(&installation, &[]);
    is_found(&installation, &[("FM_LISTEN", &other)], "port", "wrong", "cannot be used");
    is_found(&installation, &[("FM_PUBLIC_URL", &elsewhere)], "public address", "warning", "was not asked");

    // the data folder
    let data = installation.data();
    let mode = |mode| fs::set_permissions(&data, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o755);
    is_found(&installation, &[], "data folder", "warning", "may be entered by others");
    mode(0o700);
    let format = fs::read(data.join("format.json")).unwrap();
    fs::write(data.join("format.json"), r#"{"major":99,"minor":0}"#).unwrap();
    is_found(&installation, &[], "data folder", "wrong", "format 99.0");
    fs::write(data.join("format.json"), format).unwrap();
    is_found(&installation, &[("FM_FILES__KEEP_FREE", "1000000GiB")], "room", "wrong", "are free");
    let file = data.join("a file");
    fs::write(&file, "").unwrap();
    is_found(&installation, &[("FM_DATA_DIR", file.to_str().unwrap())], "disk", "wrong", "cannot be written");

    // the clock stands before what is there
    let database = File::options().write(true).open(data.join("auth.db")).unwrap();
    let written = database.metadata().unwrap().modified().unwrap();
    database.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000_000)).unwrap();
    is_found(&installation, &[], "clock", "wrong", "the database was written at 2286");
    database.set_modified(written).unwrap();

    // databases: of a newer program, of something else, damaged
    let raw = || rusqlite::Connection::open(data.join("jobs.db")).unwrap();
    let version: u32 = raw().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    raw().pragma_update(None, "user_version", 999).unwrap();
    is_found(&installation, &[], "database", "wrong", "jobs.db has format 999");
    raw().pragma_update(None, "user_version", version).unwrap();
    let whole = fs::read(data.join("jobs.db")).unwrap();
    fs::copy(data.join("auth.db"), data.join("jobs.db")).unwrap();
    is_found(&installation, &[], "database", "wrong", "not the jobs database");
    fs::write(data.join("jobs.db"), "no database at all, whatever its name says").unwrap();
    is_found(&installation, &[], "database", "wrong", "jobs.db");
    fs::write(data.join("jobs.db"), &whole).unwrap();
    is_well(&installation, &[]);
    let mut files = File::options().read(true).write(true).open(data.join("files.db")).unwrap();
    files.seek(SeekFrom::Start(4096)).unwrap();
    files.write_all(&noise(20 * 4096, 7)).unwrap();
    is_found(&installation, &[], "database", "wrong", "files.db");

    let (status, text) = run(&installation, &["doctor"], &[]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("WRONG   database: files.db") && text.contains("restore a backup"), "{text}");
}
