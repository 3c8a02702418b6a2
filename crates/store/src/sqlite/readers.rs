//! The threads that read, each from a snapshot.

use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::control::{Commit, Control};
use super::open::Session as Opened;
use super::session::Session;
use crate::error::{Error, ErrorKind};
use crate::queue::{Popped, Queue};
use crate::shared::Shared;
use crate::status::bump;
use crate::task::{Task, Verdict};
use crate::tx::Tx;

/// Starts a thread. It ends when the queue is closed and empty.
pub(super) fn start_reader(
    number: usize,
    opened: Opened,
    shared: Arc<Shared>,
    queue: Arc<Queue<Task>>,
) -> std::io::Result<JoinHandle<()>> {
    let name = format!("read-{}-{number}", shared.name);
    thread::Builder::new().name(name).spawn(move || {
        let Opened { connection, guard } = opened;
        let connection = Rc::new(connection);
        let mut tx = Tx::sqlite(Session::new(Rc::clone(&connection)), &shared);
        // Deferred: the first statement takes the snapshot, and nobody is kept from writing.
        let mut control = Control::prepare(&connection, &guard, "BEGIN");
        while let Popped::Item(task) = queue.pop(None) {
            // Reads are cancelled when nobody waits for them.
            if !task.is_abandoned() {
                match &mut control {
                    Ok(control) => read(&shared, control, &mut tx, task),
                    Err(error) => {
                        task.refuse(Error::new(ErrorKind::Other).caused_by(error.to_string()).into())
                    }
                }
            }
        }
    })
}

fn read(shared: &Shared, control: &mut Control<'_>, tx: &mut Tx, mut task: Task) {
    if let Err(error) = control.begin() {
        return task.refuse(error.into());
    }
    let took = task.run(tx, false);
    // There is nothing to keep; the commit only gives the snapshot back.
    if let Commit::Refused(error) | Commit::Unknown(error) = control.commit() {
        task.lose(error.into());
        // A transaction that does not even roll back makes the next `BEGIN` fail, and its caller see why.
        drop(control.rollback());
    }
    shared.note_slow(&task, took);
    shared.metrics.read_duration.record(took);
    bump(&shared.status.count.reads);
    match task.verdict() {
        Verdict::Keep => task.committed(),
        Verdict::Undo => task.undone(),
    }
}
