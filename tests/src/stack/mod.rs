//! The distributed form on one machine: the services' programs over real servers, behind the real gateway.

mod options;
mod replica;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Result;
use rand::RngExt as _;
use tempfile::TempDir;
use testkit::nginx::{BELOW, Behind, Nginx};
use testkit::servers::free_port;

use crate::Product;
pub use options::{Bucket, Options, Servers};
pub use replica::Replica;

/// The programs, each with the part of the gateway that leads to it.
const PROGRAMS: [&str; 3] = ["auth-service", "file-service", "worker-service"];

/// A public and an internal address of each replica.
type Places = Vec<(SocketAddr, SocketAddr)>;

/// A running installation. It ends when this is dropped.
pub struct Stack {
    address: String,
    setup_code: String,
    programs: PathBuf,
    _front: Option<Nginx>,
    _gateway: Nginx,
    // ended before the folder is removed
    replicas: Vec<Replica>,
    folder: TempDir,
}

impl Stack {
    /// Starts a fresh installation and waits until it is ready. Blocks.
    ///
    /// # Errors
    /// When a part does not start, with what it said last.
    pub fn start(servers: &Servers, options: &Options) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("fm-stack-").tempdir()?;
        let places = free_places(options.replicas)?;
        let page = match &options.page {
            Some(page) => page.clone(),
            None => placeholder(folder.path())?,
        };
        let blobs = folder.path().join("blobs");
        let [auth, files, jobs] =
            places.each_ref().map(|places| places.iter().map(|(public, _)| *public).collect());
        let gateway = Nginx::start(&Behind {
            auth,
            files,
            jobs,
            blobs: Some(blobs.join("blobs")),
            s3: options.s3.as_ref().map(|bucket| (bucket.address, bucket.address.to_string())),
            page: Some(page),
            path: if options.below_a_path { BELOW } else { "" },
            // the one in front, which is believed as it names the client
            proxies: options.below_a_path.then(|| "127.0.0.1".to_owned()).into_iter().collect(),
            ..Behind::default()
        })?;
        let front = options.below_a_path.then(|| Nginx::in_front_of(&gateway)).transpose()?;
        let address = match &front {
            Some(front) => format!("{}{BELOW}", front.address()),
            None => gateway.address(),
        };
        let common = common_settings(servers, &address, &places);
        let mut replicas = Vec::new();
        for (program, places) in PROGRAMS.into_iter().zip(&places) {
            let own = own_settings(program, options, folder.path(), &blobs);
            for place in places {
                let mut replica = Replica::new(program, folder.path(), *place);
                for (name, value) in common.iter().chain(&own) {
                    replica.set(name, value);
                }
                for (name, value) in &options.settings {
                    replica.set(name, value);
                }
                replica.begin(&options.programs)?;
                replicas.push(replica);
            }
        }
        let mut setup_code = String::new();
        for replica in &mut replicas {
            if let Some(code) = replica.wait_until_ready()? {
                setup_code = code;
            }
        }
        let programs = options.programs.clone();
        Ok(Self { address, setup_code, programs, _front: front, _gateway: gateway, replicas, folder })
    }

    /// The public address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The code that makes the first administrator.
    pub fn setup_code(&self) -> &str {
        &self.setup_code
    }

    /// Folder of the services' programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Folder of the mails that would have been sent; there with the first.
    pub fn mail(&self) -> PathBuf {
        mail(self.folder.path())
    }

    /// What all replicas of a service have logged so far.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log(&self, program: &str) -> Result<String> {
        self.replicas.iter().filter(|replica| replica.program() == program).map(Replica::log).collect()
    }

    /// Leaves the folder with the logs where it is, for whoever looks for the cause of a failure.
    pub fn keep_folder(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    /// All replicas of all services, those of one service together.
    pub fn replicas(&mut self) -> &mut [Replica] {
        &mut self.replicas
    }

    /// One replica of a service.
    ///
    /// # Panics
    /// When there is none.
    pub fn replica(&mut self, program: &str, number: usize) -> &mut Replica {
        let mut found = self.replicas.iter_mut().filter(|replica| replica.program() == program);
        found.nth(number).unwrap_or_else(|| panic!("there is no replica {number} of {program}"))
    }

    /// Starts a replica that has ended, at the addresses that it had, and waits until it is ready. Blocks.
    ///
    /// # Errors
    /// When it does not get ready, with what it said.
    pub fn start_again(&mut self, program: &str, number: usize) -> Result<()> {
        let programs = self.programs.clone();
        let replica = self.replica(program, number);
        replica.begin(&programs)?;
        replica.wait_until_ready().map(drop)
    }

    /// A client of it.
    ///
    /// # Panics
    /// When no HTTP client can be made.
    pub fn product(&self) -> Product {
        Product::new(&self.address, &self.setup_code).expect("an HTTP client can be made")
    }
}

