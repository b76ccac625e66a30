use http_kit::TrustedProxies;

use crate::app::limits::LimitRules;
use crate::app::setup::SetupCode;

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// Everybody.
    Open,
    /// Nobody.
    Closed,
    /// Whoever is on this machine: open only while the product listens on loopback alone, has no public address, and the request does not
    /// say that it came through a gateway.
    #[default]
    Auto,
}

/// What can be set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Who may register.
    pub registration: Registration,
    /// The public listener is bound to a loopback address (or to a socket) and to nothing else.
    pub loopback_only: bool,
    /// A public address is configured, so a gateway stands in front.
    pub has_public_url: bool,
    /// The gateways whose word on the client's address counts.
    pub trusted_proxies: TrustedProxies,
    /// The set-up code, if it is not to be made from the master key.
    pub setup_code: Option<SetupCode>,
    /// How often somebody may try.
    pub limits: LimitRules,
}
