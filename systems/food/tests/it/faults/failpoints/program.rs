//! The program of a day: it dies at its place, and is started again without one.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use partie::runtime::monotonic;

use crate::faults::stage::Stage;
use crate::faults::states;
use crate::program::Food;

/// The longest timer plus 30 s.
const PATIENCE: Duration = Duration::from_millis(33_500);
/// How often it is looked at.
const A_BLINK: Duration = Duration::from_millis(10);
/// SIGABRT.
const ABORTED: i32 = 6;

pub(super) struct Program<'s> {
    stage: &'s Stage,
    food: Result<Food, ExitStatus>,
    /// Whether it has yet to die.
    is_to_die: bool,
    /// How it ended when it should not have.
    mishap: Option<ExitStatus>,
}

// === impl Program ===

impl<'s> Program<'s> {
    pub(super) fn start(stage: &'s Stage, place: Option<&str>) -> Self {
        Self { stage, food: stage.start(place), is_to_die: place.is_some(), mishap: None }
    }

    /// Keeps it running until something is done. An error says what is left.
    pub(super) fn until(
        &mut self,
        is_done: impl Fn() -> bool,
        left: impl Fn() -> Vec<String>,
    ) -> Result<(), String> {
        let until = monotonic() + PATIENCE;
        loop {
            self.revive();
            if is_done() {
                return Ok(());
            }
            if monotonic() > until {
                return Err(format!("it does not come to its end: {:#?}", left()));
            }
            thread::sleep(A_BLINK);
        }
    }

    /// Starts it again if it has died.
    fn revive(&mut self) {
        let ended = match &mut self.food {
            Ok(food) => food.ended(),
            Err(ended) => Some(*ended),
        };
        let Some(ended) = ended else { return };
        if self.is_to_die && ended.signal() == Some(ABORTED) {
            self.is_to_die = false;
            states::read(self.stage.snapshot().path());
        } else {
            self.mishap = Some(ended);
        }
        self.food = self.stage.start(None);
    }

    /// From here on there are only the databases.
    pub(super) fn finish(self) -> Result<(), String> {
        self.food.map_err(|ended| ended.to_string())?.kill();
        match (self.mishap, self.is_to_die) {
            (Some(mishap), _) => Err(format!("it died of something else: {mishap}")),
            (None, true) => Err("it was never there".to_owned()),
            (None, false) => Ok(()),
        }
    }
}
