use std::fmt;
use std::time::Duration;

/// Where the broker is and how to use it.
#[derive(Clone)]
pub struct AmqpSettings {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…` with the feature `amqps`. A `/` in the name of the virtual host is `%2f`. Of the query,
    /// `heartbeat` (seconds, default 10) and `frame_max` (bytes, default 32 KiB) are of use.
    pub url: String,
    /// Stands before the names of all queues and exchanges; at most 100 bytes. Default `fm.`.
    pub prefix: String,
    /// What the broker's own tools show this connection as. Default `files-manager`.
    pub name: String,
    /// Longest time for opening anything: connect, sign in, declare, consume. Default 3 s.
    pub connect_deadline: Duration,
    /// Longest time that the broker may take to confirm messages or to take an acknowledgement. Default 5 s: a quorum queue that has just lost its
    /// leader elects another within one or two.
    pub confirm_deadline: Duration,
    /// Submissions that one consumer may hold unacknowledged. Default 400, two of the batches in which they are stored.
    pub prefetch: u16,
}

impl AmqpSettings {
    /// The defaults, for this broker.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "fm.".to_owned(),
            name: "files-manager".to_owned(),
            connect_deadline: Duration::from_secs(3),
            confirm_deadline: Duration::from_secs(5),
            prefetch: 400,
        }
    }
}

impl fmt::Debug for AmqpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the URL has a password in it
        f.debug_struct("AmqpSettings").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSettings {
    /// Not an AMQP URL. What is wrong with it is told without the URL, which has a password in it.
    #[error("not an AMQP URL: {0}")]
    Url(String),
    /// The client library would connect without TLS, and send the password in clear.
    #[error("amqps:// needs a program that was built with the feature `amqps`")]
    NoTls,
    /// AMQP's names have at most 255 bytes.
    #[error("the prefix of queues is longer than 100 bytes")]
    LongPrefix,
}
