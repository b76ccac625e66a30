//! The gateway: a private nginx with the configuration of `deploy/nginx`.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::servers::free_port;

/// Longest time that nginx may take until it listens.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How often it is asked whether it does.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// Starts on other ports, should somebody take the one that was free a moment ago.
const STARTS: u32 = 3;

/// Ends nginx in any event: its standard input ends when we do, and a test runner may kill us without letting anything be dropped.
const UNTIL_WE_END: &str = r#""$@" & server=$!; read -r _; kill -TERM "$server" 2>/dev/null; wait "$server""#;

/// Writes the configuration into `conf` below a folder, for this port.
type Configure<'a> = &'a dyn Fn(&Path, u16) -> Result<()>;

/// The part of its host that a proxy in front gives to the gateway, in `deploy/nginx/front`.
pub const BELOW: &str = "/my/files";

/// What a gateway stands before.
#[derive(Debug, Clone, Default)]
pub struct Behind {
    /// Replicas of auth-service.
    pub auth: Vec<SocketAddr>,
    /// Replicas of file-service.
    pub files: Vec<SocketAddr>,
    /// Replicas of worker-service.
    pub jobs: Vec<SocketAddr>,
    /// The folder of the blobs on the shared disk.
    pub blobs: Option<PathBuf>,
    /// An S3 store without TLS, and the name by which signed addresses call it.
    pub s3: Option<(SocketAddr, String)>,
    /// The folder of the web page.
    pub page: Option<PathBuf>,
    /// The path below which people reach it: empty, or such as [`BELOW`].
    pub path: &'static str,
    /// Proxies in front of the gateway, as networks.
    pub proxies: Vec<String>,
    /// Most requests of one address at once; unset: 60,000.
    pub connections: Option<u32>,
    /// The least errors that it tells; unset: `warn`, by which tests find what rested on the disk. The product's own is `alert`.
    pub errors: Option<&'static str>,
}

/// A running gateway. It ends when this is dropped.
pub struct Nginx {
    folder: TempDir,
    port: u16,
    guard: Child,
}

impl Nginx {
    /// Starts one and waits until it listens. Blocks.
    ///
    /// # Errors
    /// If nginx is not installed, or refuses the configuration; then with what it said.
    pub fn start(behind: &Behind) -> Result<Self> {
        Self::configured(&|folder, port| render(&folder.join("conf"), &values(behind, port, folder)))
    }

    /// Starts one that stands in front of a gateway and gives it a part of its host, [`BELOW`], as `deploy/nginx/front` shows it. Blocks.
    ///
    /// # Errors
    /// As [`Nginx::start`].
    pub fn in_front_of(gateway: &Self) -> Result<Self> {
        Self::configured(&|folder, port| render_front(&folder.join("conf"), gateway.port, port))
    }

    fn configured(configure: Configure<'_>) -> Result<Self> {
        let program = program().context("nginx is not installed: apt-get install nginx-light")?;
        let mut starts = 0;
        loop {
            starts += 1;
            match Self::spawn(&program, configure) {
                Err(error) if starts < STARTS && format!("{error:#}").contains("in use") => {}
                result => return result,
            }
        }
    }

