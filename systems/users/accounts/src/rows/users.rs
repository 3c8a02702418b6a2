//! The table `users`.

use partie::contract::Timestamp;
use partie::store::{Error, Json, Row, Tx};
use users_contracts::UserId;
use users_contracts::accounts::UserStatus;

use crate::user::Account;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, email, email_verified_at, username, name, locale, avatar_url, roles, status, suspended_for, ",
            "deletion_due_at, password, password_changed_at, created_at, version FROM users ",
            $tail
        )
    };
}

/// Which accounts to list, newest first.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) status: Option<UserStatus>,
    pub(crate) before: UserId,
    pub(crate) most: usize,
}

pub(crate) fn find(tx: &mut Tx, id: UserId) -> Result<Option<Account>, Error> {
    tx.query_opt(select!("WHERE id = $1"), &[&id], account)
}

/// By what addresses are compared by.
pub(crate) fn by_email(tx: &mut Tx, key: &str) -> Result<Option<Account>, Error> {
    tx.query_opt(select!("WHERE email_key = $1"), &[&key], account)
}

/// Whose the username is.
pub(crate) fn by_username(tx: &mut Tx, key: &str) -> Result<Option<UserId>, Error> {
    tx.query_opt("SELECT id FROM users WHERE username_key = $1", &[&key], |row| row.get(0))
}

pub(crate) fn list(tx: &mut Tx, wanted: &Wanted) -> Result<Vec<Account>, Error> {
    let Wanted { status, before, most } = wanted;
    match status {
        Some(status) => tx.query(
            select!("WHERE status = $1 AND id < $2 ORDER BY id DESC LIMIT $3"),
            &[status, before, most],
            account,
        ),
        None => tx.query(select!("WHERE id < $1 ORDER BY id DESC LIMIT $2"), &[before, most], account),
    }
}

/// # Errors
/// [`Error::is_unique_violation`] when the address or the username is somebody's.
pub(crate) fn insert(tx: &mut Tx, new: &Account) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO users (id, email, email_key, email_verified_at, username, username_key, name, locale, avatar_url,
            roles, status, suspended_for, deletion_due_at, password, password_changed_at, created_at, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        &[
            &new.id,
            &new.email,
            &new.email.as_deref().map(key),
            &new.email_verified_at,
            &new.username,
            &new.username.as_deref().map(key),
            &new.name,
            &new.locale,
            &new.avatar_url,
            &Json(&new.roles),
            &new.status,
            &new.suspended_for,
            &new.deletion_due_at,
            &new.password,
            &new.password_changed_at,
            &new.created_at,
            &new.version,
        ],
    )?;
    Ok(())
}

/// Writes what can change.
///
/// # Errors
/// [`Error::is_unique_violation`] when the address or the username is somebody else's.
pub(crate) fn update(tx: &mut Tx, changed: &Account) -> Result<(), Error> {
    tx.execute(
        "UPDATE users SET email = $2, email_key = $3, email_verified_at = $4, username = $5, username_key = $6,
            name = $7, locale = $8, avatar_url = $9, roles = $10, status = $11, suspended_for = $12,
            deletion_due_at = $13, password = $14, password_changed_at = $15, version = $16
        WHERE id = $1",
        &[
            &changed.id,
            &changed.email,
            &changed.email.as_deref().map(key),
            &changed.email_verified_at,
            &changed.username,
            &changed.username.as_deref().map(key),
            &changed.name,
            &changed.locale,
            &changed.avatar_url,
            &Json(&changed.roles),
            &changed.status,
            &changed.suspended_for,
            &changed.deletion_due_at,
            &changed.password,
            &changed.password_changed_at,
            &changed.version,
        ],
    )?;
    Ok(())
}

/// Another hash of the same password. Nothing that anybody sees has changed.
pub(crate) fn rehash(tx: &mut Tx, id: UserId, password: &str) -> Result<(), Error> {
    tx.execute("UPDATE users SET password = $2 WHERE id = $1", &[&id, &password])?;
    Ok(())
}

/// Accounts that were never verified, registered before then.
pub(crate) fn never_verified(tx: &mut Tx, before: Timestamp, most: usize) -> Result<Vec<UserId>, Error> {
    tx.query(
        "SELECT id FROM users WHERE status = $1 AND created_at < $2 ORDER BY id LIMIT $3",
        &[&UserStatus::PendingVerification, &before, &most],
        |row| row.get(0),
    )
}

pub(crate) fn remove(tx: &mut Tx, id: UserId) -> Result<(), Error> {
    tx.execute("DELETE FROM users WHERE id = $1", &[&id])?;
    Ok(())
}

fn account(row: &Row<'_>) -> Result<Account, Error> {
    Ok(Account {
        id: row.get(0)?,
        email: row.get(1)?,
        email_verified_at: row.get(2)?,
        username: row.get(3)?,
        name: row.get(4)?,
        locale: row.get(5)?,
        avatar_url: row.get(6)?,
        roles: row.get::<Json<Vec<String>>>(7)?.0,
        status: row.get(8)?,
        suspended_for: row.get(9)?,
        deletion_due_at: row.get(10)?,
        password: row.get(11)?,
        password_changed_at: row.get(12)?,
        created_at: row.get(13)?,
        version: row.get(14)?,
    })
}

/// What two addresses, or two usernames, are compared by.
pub(crate) fn key(text: &str) -> String {
    text.to_lowercase()
}
