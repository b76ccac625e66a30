//! Servers that all tests of one run share. Each is private: on a free port, in a folder of its own, ended with the run.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::install::Debian;
use crate::shell::{program, root, say};

/// Longest time until a server listens.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// What stands in for MongoDB, as a Python package.
const STAND_IN: &str = "secantusdb==0.7.0b3";

/// Python packages that tests need, with their versions: servers (mail, what stands in for MongoDB), and a client of uploads.
pub(crate) const PYTHON: &[&str] = &["aiosmtpd==1.4.6", STAND_IN, "tuspy==1.1.0"];

/// Servers that tests start for themselves.
pub(crate) const DEBIAN: &[Debian] = &[
    Debian { program: "redis-server", package: "redis-server" },
    Debian { program: "rabbitmq-server", package: "rabbitmq-server" },
];

/// A MongoDB, or what stands in for it.
pub(crate) struct Mongo {
    /// For `FM_TEST_MONGODB_URI`.
    pub(crate) uri: String,
    child: Option<Child>,
}

impl Mongo {
    /// The one that `FM_TEST_MONGODB_URI` names, a replica set, else the stand-in from this Python, with this name; says which.
    pub(crate) fn start(python: &Path, name: &str) -> Result<Self> {
        if let Some(uri) = std::env::var("FM_TEST_MONGODB_URI").ok().filter(|uri| !uri.is_empty()) {
            say("MongoDB: the one that FM_TEST_MONGODB_URI names");
            return Ok(Self { uri, child: None });
        }
        let folder = root().join("target/servers").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let port = free_port()?;
        let mut command = program(&python.to_string_lossy(), &["-m", "secantus", "--host", "127.0.0.1"]);
        command
            .args(["--port", &port.to_string(), "--log-level", "ERROR", "--storage-path"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(log(&folder, "stdout")?)
            .stderr(log(&folder, "stderr")?);
        let mut child = command.spawn().context("the stand-in for MongoDB cannot be started")?;
        wait_for(&mut child, port)?;
        say(&format!(
            "MongoDB: {STAND_IN} stands in for it (transactions and indexes are tried; plans, sharding and speed prove nothing)"
        ));
        // for each write that could be repeated it sorts all that it remembers: 10 ms instead of 0.6 after some thousands
        Ok(Self { uri: format!("mongodb://127.0.0.1:{port}/?retryWrites=false"), child: Some(child) })
    }
}

impl Mongo {
    /// The process of the stand-in.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }
}

impl Drop for Mongo {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // it may have ended by itself
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn log(folder: &Path, name: &str) -> Result<std::fs::File> {
    Ok(std::fs::File::create(folder.with_extension(name))?)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn wait_for(child: &mut Child, port: u16) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("the stand-in for MongoDB ended with {status}: see target/servers/*.stderr");
        }
        if begun.elapsed() > START_DEADLINE {
            // it is ended before the error is told
            child.kill()?;
            bail!("the stand-in for MongoDB does not listen: see target/servers/*.stderr");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
