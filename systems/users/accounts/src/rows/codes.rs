//! The table `one_time_tokens`.

use partie::contract::Timestamp;
use partie::store::{Error, Tx};
use serde::{Deserialize, Serialize};
use users_contracts::UserId;
use uuid::Uuid;

/// What a token that was sent by mail is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The address of a new account.
    Verify,
    /// Another address of an account.
    ChangeEmail,
    /// Another password.
    Reset,
}

/// A token that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) user_id: UserId,
    /// The address it was sent to, which it proves.
    pub(crate) email: String,
    pub(crate) expires_at: Timestamp,
}

pub(crate) fn insert(tx: &mut Tx, new: &Code) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO one_time_tokens (id, kind, user_id, email, expires_at) VALUES ($1, $2, $3, $4, $5)",
        &[&new.id, &new.kind, &new.user_id, &new.email, &new.expires_at],
    )?;
    Ok(())
}

/// One that is of that kind and still good.
pub(crate) fn find(tx: &mut Tx, id: Uuid, kind: Kind, now: Timestamp) -> Result<Option<Code>, Error> {
    good(tx, id, &[kind], now)
}

/// Uses one up, if it is of one of these kinds and still good.
pub(crate) fn take(tx: &mut Tx, id: Uuid, kinds: &[Kind], now: Timestamp) -> Result<Option<Code>, Error> {
    let Some(code) = good(tx, id, kinds, now)? else { return Ok(None) };
    tx.execute("UPDATE one_time_tokens SET used_at = $2 WHERE id = $1", &[&id, &now])?;
    Ok(Some(code))
}

fn good(tx: &mut Tx, id: Uuid, kinds: &[Kind], now: Timestamp) -> Result<Option<Code>, Error> {
    let found = tx.query_opt(
        "SELECT kind, user_id, email, expires_at FROM one_time_tokens
        WHERE id = $1 AND used_at IS NULL AND expires_at > $2",
        &[&id, &now],
        |row| {
            let email = row.get::<Option<String>>(2)?.unwrap_or_default();
            Ok(Code { id, kind: row.get(0)?, user_id: row.get(1)?, email, expires_at: row.get(3)? })
        },
    )?;
    Ok(found.filter(|code| kinds.contains(&code.kind)))
}

/// How many of a kind are out and still good.
pub(crate) fn out(tx: &mut Tx, user: UserId, kind: Kind, now: Timestamp) -> Result<i64, Error> {
    tx.query_one(
        "SELECT COUNT(*) FROM one_time_tokens WHERE user_id = $1 AND kind = $2 AND expires_at > $3 AND used_at IS NULL",
        &[&user, &kind, &now],
        |row| row.get(0),
    )
}

/// None of a kind is good any more.
pub(crate) fn void(tx: &mut Tx, user: UserId, kind: Kind) -> Result<(), Error> {
    tx.execute("DELETE FROM one_time_tokens WHERE user_id = $1 AND kind = $2", &[&user, &kind])?;
    Ok(())
}

/// All of somebody's.
pub(crate) fn forget(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    tx.execute("DELETE FROM one_time_tokens WHERE user_id = $1", &[&user])?;
    Ok(())
}

pub(crate) fn prune(tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
    tx.execute("DELETE FROM one_time_tokens WHERE expires_at < $1", &[&now])?;
    Ok(())
}

partie::contract::stored_by_name!(Kind);
