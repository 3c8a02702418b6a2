//! Access tokens: RFC 9068, signed with the key whose turn it is.

use std::time::Duration;

use partie::contract::Platform;
use partie::identity::Grant;
use users_contracts::SecretText;
use users_contracts::auth::Tokens;
use users_contracts::clients::Client;

use crate::desk::UserDesk;
use crate::minter::Purpose;
use crate::roles;
use crate::session::Record;
use crate::user::Account;

/// `client_id` of the tokens that people get here themselves, by no program of somebody else's.
pub(crate) const OWN_CLIENT: &str = "users";

impl UserDesk {
    /// The tokens of a session.
    pub(crate) fn tokens(
        &self,
        account: &Account,
        session: &Record,
        refresh: uuid::Uuid,
    ) -> Result<Tokens, Platform> {
        let settings = &self.settings;
        let granted = roles::of_token(&account.roles, account.verified_email(), &settings.admins);
        let grant = Grant::new(&settings.audience, account.id.to_string(), settings.access_lifetime);
        let grant = granted.into_iter().fold(grant, Grant::role).client(OWN_CLIENT);
        let grant = grant.session(session.id.to_string());
        let id = partie::contract::Id::as_uuid(&session.id);
        Ok(Tokens {
            access_token: self.sign(&grant)?,
            refresh_token: self.minter.mint(Purpose::Refresh, [id, refresh]),
            token_type: "Bearer".to_owned(),
            expires_in: settings.access_lifetime.as_secs(),
        })
    }

    /// A token of a program's own.
    pub(crate) fn client_token(
        &self,
        client: &Client,
        scope: &str,
    ) -> Result<(SecretText, Duration), Platform> {
        let settings = &self.settings;
        let grant = Grant::new(&settings.audience, client_subject(&client.id), settings.access_lifetime);
        let mut grant = client.roles.iter().fold(grant, |grant, role| grant.role(role)).client(&client.id);
        if !scope.is_empty() {
            grant = grant.scope(scope);
        }
        Ok((self.sign(&grant)?, settings.access_lifetime))
    }

    fn sign(&self, grant: &Grant) -> Result<SecretText, Platform> {
        let token = self.keyring.signer()?.issue(grant).map_err(Platform::internal)?;
        Ok(token.into())
    }
}

/// `sub` of a program's own tokens: no user's, whatever it is called.
pub(crate) fn client_subject(id: &str) -> String {
    format!("client:{id}")
}
