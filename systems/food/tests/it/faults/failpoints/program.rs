//! The program of a day: it dies at its first place, and is started again to die at the next one.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use partie::runtime::monotonic;

use crate::faults::stage::Stage;
use crate::faults::states;
use crate::program::Food;

/// The longest timer plus 30 s, counted from the last death.
const PATIENCE: Duration = Duration::from_millis(34_500);
/// How often it is looked at.
const A_BLINK: Duration = Duration::from_millis(10);
/// SIGABRT.
const ABORTED: i32 = 6;

pub(super) struct Program<'s> {
    stage: &'s Stage,
    food: Result<Food, ExitStatus>,
    /// Where it has yet to die: at the first one next.
    places: Vec<String>,
    /// How often it has died there.
    deaths: usize,
    /// How it ended when it should not have.
    mishap: Option<ExitStatus>,
}

// === impl Program ===

impl<'s> Program<'s> {
    pub(super) fn start(stage: &'s Stage, places: Vec<String>) -> Self {
        let food = stage.start(places.first().map(String::as_str));
        Self { stage, food, places, deaths: 0, mishap: None }
    }

    /// Keeps it running until something is done. An error says what is left.
    pub(super) fn until(
        &mut self,
        is_done: impl Fn() -> bool,
        left: impl Fn() -> Vec<String>,
    ) -> Result<(), String> {
        let (mut until, mut deaths) = (monotonic() + PATIENCE, self.deaths);
        loop {
            self.revive();
            if self.deaths > deaths {
                (until, deaths) = (monotonic() + PATIENCE, self.deaths);
            }
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
        if !self.places.is_empty() && ended.signal() == Some(ABORTED) {
            self.places.remove(0);
            self.deaths += 1;
            states::read(self.stage.snapshot().path());
        } else {
            self.mishap = Some(ended);
        }
        self.food = self.stage.start(self.places.first().map(String::as_str));
    }

    /// From here on there are only the databases. Gives back the places it did not come by any more.
    pub(super) fn finish(self) -> Result<Vec<String>, String> {
        self.food.map_err(|ended| ended.to_string())?.kill();
        match self.mishap {
            Some(mishap) => Err(format!("it died of something else: {mishap}")),
            None if self.deaths == 0 && !self.places.is_empty() => Err("it was never there".to_owned()),
            None => Ok(self.places),
        }
    }
}
