//! Who says which process is which service.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use partie_runtime::trust_now;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SanType, SignatureAlgorithm, date_time_ymd,
};
use ring::hmac;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::anchor::Anchor;
use super::applicant::Application;
use super::{proof, service_host};
use crate::keyfile::{self, KeyError};

/// How long a certificate is good for.
const LIFETIME: Duration = Duration::from_hours(24);
/// How far clocks may be apart.
const SKEW: Duration = Duration::from_mins(5);
/// How long the root is good for, by its certificate: about ten years.
const ROOT: Duration = Duration::from_hours(10 * 366 * 24);
/// The files in its directory.
const KEY: &str = "authority.pk8";
const CERTIFICATE: &str = "authority.crt";
/// What comes before the seed of an Ed25519 key in PKCS#8.
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// The authority of one system.
pub struct Authority {
    system: String,
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    anchor: Anchor,
}

/// A certificate, and when to ask for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certified {
    /// The certificate, as PEM: for `spiffe://SYSTEM/SERVICE`, and the host `SERVICE.SYSTEM.internal`.
    pub certificate: String,
    /// Whom to believe, as PEM.
    pub authority: String,
    /// From when on, in seconds of the wall clock.
    pub issued: i64,
    /// Until when, in seconds of the wall clock.
    pub expires: i64,
}

/// What the authority cannot do, or does not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The root key cannot be read or made, or others can read it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The root certificate cannot be written down for others.
    #[error("{} cannot be written: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A name that cannot be in a certificate.
    #[error("{name:?} cannot be in a certificate: it takes small letters, digits and hyphens, at most 63")]
    Name {
        /// The name.
        name: String,
    },
    /// Who applies does not have the key.
    #[error("the proof of the key for {service} is no good")]
    Proof {
        /// The service.
        service: String,
    },
    /// Something is wrong with a key or with the system's random numbers.
    #[error("no certificate can be made: {0}")]
    Crypto(#[from] rcgen::Error),
}

/// The public half of an applicant's key.
pub(super) struct Public(pub(super) Vec<u8>);

// === impl Authority ===

impl Authority {
    /// The authority whose root is in that directory, `authority.pk8`: made on first use, readable by its owner only. Beside
    /// it lies `authority.crt`, for everybody.
    ///
    /// # Errors
    /// When the files cannot be read or made, others can read the key, or the name of the system is none for a certificate.
    pub fn open(directory: &Path, system: &str) -> Result<Self, AuthorityError> {
        check_name(system)?;
        let path = directory.join(KEY);
        let document = keyfile::load_or_create(&path)?;
        let key = KeyPair::try_from(document).map_err(|_| KeyError::NotAKey { path })?;
        let authority = Self::of(key, system)?;
        let path = directory.join(CERTIFICATE);
        // Name and key are what counts of a root, and both are the same every time.
        std::fs::write(&path, &authority.certificate)
            .map_err(|source| AuthorityError::File { path, source })?;
        Ok(authority)
    }

    fn of(key: KeyPair, system: &str) -> Result<Self, AuthorityError> {
        let params = root(system)?;
        let anchor =
            Anchor::of(key.public_key_raw()).map_err(|_| rcgen::Error::UnsupportedSignatureAlgorithm)?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { system: system.to_owned(), issuer: Issuer::new(params, key), certificate, anchor })
    }

    /// The authority of all who have the system's key, in PKCS#8: its root is derived from it, so that each of them comes to
    /// the same one without asking anybody. Who has that key may be any service anyway.
    ///
    /// # Errors
    /// When the name of the system is none for a certificate.
    pub fn derived(document: &[u8], system: &str) -> Result<Self, AuthorityError> {
        check_name(system)?;
        let secret = hmac::Key::new(hmac::HMAC_SHA256, document);
        let seed = hmac::sign(&secret, format!("partie authority\0{system}").as_bytes());
        // PKCS#8 of an Ed25519 key (RFC 8410 section 7).
        let key = KeyPair::try_from([&PKCS8_HEAD[..], seed.as_ref()].concat())?;
        Self::of(key, system)
    }

    /// Whom to believe, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// By what newcomers know it: a part of join tokens.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// A certificate for whoever applies, good for a day from now. Whether he may be that service is for the caller to know.
    /// It is good for the hosts of `also` too, for what has several names.
    ///
    /// # Errors
    /// [`AuthorityError::Name`] and [`AuthorityError::Proof`].
    pub fn certify(&self, application: &Application, also: &[&str]) -> Result<Certified, AuthorityError> {
        self.certify_at(application, also, trust_now(), LIFETIME)
    }

    pub(super) fn certify_at(
        &self,
        application: &Application,
        also: &[&str],
        now: i64,
        lifetime: Duration,
    ) -> Result<Certified, AuthorityError> {
        let Application { service, public_key, proof: signature } = application;
        check_name(service)?;
        let refused = || AuthorityError::Proof { service: service.clone() };
        let public = URL_SAFE_NO_PAD.decode(public_key).map_err(|_| refused())?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| refused())?;
        UnparsedPublicKey::new(&ED25519, &public)
            .verify(&proof(&self.system, service, &public), &signature)
            .map_err(|_| refused())?;

        let mut params = params(now, lifetime, service);
        let uri = Ia5String::try_from(format!("spiffe://{}/{service}", self.system))?;
        params.subject_alt_names.push(SanType::URI(uri));
        for name in [service.as_str()].iter().chain(also) {
            check_name(name)?;
            let host = Ia5String::try_from(service_host(&self.system, name))?;
            params.subject_alt_names.push(SanType::DnsName(host));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&Public(public), &self.issuer)?.pem();
        let expires = now.saturating_add_unsigned(lifetime.as_secs());
        Ok(Certified { certificate, authority: self.certificate.clone(), issued: now, expires })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.system)
    }
}

// === impl Certified ===

impl Certified {
    /// How long to wait, from then on, before asking for the next one: until two thirds of its lifetime have passed.
    pub fn renew_in(&self, now: i64) -> Duration {
        let at = self.issued.saturating_add(self.expires.saturating_sub(self.issued) / 3 * 2);
        Duration::from_secs(u64::try_from(at.saturating_sub(now)).unwrap_or_default())
    }
}

// === impl Public ===

impl PublicKeyData for Public {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

/// The root of that system, as every process comes to it.
pub(super) fn root(system: &str) -> Result<CertificateParams, AuthorityError> {
    check_name(system)?;
    let mut params = params(trust_now(), ROOT, &format!("Partie authority of {system}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn params(now: i64, lifetime: Duration, name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(now).unwrap_or_default());
    params.not_before = now - SKEW;
    params.not_after = now + lifetime;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Part of a host and of a URI (RFC 1123 section 2.1, without capitals).
fn check_name(name: &str) -> Result<(), AuthorityError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = (1..=63).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if is_name { Ok(()) } else { Err(AuthorityError::Name { name: name.to_owned() }) }
}
