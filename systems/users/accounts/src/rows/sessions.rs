//! The table `sessions`.

use partie::contract::Timestamp;
use partie::store::{Error, Json, Row, Tx};
use users_contracts::events::EndReason;
use users_contracts::{SessionId, UserId};

use crate::session::{Record, Traded};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, user_id, device, address, created_at, last_seen_at, idle_expires_at, expires_at, ended_at, ",
            "refresh, traded FROM sessions ",
            $tail
        )
    };
}

pub(crate) fn find(tx: &mut Tx, id: SessionId) -> Result<Option<Record>, Error> {
    tx.query_opt(select!("WHERE id = $1"), &[&id], record)
}

/// All that are kept, the youngest first.
pub(crate) fn of_user(tx: &mut Tx, user: UserId) -> Result<Vec<Record>, Error> {
    tx.query(select!("WHERE user_id = $1 ORDER BY id DESC"), &[&user], record)
}

/// Those nobody has ended, whether or not their time is over, the oldest first.
pub(crate) fn open_of_user(tx: &mut Tx, user: UserId) -> Result<Vec<Record>, Error> {
    tx.query(select!("WHERE user_id = $1 AND ended_at IS NULL ORDER BY id"), &[&user], record)
}

pub(crate) fn insert(tx: &mut Tx, new: &Record) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO sessions (id, user_id, device, address, created_at, last_seen_at, idle_expires_at, expires_at,
            refresh, traded)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &new.id,
            &new.user_id,
            &new.device,
            &new.address,
            &new.created_at,
            &new.last_seen_at,
            &new.idle_expires_at,
            &new.expires_at,
            &new.refresh,
            &Json(&new.traded),
        ],
    )?;
    Ok(())
}

/// Its refresh token was traded.
pub(crate) fn trade(tx: &mut Tx, changed: &Record) -> Result<(), Error> {
    tx.execute(
        "UPDATE sessions SET last_seen_at = $2, idle_expires_at = $3, refresh = $4, traded = $5 WHERE id = $1",
        &[
            &changed.id,
            &changed.last_seen_at,
            &changed.idle_expires_at,
            &changed.refresh,
            &Json(&changed.traded),
        ],
    )?;
    Ok(())
}

pub(crate) fn end(tx: &mut Tx, id: SessionId, now: Timestamp, reason: EndReason) -> Result<(), Error> {
    tx.execute("UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE id = $1", &[&id, &now, &reason])?;
    Ok(())
}

/// Sessions whose time is over since then.
pub(crate) fn over(tx: &mut Tx, since: Timestamp, most: usize) -> Result<Vec<SessionId>, Error> {
    tx.query(
        "SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2",
        &[&since, &most],
        |row| row.get(0),
    )
}

pub(crate) fn remove(tx: &mut Tx, id: SessionId) -> Result<(), Error> {
    tx.execute("DELETE FROM sessions WHERE id = $1", &[&id])?;
    Ok(())
}

fn record(row: &Row<'_>) -> Result<Record, Error> {
    Ok(Record {
        id: row.get(0)?,
        user_id: row.get(1)?,
        device: row.get(2)?,
        address: row.get(3)?,
        created_at: row.get(4)?,
        last_seen_at: row.get(5)?,
        idle_expires_at: row.get(6)?,
        expires_at: row.get(7)?,
        ended_at: row.get(8)?,
        refresh: row.get(9)?,
        traded: row.get::<Json<Vec<Traded>>>(10)?.0,
    })
}
