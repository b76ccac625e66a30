//! Starts the real program on a free port with a data folder of its own, and stops it.

#![allow(dead_code, unreachable_pub, reason = "each test program uses its part of this")]
#![allow(clippy::unwrap_used, reason = "everything here is a test")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use e2e::Product;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A data folder that outlives the processes that use it.
pub struct Installation {
    folder: TempDir,
    settings: Vec<(String, String)>,
}

/// A process of the product.
pub struct Running {
    child: Child,
    /// Its public address.
    pub address: String,
    setup_code: Arc<Mutex<String>>,
    installation: Option<Installation>,
    logged: Arc<Mutex<String>>,
    /// Reads the log to its end.
    log: Option<std::thread::JoinHandle<()>>,
}

impl Installation {
    /// An empty one.
    pub fn fresh() -> Self {
        Self { folder: TempDir::with_prefix("files-manager-").unwrap(), settings: Vec::new() }
    }

    /// With a setting for each process that is started from now on.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// What a setting was given, if it was.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The program with the settings of a test.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_files-manager"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FM_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.folder.path())
            .env("FM_DATA_DIR", self.data())
            .env("FM_LISTEN", "127.0.0.1:0")
            // the least that bcrypt takes: the tests are about what is done with hashes, not about their strength
            .env("FM_BCRYPT_COST", "4")
            .env("FM_WEBHOOKS__ALLOW_NETWORKS", e2e::webhooks::RECEIVER)
            .env("FM_WEBHOOKS__FIRST_PAUSE", "1s")
            // nobody has to look elsewhere before a test's process stops
            .env("FM_STOP__DRAIN", "0s")
            .envs(self.settings.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a process and waits until it serves.
    pub fn start(&self) -> Running {
        self.start_with(&[])
    }

    /// As `start`, with more in its environment.
    pub fn start_with(&self, environment: &[(&str, &str)]) -> Running {
        self.spawn(self.command().envs(environment.iter().copied()))
    }

    /// As `start`, with the data folder on a file system of so many MiB that only this process sees.
    pub fn start_on_a_small_disk(&self, mib: u32) -> Running {
        let program = self.command();
        let data = self.data();
        std::fs::create_dir_all(&data).unwrap();
        let mut command = Command::new("unshare");
        command
            .args([
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                "mount -t tmpfs -o size=$0m,mode=700 tmpfs \"$1\" && exec \"$2\"",
            ])
            .arg(mib.to_string())
            .arg(&data)
            .arg(program.get_program())
            .current_dir(self.folder.path())
            .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.spawn(&mut command)
    }

    fn spawn(&self, command: &mut Command) -> Running {
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let logged = Arc::<Mutex<String>>::default();
        let lines = Arc::clone(&logged);
        let log = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut lines = lines.lock().unwrap();
                lines.push_str(&line);
                lines.push('\n');
            }
        });
        let stdout = child.stdout.take().unwrap();
        let (found, address) = mpsc::channel();
        let setup_code = Arc::<Mutex<String>>::default();
        let code = Arc::clone(&setup_code);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.starts_with("    ") {
                    line.trim().clone_into(&mut code.lock().unwrap());
                } else if let Some((_, address)) = line.split_once("ready at ") {
                    let _ = found.send(address.to_owned());
                }
            }
        });
        let address = match address.recv_timeout(PATIENCE) {
            Ok(address) => address,
            Err(_) => {
                let _ = child.kill();
                let status = child.wait();
                log.join().unwrap();
                panic!("it did not start: {status:?}\n{}", logged.lock().unwrap());
            }
        };
        Running { child, address, setup_code, installation: None, logged, log: Some(log) }
    }
}

/// A fresh installation with one process, both gone with the value.
pub async fn fresh() -> Running {
    let installation = Installation::fresh();
    let mut running = installation.start();
    running.installation = Some(installation);
    running
}

impl Running {
    /// The product as its clients see it.
    pub fn product(&self) -> Product {
        Product::new(&self.address, self.setup_code.lock().unwrap().clone()).unwrap()
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Kills it without warning.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Asks it to stop; how it ended, and its log.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        let status = self.wait();
        if let Some(log) = self.log.take() {
            log.join().unwrap();
        }
        (status, self.log_so_far())
    }

    /// What it has logged so far.
    pub fn log_so_far(&self) -> String {
        self.logged.lock().unwrap().clone()
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let began = std::time::Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the process did not end");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}
