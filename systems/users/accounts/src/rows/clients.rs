//! The table `clients`.

use partie::store::{Error, Json, Row, Tx};
use users_contracts::clients::Client;

/// The most clients there may be.
pub(crate) const MOST: usize = 1_000;

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, roles, scopes, created_at, secret FROM clients ", $tail)
    };
}

/// A client, and the digest of its secret.
pub(crate) fn find(tx: &mut Tx, id: &str) -> Result<Option<(Client, Vec<u8>)>, Error> {
    tx.query_opt(select!("WHERE id = $1"), &[&id], |row| Ok((client(row)?, row.get(4)?)))
}

pub(crate) fn all(tx: &mut Tx) -> Result<Vec<Client>, Error> {
    tx.query(select!("ORDER BY id LIMIT $1"), &[&MOST], client)
}

/// # Errors
/// [`Error::is_unique_violation`] when there is one of that name.
pub(crate) fn insert(tx: &mut Tx, new: &Client, secret: &[u8]) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO clients (id, secret, roles, scopes, created_at) VALUES ($1, $2, $3, $4, $5)",
        &[&new.id, &secret, &Json(&new.roles), &Json(&new.scopes), &new.created_at],
    )?;
    Ok(())
}

/// Whether there was one.
pub(crate) fn remove(tx: &mut Tx, id: &str) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM clients WHERE id = $1", &[&id])? == 1)
}

fn client(row: &Row<'_>) -> Result<Client, Error> {
    Ok(Client {
        id: row.get(0)?,
        roles: row.get::<Json<Vec<String>>>(1)?.0,
        scopes: row.get::<Json<Vec<String>>>(2)?.0,
        created_at: row.get(3)?,
    })
}