/// What all services are told.
fn common_settings(
    servers: &Servers,
    address: &str,
    [auth, files, jobs]: &[Places; 3],
) -> Vec<(&'static str, String)> {
    let name = format!("fm-{:016x}", rand::rng().random::<u64>());
    let all = |places: &Places| {
        places.iter().map(|(_, internal)| format!("http://{internal}")).collect::<Vec<_>>().join(",")
    };
    vec![
        ("FM_MONGODB_URI", servers.mongodb_uri.clone()),
        ("FM_MONGODB_DATABASE", name.replace('-', "_")),
        ("FM_REDIS_URL", servers.redis_url.clone()),
        ("FM_AMQP_URL", servers.amqp_url.clone()),
        ("FM_NAMESPACE", name),
        ("FM_INTERNAL_SECRET", fresh_secret()),
        ("FM_MASTER_KEY", fresh_secret()),
        ("FM_PUBLIC_URL", address.to_owned()),
        ("FM_TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        ("FM_AUTH_URL", all(auth)),
        ("FM_FILES_URL", all(files)),
        ("FM_JOBS_URL", all(jobs)),
    ]
}

/// What one service is told beside that.
fn own_settings(
    program: &str,
    options: &Options,
    folder: &Path,
    blobs: &Path,
) -> Vec<(&'static str, String)> {
    match program {
        "auth-service" => {
            vec![("FM_BCRYPT_COST", options.bcrypt_cost.to_string()), ("FM_REGISTRATION", "open".to_owned())]
        }
        "file-service" => {
            let mut settings = match &options.s3 {
                Some(bucket) => bucket.settings(),
                None => vec![("FM_BLOB_URL", format!("file://{}", blobs.display()))],
            };
            settings.push(("FM_DELIVERY", "gateway".to_owned()));
            settings.push(("FM_BCRYPT_COST", options.bcrypt_cost.to_string()));
            settings
        }
        _ => vec![
            ("FM_MAIL__FOLDER", mail(folder).display().to_string()),
            ("FM_WEBHOOKS__ALLOW_NETWORKS", crate::webhooks::RECEIVER.to_owned()),
            ("FM_WEBHOOKS__FIRST_PAUSE", "1s".to_owned()),
        ],
    }
}

fn mail(folder: &Path) -> PathBuf {
    folder.join("mail")
}

/// A secret as `openssl rand -hex 32` makes one.
pub fn fresh_secret() -> String {
    (0..32).map(|_| format!("{:02x}", rand::rng().random::<u8>())).collect()
}

/// Addresses that stay free while a replica is away, for so many replicas of each service.
fn free_places(replicas: usize) -> Result<[Places; 3]> {
    let mut ports = BTreeSet::new();
    while ports.len() < PROGRAMS.len() * replicas * 2 {
        ports.insert(free_port()?);
    }
    let mut addresses = ports.into_iter().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let mut places = || {
        let pairs = std::iter::from_fn(|| addresses.next().zip(addresses.next()));
        pairs.take(replicas).collect::<Places>()
    };
    Ok([places(), places(), places()])
}

fn placeholder(folder: &Path) -> Result<PathBuf> {
    let page = folder.join("page");
    std::fs::create_dir(&page)?;
    std::fs::write(page.join("index.html"), "<!doctype html><title>no page was built</title>")?;
    Ok(page)
}
