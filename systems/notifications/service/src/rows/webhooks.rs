//! The table of endpoints: SQL and its conversion, nothing here decides.

use notifications_contracts::{EndpointId, InvalidSecret, WebhookSecret};
use partie::contract::Timestamp;
use partie::store::{Error, Row, Tx};

use crate::webhook::Endpoint;

/// The columns in the order `endpoint` takes them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, url, secret, previous_secret, previous_until, disabled_at, created_at, version FROM webhooks ",
            $rest
        )
    };
}

pub(crate) fn find(tx: &mut Tx, id: EndpointId) -> Result<Option<Endpoint>, Error> {
    tx.query_opt(select!("WHERE id = $1"), &[&id], endpoint)
}

/// The endpoint at that URL.
pub(crate) fn at(tx: &mut Tx, url: &str) -> Result<Option<Endpoint>, Error> {
    tx.query_opt(select!("WHERE url = $1"), &[&url], endpoint)
}

/// Newest first.
pub(crate) fn list(tx: &mut Tx, before: EndpointId, most: usize) -> Result<Vec<Endpoint>, Error> {
    tx.query(select!("WHERE id < $1 ORDER BY id DESC LIMIT $2"), &[&before, &most], endpoint)
}

pub(crate) fn insert(tx: &mut Tx, endpoint: &Endpoint) -> Result<(), Error> {
    let Endpoint { id, url, secret, created_at, version, .. } = endpoint;
    tx.execute(
        "INSERT INTO webhooks (id, url, secret, created_at, version) VALUES ($1, $2, $3, $4, $5)",
        &[id, url, &secret.reveal(), created_at, version],
    )?;
    Ok(())
}

/// Writes what can change.
pub(crate) fn update(tx: &mut Tx, changed: &Endpoint) -> Result<(), Error> {
    let Endpoint { id, secret, previous, disabled_at, version, .. } = changed;
    let (previous_secret, previous_until) = match previous {
        Some((secret, until)) => (Some(secret.reveal()), Some(*until)),
        None => (None, None),
    };
    tx.execute(
        "UPDATE webhooks SET secret = $2, previous_secret = $3, previous_until = $4, disabled_at = $5, version = $6 \
         WHERE id = $1",
        &[id, &secret.reveal(), &previous_secret, &previous_until, disabled_at, version],
    )?;
    Ok(())
}

/// Whether there was one.
pub(crate) fn delete(tx: &mut Tx, id: EndpointId) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM webhooks WHERE id = $1", &[&id])? > 0)
}

fn endpoint(row: &Row<'_>) -> Result<Endpoint, Error> {
    let wrong = |error: InvalidSecret| partie::contract::InvalidValue::new(error.to_string());
    let secret = |text: String| text.parse::<WebhookSecret>().map_err(wrong);
    let previous: Option<String> = row.get(3)?;
    let until: Option<Timestamp> = row.get(4)?;
    Ok(Endpoint {
        id: row.get(0)?,
        url: row.get(1)?,
        secret: secret(row.get(2)?)?,
        previous: previous.map(secret).transpose()?.zip(until),
        disabled_at: row.get(5)?,
        created_at: row.get(6)?,
        version: row.get(7)?,
    })
}
