//! The names in certificates: hosts, and services of a system.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The hosts a certificate is for, in small letters.
pub(super) fn hosts(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Vec::new() };
    certificate.valid_dns_names().map(str::to_ascii_lowercase).collect()
}

/// The service of a certificate, as `(system, service)`: its one URI is `spiffe://SYSTEM/SERVICE` (SPIFFE's X.509-SVID,
/// section 2). Of several nobody could say which one is meant.
pub(super) fn service(certificate: &CertificateDer<'_>) -> Option<(Arc<str>, Arc<str>)> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let mut uris = certificate.valid_uri_names();
    let (uri, None) = (uris.next()?, uris.next()) else { return None };
    let (system, service) = uri.strip_prefix("spiffe://")?.split_once('/')?;
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    (is_name(system) && is_name(service)).then(|| (system.into(), service.into()))
}

/// The host under which a service's certificate is good: what TLS compares, which knows hosts only.
pub(super) fn host(system: &str, service: &str) -> String {
    format!("{service}.{system}.internal")
}
