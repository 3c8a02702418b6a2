//! The other side of a saga: carrying out its commands, and undoing them, in whatever order they arrive.

use std::fmt;

use partie_contract::Call;
use partie_store::{Error, Tx};
use uuid::Uuid;

/// What follows a command's id in the key of its compensation.
const UNDO: &str = "/undo";

/// The id of a command: `saga/step/iteration`. An attempt that is repeated has the same, a new intent has a new one.
/// Compensation goes by the id of the command it undoes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommandId(String);

/// Carrying out commands of other services' sagas. Implemented by the transaction.
///
/// A compensation can overtake the command it undoes. It then leaves a tombstone and succeeds, and the late command is to
/// be answered with a problem of status 409 and code `compensated`:
///
/// ```
/// # use partie_contract::{Abort, Call};
/// # use partie_messaging::{Accepted, Compensation, Participate};
/// # use partie_store::Tx;
/// # fn insert_ticket(_: &mut Tx) {}
/// # fn cancel_ticket(_: &mut Tx) {}
/// fn create(tx: &mut Tx, cx: &Call) -> Result<bool, Abort> {
///     match tx.accept_command(cx)? {
///         Accepted::Compensated => return Ok(false), // in a service: Err(TicketError::Compensated)
///         Accepted::Again => {}
///         Accepted::New => insert_ticket(tx),
///     }
///     Ok(true)
/// }
///
/// fn cancel(tx: &mut Tx, cx: &Call) -> Result<(), Abort> {
///     match tx.compensate_command(cx)? {
///         Compensation::Undo => cancel_ticket(tx),
///         Compensation::NeverArrived | Compensation::Again => {}
///     }
///     Ok(())
/// }
/// ```
pub trait Participate {
    /// Notes that the command the call carries is carried out, in the transaction of its effect. A call that carries none
    /// is always new.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    fn accept_command(&mut self, cx: &Call) -> Result<Accepted, Error>;

    /// Notes that the command the call carries, or undoes, is compensated, in the transaction of the compensation. A call
    /// that carries none always undoes.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    fn compensate_command(&mut self, cx: &Call) -> Result<Compensation, Error>;
}

/// Whether a command is to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Yes.
    New,
    /// It was carried out before.
    Again,
    /// It came after its compensation: no, and never.
    Compensated,
}

/// Whether there is something to undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compensation {
    /// Yes.
    Undo,
    /// The command never arrived. Should it still, it will not be carried out.
    NeverArrived,
    /// It was compensated before.
    Again,
}

impl Participate for Tx {
    fn accept_command(&mut self, cx: &Call) -> Result<Accepted, Error> {
        let Some(CommandId(id)) = CommandId::of(cx) else { return Ok(Accepted::New) };
        Ok(match state(self, &id)?.as_deref() {
            None => {
                note(self, &id, "done")?;
                Accepted::New
            }
            Some("done") => Accepted::Again,
            Some(_) => Accepted::Compensated,
        })
    }

    fn compensate_command(&mut self, cx: &Call) -> Result<Compensation, Error> {
        let Some(CommandId(id)) = CommandId::of(cx) else { return Ok(Compensation::Undo) };
        let before = state(self, &id)?;
        note(self, &id, "compensated")?;
        Ok(match before.as_deref() {
            None => Compensation::NeverArrived,
            Some("done") => Compensation::Undo,
            Some(_) => Compensation::Again,
        })
    }
}

fn state(tx: &mut Tx, id: &str) -> Result<Option<String>, Error> {
    tx.query_opt("SELECT state FROM partie_commands WHERE id = $1", &[&id], |row| row.get(0))
}

fn note(tx: &mut Tx, id: &str, state: &str) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO partie_commands (id, state, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
        &[&id, &state, &now],
    )?;
    Ok(())
}

// === impl CommandId ===

impl CommandId {
    pub(super) fn new(saga: Uuid, step: &str, iteration: u32) -> Self {
        Self(format!("{saga}/{step}/{iteration}"))
    }

    /// The command a call carries or undoes, if a saga sent it.
    pub fn of(cx: &Call) -> Option<Self> {
        let key = &*cx.key()?.key;
        let id = key.strip_suffix(UNDO).unwrap_or(key);
        let mut parts = id.split('/');
        let (saga, step, iteration) = (parts.next()?, parts.next()?, parts.next()?);
        let is_ours = parts.next().is_none()
            && saga.len() == 36
            && Uuid::try_parse(saga).is_ok()
            && !step.is_empty()
            && iteration.parse::<u32>().is_ok();
        is_ours.then(|| Self(id.to_owned()))
    }

    /// The key of the calls that carry it.
    pub(super) fn key(&self) -> &str {
        &self.0
    }

    /// The key of the calls that undo it.
    pub(super) fn undo_key(&self) -> String {
        format!("{}{UNDO}", self.0)
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use partie_contract::{Deadline, Trace};

    use super::*;

    #[test]
    fn commands_and_their_compensation_go_by_one_id() {
        let id = CommandId::new(Uuid::nil(), "create-ticket", 2);
        let call = Call::new(Deadline::after(Duration::from_secs(1)), Trace::new(1, 1));
        assert_eq!(CommandId::of(&call), None);
        assert_eq!(CommandId::of(&call.clone().with_key(id.key())), Some(id.clone()));
        assert_eq!(CommandId::of(&call.clone().with_key(id.undo_key())), Some(id));
        for key in ["k-1", "a/b/1", "00000000-0000-0000-0000-000000000000/b/c", "//", "/undo"] {
            assert_eq!(CommandId::of(&call.clone().with_key(key)), None, "{key}");
        }
    }
}
