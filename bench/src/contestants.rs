//! Starts the product and its peers on free ports, each with a folder of its own on the same disk.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http::{Connection, head};

/// The product's name in the report.
pub(crate) const OURS: &str = "files-manager";

/// A running server.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// Where a peer keeps files as they are; the product's is its data folder.
    pub(crate) folder: PathBuf,
    child: Child,
}

/// All of them.
pub(crate) struct Contestants {
    pub(crate) ours: Server,
    pub(crate) token: String,
    pub(crate) peers: Vec<Server>,
    pub(crate) program: PathBuf,
    pub(crate) python: PathBuf,
    /// Folder of the peer's program of resumable uploads, with its packages.
    pub(crate) tus: PathBuf,
    pub(crate) scratch: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // a master that is asked ends its workers, one that is killed leaves them
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid
            && kill_process(pid, Signal::TERM).is_ok()
        {
            let asked = std::time::Instant::now();
            while asked.elapsed() < STOP_PATIENCE {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Deadline for an end.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Deadline for a start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A port that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Server {
    /// Starts a program and waits until it accepts connections.
    pub(crate) async fn start(
        name: &'static str,
        folder: PathBuf,
        address: SocketAddr,
        command: &mut Command,
    ) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let mut server = Self { name, address, pid: child.id(), folder, child };
        let began = Instant::now();
        while Connection::open(address).await.is_err() {
            ensure!(began.elapsed() < PATIENCE, "{name} does not accept connections");
            if let Some(status) = server.child.try_wait()? {
                bail!("{name} ended: {status}");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(server)
    }
}

impl Contestants {
    /// Starts them all.
    pub(crate) async fn start(program: &Path, python: &Path, tus: &Path) -> Result<Self> {
        // beside the build, so that all of them write to the same real disk
        let target = program.ancestors().nth(2).context("the program lies in no target folder")?;
        let scratch = TempDir::with_prefix_in("bench-", target)?;
        let ours = start_ours(program, &scratch.path().join("ours"), 12).await?;
        let token = sign_up(ours.address, "bench@example.org").await?;
        let mut peers = vec![start_nginx(&scratch.path().join("nginx")).await?];
        peers.push(start_copyparty(python, &scratch.path().join("copyparty")).await?);
        if let Some(dufs) = find_program("dufs", target) {
            peers.push(start_dufs(&dufs, &scratch.path().join("dufs")).await?);
        }
        let (program, python, tus) = (program.to_owned(), python.to_owned(), tus.to_owned());
        Ok(Self { ours, token, peers, program, python, tus, scratch })
    }
}

/// A fresh product with this bcrypt cost.
pub(crate) async fn start_ours(program: &Path, folder: &Path, bcrypt_cost: u32) -> Result<Server> {
    start_ours_with(program, folder, bcrypt_cost, &[]).await
}

/// The same with settings of its own.
pub(crate) async fn start_ours_with(
    program: &Path,
    folder: &Path,
    bcrypt_cost: u32,
    settings: &[(&str, &str)],
) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(program);
    command
        .env("FM_DATA_DIR", folder)
        .env("FM_LISTEN", address.to_string())
        .env("FM_LOG__LEVEL", "warn")
        .env("FM_BCRYPT_COST", bcrypt_cost.to_string())
        .envs(settings.iter().copied());
    Server::start(OURS, folder.to_owned(), address, &mut command).await
}

/// Makes the first administrator of a fresh product that does not run.
pub(crate) fn create_administrator(program: &Path, folder: &Path, email: &str, password: &str) -> Result<()> {
    let mut create = Command::new(program)
        .args(["admin", "create", "--email", email])
        .env("FM_DATA_DIR", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    create.stdin.take().context("a pipe")?.write_all(format!("{password}\n").as_bytes())?;
    ensure!(create.wait()?.success(), "no administrator could be made");
    Ok(())
}

/// The password of accounts that [`sign_up`] makes.
pub(crate) const PASSWORD: &str = "password";

/// Registers an account; its access token of 24 hours.
pub(crate) async fn sign_up(address: SocketAddr, email: &str) -> Result<String> {
    let mut connection = Connection::open(address).await?;
    let body = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
    let json = [("Content-Type", "application/json")];
    let made = connection
        .send(&head("POST", "/users", &json, Some(body.len() as u64)), body.as_bytes(), true)
        .await?;
    ensure!(made.status == 201, "{}", String::from_utf8_lossy(&made.body));
    let basic = format!("Basic {}", STANDARD.encode(format!("{email}:{PASSWORD}")));
    let answer =
        connection.send(&head("GET", "/connect", &[("Authorization", &basic)], None), b"", true).await?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.body)?;
    Ok(answer["token"].as_str().context("no token")?.to_owned())
}

/// nginx with its DAV module over a folder of its own.
pub(crate) async fn start_nginx(folder: &Path) -> Result<Server> {
    let address = free_address()?;
    let files = folder.join("files");
    std::fs::create_dir_all(&files)?;
    std::fs::create_dir_all(folder.join("tmp"))?;
    // workers must reach files below a home folder
    let user = if is_root() { "user root;" } else { "" };
    let shown = folder.display();
    let configuration = format!(
        "daemon off; {user} worker_processes auto; pid {shown}/pid; error_log {shown}/error.log crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; client_max_body_size 0;\n\
         client_body_temp_path {shown}/tmp; proxy_temp_path {shown}/p; fastcgi_temp_path {shown}/f; uwsgi_temp_path {shown}/u; scgi_temp_path {shown}/s;\n\
         server {{ listen {address}; root {shown}/files; autoindex on; dav_methods PUT DELETE COPY MOVE; create_full_put_path on; }} }}\n"
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, configuration)?;
    let program = find_program("nginx", folder).unwrap_or_else(|| PathBuf::from("/usr/sbin/nginx"));
    let mut command = Command::new(program);
    command.arg("-c").arg(&path).arg("-e").arg(folder.join("error.log"));
    Server::start("nginx", files, address, &mut command).await
}

async fn start_copyparty(python: &Path, folder: &Path) -> Result<Server> {
    let address = free_address()?;
    std::fs::create_dir_all(folder)?;
    let mut command = Command::new(python);
    command
        .args(["-m", "copyparty", "-q", "--no-thumb", "--no-robots", "-i", "127.0.0.1", "-p"])
        .arg(address.port().to_string())
        .arg("-v")
        .arg(format!("{}::rwmd", folder.display()))
        .env("HOME", folder.with_extension("home"))
        .current_dir(folder);
    Server::start("copyparty", folder.to_owned(), address, &mut command).await
}

async fn start_dufs(program: &Path, folder: &Path) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(program);
    command
        .args(["-A", "--log-format", "", "-b", "127.0.0.1", "-p"])
        .arg(address.port().to_string())
        .arg(folder);
    Server::start("dufs", folder.to_owned(), address, &mut command).await
}

fn find_program(name: &str, target: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain([target.join("peers/bin")])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}
