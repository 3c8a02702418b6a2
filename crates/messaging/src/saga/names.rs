//! A saga's steps as data: for documents, for tests, and for the names of its failpoints.

/// One step of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepInfo {
    /// Its name, in kebab-case, unique within the saga. It is stored: it never changes within a version.
    pub name: &'static str,
    /// What it does.
    pub kind: StepKind,
    /// Whether there is no way back after it.
    pub is_pivot: bool,
    /// Whether it is compensated when the saga fails.
    pub has_undo: bool,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepKind {
    /// Calls somebody.
    Command,
    /// Waits for a message, until a deadline.
    Wait,
    /// Waits for a moment.
    Sleep,
    /// Changes the service's own state.
    Local,
}

/// The places around a step's calls where a test may let the process die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failpoints {
    pub(crate) before_command: String,
    pub(crate) after_command: String,
    pub(crate) before_undo: String,
    pub(crate) after_undo: String,
}

// === impl StepInfo ===

impl StepInfo {
    /// The names of its failpoints, in the order they are passed: `saga.place-order.authorise.before_command`.
    pub fn failpoints(&self, saga: &str) -> Vec<String> {
        let names = Failpoints::of(saga, self.name);
        let mut all = Vec::new();
        if self.kind == StepKind::Command {
            all.extend([names.before_command, names.after_command]);
        }
        if self.has_undo {
            all.extend([names.before_undo, names.after_undo]);
        }
        all
    }
}

// === impl Failpoints ===

impl Failpoints {
    pub(crate) fn of(saga: &str, step: &str) -> Self {
        let name = |place| format!("saga.{saga}.{step}.{place}");
        Self {
            before_command: name("before_command"),
            after_command: name("after_command"),
            before_undo: name("before_undo"),
            after_undo: name("after_undo"),
        }
    }
}
