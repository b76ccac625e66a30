//! The distributed form on one machine: the services' programs over real servers, behind the real gateway.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rand::RngExt as _;
use tempfile::TempDir;
use testkit::nginx::{Behind, Nginx};
use testkit::servers::s3::S3Server;
use testkit::servers::{RabbitMq, Redis};

use crate::Product;

/// How long a service may take to be ready: its database is migrated before.
const PATIENCE: Duration = Duration::from_secs(120);

/// Servers that any number of stacks share, each under a name of its own.
pub struct Servers {
    mongodb_uri: String,
    redis_url: String,
    amqp_url: String,
    _redis: Option<Redis>,
    _rabbitmq: Option<RabbitMq>,
}

impl Servers {
    /// The MongoDB that `FM_TEST_MONGODB_URI` names, and the Redis and RabbitMQ of this run, or private ones.
    ///
    /// # Errors
    /// When one of them is not there or does not start.
    pub async fn start() -> Result<Self> {
        let mongodb_uri = std::env::var("FM_TEST_MONGODB_URI")
            .context("FM_TEST_MONGODB_URI names a MongoDB; `cargo xtask` starts one and sets it")?;
        let (redis_url, redis) = Redis::shared().await?;
        let (amqp_url, rabbitmq) = RabbitMq::shared().await?;
        Ok(Self { mongodb_uri, redis_url, amqp_url, _redis: redis, _rabbitmq: rabbitmq })
    }
}

/// The bucket of a stack that keeps its contents in S3.
const BUCKET: &str = "contents";

/// How a stack is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Replicas of each service.
    pub replicas: usize,
    /// Folder of the services' programs.
    pub programs: PathBuf,
    /// Contents stand in this S3 server, not on a shared disk.
    pub s3: Option<Bucket>,
    /// Folder of the built page.
    pub page: Option<PathBuf>,
    /// Work of a password hash.
    pub bcrypt_cost: u32,
    /// More settings, for all services.
    pub settings: Vec<(String, String)>,
}

/// A bucket that the test server knows.
#[derive(Debug, Clone)]
pub struct Bucket {
    address: SocketAddr,
}

impl Bucket {
    /// A fresh bucket in this server.
    ///
    /// # Errors
    /// When the server has no address.
    pub fn in_server(server: &S3Server) -> Result<Self> {
        server.create_bucket(BUCKET);
        let address = server.endpoint().trim_start_matches("http://").parse()?;
        Ok(Self { address })
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("FM_BLOB_URL", format!("s3://{BUCKET}/blobs")),
            ("FM_S3__ENDPOINT", format!("http://{}", self.address)),
            ("FM_S3__ALLOW_HTTP", "true".to_owned()),
            ("FM_S3__ACCESS_KEY", S3Server::ACCESS_KEY.to_owned()),
            ("FM_S3__SECRET_KEY", S3Server::SECRET_KEY.to_owned()),
        ]
    }
}

impl Options {
    /// Two replicas each, of the programs in the folder that `FM_TEST_PROGRAMS` names, as quick as tests want it.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn of_tests() -> Result<Self> {
        let programs = std::env::var_os("FM_TEST_PROGRAMS").context(
            "FM_TEST_PROGRAMS names the folder of the services' programs; `cargo xtask test` sets it",
        )?;
        Ok(Self {
            replicas: 2,
            programs: programs.into(),
            s3: None,
            page: None,
            bcrypt_cost: 4,
            settings: [("FM_STOP__DRAIN", "0s"), ("FM_MONGODB_DEADLINE", "60s")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                // what stands in for MongoDB is slow, and shares its processors with the tests
                .into(),
        })
    }
}

/// A running installation. It ends when this is dropped.
pub struct Stack {
    address: String,
    setup_code: String,
    _gateway: Nginx,
    _services: Vec<Process>,
    _folder: TempDir,
}

