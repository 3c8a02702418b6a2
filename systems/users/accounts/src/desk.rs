//! The contracts, implemented: each operation is one transaction that puts rules and rows together.

mod accounts;
mod admin;
mod auth;
mod clients;
mod deletion;
mod own;
mod password;
mod seed;
mod sessions;
mod sweep;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use notifications_contracts::NotificationsClient;
use partie::Start;
use partie::contract::{BoxError, Call, Deadline, FaultKind, Platform};
use partie::identity::passwords::{Passwords, Saturated};
use partie::runtime::Ids;
use partie::store::Store;

use crate::follow::Follower;
use crate::keyring::Keyring;
use crate::minter::Minter;
use crate::seal::Seal;
use crate::settings::Settings;

/// How long a request to an endpoint of OAuth may take.
const OAUTH: Duration = Duration::from_secs(10);

/// What answers for all users.
pub(crate) struct UserDesk {
    pub(crate) store: Store,
    pub(crate) settings: Arc<Settings>,
    pub(crate) passwords: Passwords,
    pub(crate) minter: Minter,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) follower: Follower,
    ids: Ids,
    pub(crate) notifications: NotificationsClient,
}

impl UserDesk {
    /// Opens for business.
    pub(crate) async fn start(s: Start) -> Result<Self, BoxError> {
        let settings = Arc::new(s.settings::<Settings>()?.checked()?.reached_at(s.public_url()));
        let seal = Seal::load(s.data(), settings.seal_key_file.as_deref())?;
        let minter = Minter::new(&seal.key("tokens")?);
        let keyring = Keyring::open(s.store(), seal, &settings).await?;
        let follower = Follower::begin(&s, Arc::clone(&keyring)).await;
        Ok(Self {
            store: s.store(),
            passwords: Passwords::start(&settings.passwords)?,
            minter,
            keyring,
            follower,
            ids: s.ids().clone(),
            notifications: s.client(),
            settings,
        })
    }
}

impl UserDesk {
    /// The call of a request that came by no contract. Where from is for the log alone.
    pub(crate) fn call(&self, headers: &HeaderMap) -> Call {
        let call = Call::new(Deadline::after(OAUTH), self.ids.trace());
        let way = headers.get("x-forwarded-for").and_then(|way| way.to_str().ok());
        match way.and_then(|way| way.rsplit(',').next()?.trim().parse().ok()) {
            Some(address) => call.with_client_address(address),
            None => call,
        }
    }
}

impl fmt::Debug for UserDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserDesk").field("keyring", &self.keyring).finish_non_exhaustive()
    }
}

/// Too many passwords wait to be hashed.
pub(crate) fn saturated(_: Saturated) -> Platform {
    Platform::new(FaultKind::Overloaded).with_detail("too many passwords are being checked")
}
