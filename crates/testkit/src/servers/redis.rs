use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Process, Spec};

/// A private Redis that keeps its data over a restart.
pub struct Redis(pub Process);

impl Redis {
    /// Starts one.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn start() -> Result<Self> {
        let spec = Spec {
            program: "redis-server",
            folders: &[],
            package: "redis-server",
            arrange: Box::new(arrange),
            answers: |port| Box::pin(answers(port)),
        };
        Ok(Self(Process::start(spec).await?))
    }

    /// The Redis that tests of this run share, if there is one (`FM_TEST_REDIS_URL`), else a private one.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn shared() -> Result<(String, Option<Self>)> {
        match std::env::var("FM_TEST_REDIS_URL") {
            Ok(url) => Ok((url, None)),
            Err(_) => {
                let own = Self::start().await?;
                Ok((own.url(), Some(own)))
            }
        }
    }

    /// Starts it again with nothing.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn restart_empty(&mut self) -> Result<()> {
        self.0.kill();
        std::fs::remove_dir_all(data(self.0.folder()))?;
        self.0.restart().await
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port())
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn arrange(command: &mut Command, folder: &Path, port: u16) {
    std::fs::create_dir_all(data(folder)).expect("the folder can be written to");
    command.args(["--bind", "127.0.0.1", "--daemonize", "no", "--save", "", "--appendonly", "yes"]);
    command.args(["--port", &port.to_string()]).arg("--dir").arg(data(folder));
}

async fn answers(port: u16) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer == *b"+PONG")
    };
    matches!(timeout(Duration::from_secs(1), asked).await, Ok(Ok(true)))
}