impl Stack {
    /// Starts a fresh installation and waits until it is ready.
    ///
    /// # Errors
    /// When a part does not start, with what it said last.
    pub fn start(servers: &Servers, options: &Options) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("fm-stack-").tempdir()?;
        let name = format!("fm-{:016x}", rand::rng().random::<u64>());
        let places = |_| Ok((free_address()?, free_address()?));
        let [auth, files, jobs]: [Vec<(SocketAddr, SocketAddr)>; 3] = [
            (0..options.replicas).map(places).collect::<Result<_>>()?,
            (0..options.replicas).map(places).collect::<Result<_>>()?,
            (0..options.replicas).map(places).collect::<Result<_>>()?,
        ];
        let page = match &options.page {
            Some(page) => page.clone(),
            None => placeholder(folder.path())?,
        };
        let blobs = folder.path().join("blobs");
        let gateway = Nginx::start(&Behind {
            auth: public(&auth),
            files: public(&files),
            jobs: public(&jobs),
            blobs: Some(blobs.join("blobs")),
            s3: options.s3.as_ref().map(|bucket| (bucket.address, bucket.address.to_string())),
            page: Some(page),
            ..Behind::default()
        })?;
        let address = gateway.address();
        let secret = || (0..32).map(|_| format!("{:02x}", rand::rng().random::<u8>())).collect::<String>();
        let all = |places: &[(SocketAddr, SocketAddr)]| {
            places.iter().map(|(_, internal)| format!("http://{internal}")).collect::<Vec<_>>().join(",")
        };
        let common = [
            ("FM_MONGODB_URI", servers.mongodb_uri.clone()),
            ("FM_MONGODB_DATABASE", name.replace('-', "_")),
            ("FM_REDIS_URL", servers.redis_url.clone()),
            ("FM_AMQP_URL", servers.amqp_url.clone()),
            ("FM_NAMESPACE", name),
            ("FM_INTERNAL_SECRET", secret()),
            ("FM_MASTER_KEY", secret()),
            ("FM_PUBLIC_URL", address.clone()),
            ("FM_TRUSTED_PROXIES", "127.0.0.1".to_owned()),
            ("FM_AUTH_URL", all(&auth)),
            ("FM_FILES_URL", all(&files)),
            ("FM_JOBS_URL", all(&jobs)),
        ];
        let mut contents = match &options.s3 {
            Some(bucket) => bucket.settings(),
            None => vec![("FM_BLOB_URL", format!("file://{}", blobs.display()))],
        };
        contents.push(("FM_DELIVERY", "gateway".to_owned()));
        let mut services = Vec::new();
        for (program, places, own) in [
            (
                "auth-service",
                &auth,
                vec![
                    ("FM_BCRYPT_COST", options.bcrypt_cost.to_string()),
                    ("FM_REGISTRATION", "open".to_owned()),
                ],
            ),
            ("file-service", &files, contents),
            (
                "worker-service",
                &jobs,
                vec![("FM_MAIL__FOLDER", folder.path().join("mail").display().to_string())],
            ),
        ] {
            for (public, internal) in places {
                let mut command = Command::new(options.programs.join(program));
                clean(&mut command)
                    .current_dir(folder.path())
                    .envs(common.iter().map(|(key, value)| (key, value)))
                    .envs(own.iter().map(|(key, value)| (key, value)))
                    .envs(options.settings.iter().map(|(key, value)| (key, value)))
                    .env("FM_LISTEN", public.to_string())
                    .env("FM_INTERNAL_LISTEN", internal.to_string());
                let log = folder.path().join(format!("{program}-{}.log", public.port()));
                services.push(Process::spawn(program, &mut command, &log)?);
            }
        }
        let mut setup_code = String::new();
        for service in &mut services {
            if let Some(code) = service.wait_until_ready()? {
                setup_code = code;
            }
        }
        Ok(Self { address, setup_code, _gateway: gateway, _services: services, _folder: folder })
    }

    /// The public address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The code that makes the first administrator.
    pub fn setup_code(&self) -> &str {
        &self.setup_code
    }

    /// What all replicas of a service have logged so far.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log(&self, program: &str) -> Result<String> {
        let logs = self._services.iter().filter(|service| service.name == program);
        logs.map(|service| Ok(std::fs::read_to_string(&service.log)?)).collect()
    }

    /// A client of it.
    ///
    /// # Panics
    /// When no HTTP client can be made.
    pub fn product(&self) -> Product {
        Product::new(&self.address, &self.setup_code).expect("an HTTP client can be made")
    }
}

fn public(places: &[(SocketAddr, SocketAddr)]) -> Vec<SocketAddr> {
    places.iter().map(|(public, _)| *public).collect()
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn placeholder(folder: &Path) -> Result<PathBuf> {
    let page = folder.join("page");
    std::fs::create_dir(&page)?;
    std::fs::write(page.join("index.html"), "<!doctype html><title>no page was built</title>")?;
    Ok(page)
}

/// Without the settings of whoever runs this.
fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FM_") {
            command.env_remove(name);
        }
    }
    command
}

/// A service's process; killed when this is dropped.
struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    lines: mpsc::Receiver<String>,
}

impl Process {
    fn spawn(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log)?)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let stdout = child.stdout.take().context("its output is piped")?;
        Ok(Self { name, child, log: log.to_owned(), lines: lines_of(stdout) })
    }

    /// The set-up code, if it shows one.
    fn wait_until_ready(&mut self) -> Result<Option<String>> {
        let mut code = None;
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(" is ready at ") => return Ok(code),
                Ok(line) if line.starts_with("    ") => code = Some(line.trim().to_owned()),
                Ok(_) => {}
                Err(_) => {
                    let said = std::fs::read_to_string(&self.log)?;
                    bail!("{} does not get ready:\n{said}", self.name);
                }
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads to the end, also when nobody listens any more: a full pipe would hold the process.
fn lines_of(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}
