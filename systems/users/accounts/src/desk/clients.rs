//! The contract `Clients`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use partie::contract::{Call, Created, NoContent, Outcome, Platform, Violation};
use partie::runtime::trust_now;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use users_contracts::Revocation;
use users_contracts::clients::{Client, ClientError, ClientList, ClientWithSecret, Clients, NewClient};

use super::UserDesk;
use crate::access::{OWN_CLIENT, client_subject};
use crate::audit::Entry;
use crate::{roles, rows, session};

/// A secret, in bytes.
const SECRET: usize = 32;

impl Clients for UserDesk {
    async fn create(&self, cx: &Call, client: NewClient) -> Outcome<Created<ClientWithSecret>, ClientError> {
        let wrong = check(&client);
        if !wrong.is_empty() {
            return Err(Platform::invalid(wrong).into());
        }
        if !client.roles.iter().all(|role| roles::may_be_chosen(role)) {
            return Err(ClientError::RoleNotOffered.into());
        }
        let mut secret = [0; SECRET];
        SystemRandom::new()
            .fill(&mut secret)
            .map_err(|_| Platform::internal("the operating system gives no random numbers"))?;
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let admin = cx.subject()?.to_owned();
        self.store
            .once(cx, move |tx| {
                let NewClient { id, roles, scopes } = client.clone();
                let new = Client { id, roles, scopes, created_at: tx.now() };
                match rows::clients::insert(tx, &new, &fingerprint(&secret)) {
                    Err(error) if error.is_unique_violation() => return Err(ClientError::Exists.into()),
                    inserted => inserted?,
                }
                Entry::new("client.created", &new.id).by(&admin).in_commit(tx);
                Ok(Created(ClientWithSecret { client: new, client_secret: secret.as_str().into() }))
            })
            .await
    }

    async fn list(&self, _: &Call) -> Outcome<ClientList, ClientError> {
        self.store.read(|tx| Ok(ClientList { data: rows::clients::all(tx)? })).await
    }

    async fn remove(&self, cx: &Call, id: String) -> Outcome<NoContent, ClientError> {
        let (admin, settings, trusted) = (cx.subject()?.to_owned(), self.settings.clone(), trust_now());
        self.store
            .once(cx, move |tx| {
                if !rows::clients::remove(tx, &id)? {
                    return Err(ClientError::NotFound.into());
                }
                let revocation = Revocation {
                    session: None,
                    subject: Some(client_subject(&id)),
                    // Tokens know whole seconds, and none is issued any more.
                    issued_before: trusted + 1,
                    until: session::last_token_ends(&settings, trusted),
                };
                session::revoke(tx, &revocation, trusted)?;
                Entry::new("client.removed", &id).by(&admin).in_commit(tx);
                Ok(NoContent)
            })
            .await
    }
}

impl UserDesk {
    /// The client of that name, if the secret is its own. An unknown name takes as long.
    pub(crate) async fn authenticated_client(
        &self,
        id: String,
        secret: &str,
    ) -> Result<Option<Client>, Platform> {
        let shown = fingerprint(secret);
        let found: Outcome<_, ClientError> =
            self.store.read(move |tx| Ok(rows::clients::find(tx, &id)?)).await;
        let found = found.map_err(|fault| partie::contract::Abort::from(fault).into_platform())?;
        // Digests of secrets nobody can choose: how long it takes to compare them says nothing about a secret.
        Ok(found.filter(|(_, own)| *own == shown).map(|(client, _)| client))
    }
}

/// A name that needs no escaping anywhere, and scopes as RFC 6749 section 3.3 has them.
fn check(new: &NewClient) -> Vec<Violation> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let fits = new.id.bytes().all(plain) && new.id != OWN_CLIENT;
    let id = (!fits)
        .then(|| Violation::new("/id", "expected lower-case letters, digits, `_` and `-`, and not `users`"));
    let scopes = new.scopes.iter().enumerate().filter(|(_, scope)| !is_scope(scope));
    let scopes =
        scopes.map(|(place, _)| Violation::new(format!("/scopes/{place}"), "expected one word of a scope"));
    id.into_iter().chain(scopes).collect()
}

fn is_scope(scope: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    (1..=100).contains(&scope.len()) && scope.bytes().all(fits)
}

fn fingerprint(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}
