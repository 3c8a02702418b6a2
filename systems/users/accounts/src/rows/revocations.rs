//! The table `revocations`. Its times are seconds of the wall clock, as in tokens.

use partie::store::{Error, Tx};
use users_contracts::Revocation;
use uuid::Uuid;

pub(crate) fn insert(tx: &mut Tx, new: &Revocation, now: i64) -> Result<(), Error> {
    let id: crate::session::RevocationId = tx.new_id();
    tx.execute(
        "INSERT INTO revocations (id, session, subject, issued_before, until, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)",
        &[&id, &new.session, &new.subject, &new.issued_before, &new.until, &now],
    )?;
    Ok(())
}

/// Those that still mean something and were made since then, with their ids.
pub(crate) fn since(tx: &mut Tx, created: i64, now: i64) -> Result<Vec<(Uuid, Revocation)>, Error> {
    tx.query(
        "SELECT id, session, subject, issued_before, until FROM revocations WHERE created_at >= $1 AND until > $2",
        &[&created, &now],
        |row| {
            let id: crate::session::RevocationId = row.get(0)?;
            let revocation = Revocation {
                session: row.get(1)?,
                subject: row.get(2)?,
                issued_before: row.get(3)?,
                until: row.get(4)?,
            };
            Ok((partie::contract::Id::as_uuid(&id), revocation))
        },
    )
}

pub(crate) fn prune(tx: &mut Tx, now: i64) -> Result<(), Error> {
    tx.execute("DELETE FROM revocations WHERE until < $1", &[&now])?;
    Ok(())
}
