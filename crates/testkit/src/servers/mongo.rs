use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Arrange, Process, Spec, find};

/// A private MongoDB, a replica set of one member, that keeps its data over a restart: `mongod` if it is on the path, else the stand-in
/// that the Python of `FM_TEST_SECANTUS_PYTHON` has (package `secantusdb`), which speaks the same protocol.
pub struct Mongo(pub Process);

/// The name of the replica set of a `mongod`.
const SET: &str = "fm-test";

impl Mongo {
    /// Starts one, and waits until it takes writes.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn start() -> Result<Self> {
        let (program, arrange): (_, Arrange) = match find("mongod", &[]) {
            Some(_) => ("mongod", Box::new(arrange_mongod)),
            None => (stand_in()?, Box::new(arrange_stand_in)),
        };
        let spec = Spec {
            program,
            // where an absolute path is found
            folders: &["/"],
            package: "mongodb-org-server",
            arrange,
            answers: |port| Box::pin(takes_writes(port)),
        };
        Ok(Self(Process::start(spec).await?))
    }

    /// Where clients find it.
    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/", self.0.port())
    }
}

fn stand_in() -> Result<&'static str> {
    let python = std::env::var("FM_TEST_SECANTUS_PYTHON").context(
        "mongod is not on the path, and FM_TEST_SECANTUS_PYTHON does not name a Python that has secantusdb; `cargo xtask test` sets it",
    )?;
    // once for each server of a test
    Ok(String::leak(python))
}

fn arrange_mongod(command: &mut Command, folder: &Path, port: u16) {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).expect("the folder can be written to");
    command.args([
        "--bind_ip",
        "127.0.0.1",
        "--replSet",
        SET,
        "--nounixsocket",
        "--wiredTigerCacheSizeGB",
        "0.25",
    ]);
    command.args(["--port", &port.to_string()]).arg("--dbpath").arg(data);
}

fn arrange_stand_in(command: &mut Command, folder: &Path, port: u16) {
    // in its folder, where no settings file of somebody else's lies
    command.current_dir(folder).args(["-m", "secantus", "--host", "127.0.0.1"]);
    // or a kill loses what it has just answered, which a majority of a replica set would not
    command.arg("--sync-on-commit");
    command.args(["--port", &port.to_string()]).arg("--storage-path").arg(folder.join("data"));
}

/// Whether it is a primary. A `mongod` whose replica set was never made is told to make it.
async fn takes_writes(port: u16) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let hello = ask(&mut stream, &[int("hello", 1)]).await?;
        if contains(&hello, b"\x01isreplicaset\0") || contains(&hello, b"\x08isreplicaset\0\x01") {
            let member = document(&[int("_id", 0), text("host", &format!("127.0.0.1:{port}"))]);
            let members = document(&[field(DOCUMENT, "0", &member)]);
            let config = document(&[text("_id", SET), field(ARRAY, "members", &members)]);
            ask(&mut stream, &[field(DOCUMENT, "replSetInitiate", &config)]).await?;
        }
        std::io::Result::Ok(contains(&hello, b"\x08isWritablePrimary\0\x01"))
    };
    matches!(timeout(Duration::from_secs(1), asked).await, Ok(Ok(true)))
}

/// Runs a command of the database `admin` (`OP_MSG` of the wire protocol); the answer as it came.
async fn ask(stream: &mut TcpStream, fields: &[Vec<u8>]) -> std::io::Result<Vec<u8>> {
    const OP_MSG: i32 = 2013;
    let mut command = fields.to_vec();
    command.push(text("$db", "admin"));
    let body = document(&command);
    let length = i32::try_from(16 + 4 + 1 + body.len()).expect("commands are small");
    let mut message = Vec::new();
    // length, number, answer to, kind; no flags; a section of one document
    for number in [length, 1, 0, OP_MSG, 0] {
        message.extend(number.to_le_bytes());
    }
    message.push(0);
    message.extend(body);
    stream.write_all(&message).await?;
    let length = u64::try_from(stream.read_i32_le().await?).map_err(std::io::Error::other)?;
    let mut answer = Vec::new();
    stream.take(length.saturating_sub(4)).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

// fields and documents of BSON (bsonspec.org, 1.1)

const DOCUMENT: u8 = 3;
const ARRAY: u8 = 4;

fn field(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], name.as_bytes(), &[0], value].concat()
}

fn int(name: &str, value: i32) -> Vec<u8> {
    field(0x10, name, &value.to_le_bytes())
}

fn text(name: &str, value: &str) -> Vec<u8> {
    let length = i32::try_from(value.len() + 1).expect("texts are short").to_le_bytes();
    field(0x02, name, &[length.as_slice(), value.as_bytes(), &[0]].concat())
}

fn document(fields: &[Vec<u8>]) -> Vec<u8> {
    let fields = fields.concat();
    let length = i32::try_from(4 + fields.len() + 1).expect("documents are small");
    [length.to_le_bytes().as_slice(), &fields, &[0]].concat()
}
