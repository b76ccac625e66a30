//! TLS of the public listener.

use std::path::Path;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::Settings;

/// The configuration that the settings ask for; none for plain HTTP.
///
/// # Errors
/// A sentence that names the setting.
pub(crate) fn configuration(settings: &Settings) -> Result<Option<ServerConfig>, String> {
    let (cert, key) = match (&settings.tls_cert, &settings.tls_key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => return Err("FM_TLS_KEY: a certificate needs its key".to_owned()),
        (None, Some(_)) => return Err("FM_TLS_CERT: a key needs its certificate".to_owned()),
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .map_err(|error| wrong("FM_TLS_CERT", cert, &error))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("FM_TLS_KEY", key, &error))?;
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map(Some)
        .map_err(|error| format!("FM_TLS_CERT and FM_TLS_KEY: {error}"))
}

fn wrong(setting: &str, path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{setting}: {}: {error}", path.display())
}
