//! The table `attempts`.

use partie::contract::Timestamp;
use partie::store::{Error, Tx};

use crate::lockout::{Attempts, Pair};

pub(crate) fn find(tx: &mut Tx, pair: &Pair) -> Result<Option<Attempts>, Error> {
    tx.query_opt(
        "SELECT failures, since, locked_until FROM attempts WHERE account = $1 AND address = $2",
        &[&pair.account, &pair.address],
        |row| Ok(Attempts { failures: row.get(0)?, since: row.get(1)?, locked_until: row.get(2)? }),
    )
}

pub(crate) fn put(tx: &mut Tx, pair: &Pair, now: &Attempts) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO attempts (account, address, failures, since, locked_until) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account, address) DO UPDATE SET failures = excluded.failures, since = excluded.since,
            locked_until = excluded.locked_until",
        &[&pair.account, &pair.address, &now.failures, &now.since, &now.locked_until],
    )?;
    Ok(())
}

/// From one address.
pub(crate) fn clear(tx: &mut Tx, pair: &Pair) -> Result<(), Error> {
    tx.execute("DELETE FROM attempts WHERE account = $1 AND address = $2", &[&pair.account, &pair.address])?;
    Ok(())
}

/// From everywhere.
pub(crate) fn clear_all(tx: &mut Tx, account: &[u8]) -> Result<(), Error> {
    tx.execute("DELETE FROM attempts WHERE account = $1", &[&account])?;
    Ok(())
}

pub(crate) fn prune(tx: &mut Tx, before: Timestamp, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM attempts WHERE since < $1 AND (locked_until IS NULL OR locked_until < $2)",
        &[&before, &now],
    )?;
    Ok(())
}
