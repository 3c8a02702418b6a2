//! The table `signing_keys`.

use partie::store::{Error, Row, Tx};

use crate::keyring::{State, Stored};

/// All that sign, have signed or will sign.
pub(crate) fn in_use(tx: &mut Tx) -> Result<Vec<Stored>, Error> {
    tx.query(
        "SELECT kid, state, sealed, since FROM signing_keys WHERE state <> $1 ORDER BY kid",
        &[&State::Retired],
        stored,
    )
}

pub(crate) fn insert(tx: &mut Tx, algorithm: &str, new: &Stored) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO signing_keys (kid, algorithm, state, sealed, since) VALUES ($1, $2, $3, $4, $5)",
        &[&new.kid, &algorithm, &new.state, &new.sealed, &new.since],
    )?;
    Ok(())
}

/// From now on it is in that state. The private key of a retired one is erased.
pub(crate) fn enter(tx: &mut Tx, kid: &str, state: State, now: i64) -> Result<(), Error> {
    let sql = match state {
        State::Retired => "UPDATE signing_keys SET state = $2, since = $3, sealed = NULL WHERE kid = $1",
        _ => "UPDATE signing_keys SET state = $2, since = $3 WHERE kid = $1",
    };
    tx.execute(sql, &[&kid, &state, &now])?;
    Ok(())
}

fn stored(row: &Row<'_>) -> Result<Stored, Error> {
    Ok(Stored {
        kid: row.get(0)?,
        state: row.get(1)?,
        sealed: row.get::<Option<Vec<u8>>>(2)?.unwrap_or_default(),
        since: row.get(3)?,
    })
}

partie::contract::stored_by_name!(State);