    fn spawn(program: &Path, configure: Configure<'_>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("fm-test-nginx-").tempdir()?;
        let port = free_port()?;
        let configuration = folder.path().join("conf");
        configure(folder.path(), port)?;
        let log = File::create(folder.path().join("error.log"))?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", UNTIL_WE_END, "sh"]).arg(program);
        // blobs are for their owner alone, so nginx has to run as we do
        let globals = if is_root() { "daemon off; user root;" } else { "daemon off;" };
        command.arg("-p").arg(format!("{}/", folder.path().display()));
        command.arg("-c").arg(configuration.join("nginx.conf")).args(["-e", "stderr", "-g", globals]);
        let guard = command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let nginx = Self { folder, port, guard };
        let deadline = Instant::now() + START_DEADLINE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let said = nginx.errors()?;
            ensure!(!said.contains("[emerg]"), "nginx does not start: {said}");
            ensure!(Instant::now() < deadline, "nginx does not listen; it said: {said}");
            std::thread::sleep(ASK_AGAIN);
        }
        Ok(nginx)
    }

    /// Its public address, such as `http://127.0.0.1:20000`.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has said of errors.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn errors(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("error.log"))?)
    }

    /// The requests that it has answered, a JSON object each, in the order of their ends.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn requests(&self) -> Result<Vec<serde_json::Value>> {
        let log = std::fs::read_to_string(self.folder.path().join("access.log"))?;
        log.lines().map(|line| serde_json::from_str(line).context("a line of the log")).collect()
    }

    /// The folders for bodies and answers that do not fit into memory.
    pub fn temporary(&self) -> [PathBuf; 2] {
        ["client_body", "proxy"].map(|name| self.folder.path().join(name))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps it outside the path of ordinary users
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("nginx")).find(|candidate| candidate.is_file())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn values(behind: &Behind, port: u16, folder: &Path) -> BTreeMap<&'static str, String> {
    let servers = |addresses: &[SocketAddr]| match addresses {
        [] => "server 127.0.0.1:9 down;".to_owned(),
        some => some
            .iter()
            .map(|address| format!("server {address} max_fails=1 fail_timeout=1s; "))
            .collect::<String>(),
    };
    let shown = |path: &Option<PathBuf>| path.as_deref().unwrap_or(folder).display().to_string();
    let (s3, s3_host) = match &behind.s3 {
        Some((address, name)) => (servers(&[*address]), name.clone()),
        None => (servers(&[]), "none.invalid".to_owned()),
    };
    BTreeMap::from([
        ("GATEWAY_LISTEN", format!("listen 127.0.0.1:{port};")),
        ("GATEWAY_BEHIND", behind.proxies.iter().map(|proxy| format!("set_real_ip_from {proxy};")).collect()),
        ("GATEWAY_RESOLVER", "127.0.0.1".to_owned()),
        ("GATEWAY_AUTH", servers(&behind.auth)),
        ("GATEWAY_FILES", servers(&behind.files)),
        ("GATEWAY_JOBS", servers(&behind.jobs)),
        ("GATEWAY_S3", s3),
        ("GATEWAY_S3_SCHEME", "http".to_owned()),
        ("GATEWAY_S3_HOST", s3_host),
        ("GATEWAY_S3_AUTHORITIES", "/etc/ssl/certs/ca-certificates.crt".to_owned()),
        ("GATEWAY_PAGE", shown(&behind.page)),
        ("GATEWAY_PATH", behind.path.to_owned()),
        ("GATEWAY_BLOBS", shown(&behind.blobs)),
        ("GATEWAY_ACCESS_LOG", "access.log".to_owned()),
        ("GATEWAY_ERROR_LEVEL", behind.errors.unwrap_or("warn").to_owned()),
        ("GATEWAY_CONNECTIONS", behind.connections.unwrap_or(60_000).to_string()),
    ])
}

/// As `cargo xtask gateway --render`.
fn render(target: &Path, values: &BTreeMap<&'static str, String>) -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx");
    let mut site = std::fs::read_to_string(source.join("templates/site.conf.template"))?;
    for (name, value) in values {
        site = site.replace(&format!("${{{name}}}"), value);
    }
    ensure!(!site.contains("${"), "the template wants a value that tests do not give: {site}");
    std::fs::create_dir(target)?;
    for entry in std::fs::read_dir(&source)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            std::fs::copy(&path, target.join(name))?;
        }
    }
    Ok(std::fs::write(target.join("site.conf"), site)?)
}

/// What a whole nginx needs around the sample of a proxy in front.
const AROUND_FRONT: &str = "pid nginx.pid; error_log stderr warn; events {} http { access_log off; client_body_temp_path client_body; proxy_temp_path proxy; \
     fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi; include front.conf; }";

fn render_front(target: &Path, gateway: u16, port: u16) -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx/front/below-a-path.conf");
    let mut front = std::fs::read_to_string(source)?;
    for (written, here) in [
        ("server 127.0.0.1:8080;", format!("server 127.0.0.1:{gateway};")),
        ("listen 80;", format!("listen 127.0.0.1:{port};")),
    ] {
        ensure!(front.contains(written), "the sample has no {written}");
        front = front.replace(written, &here);
    }
    ensure!(front.contains(&format!("location {BELOW}/ {{")), "the sample is about another path");
    std::fs::create_dir(target)?;
    std::fs::write(target.join("front.conf"), front)?;
    Ok(std::fs::write(target.join("nginx.conf"), AROUND_FRONT)?)
}
