//! One saga in one transaction: the moves it can make.

use std::sync::Arc;

use partie_contract::{Abort, Timestamp};
use partie_store::Tx;

use super::{Answer, Errand, Wanted};
use crate::saga::command::CommandId;
use crate::saga::definition::Definition;
use crate::saga::names::StepInfo;
use crate::saga::rows::{self, Row, WaitTimer};
use crate::saga::step::{self, Erased, Work};
use crate::saga::{EntryState, Failure, Next, Phase};
use crate::timers::Schedule;

/// One saga in one transaction.
pub(super) struct Move<'d, 't, S> {
    pub(super) state: &'d S,
    pub(super) definition: &'d Definition<S>,
    pub(super) saga: Row,
    pub(super) tx: &'t mut Tx,
}

impl<'d, S: Send + Sync + 'static> Move<'d, '_, S> {
    pub(super) fn look(&mut self) -> Result<Wanted, Abort> {
        match self.saga.phase {
            Phase::Starting => match self.heed_failure()? {
                Some(wanted) => Ok(wanted),
                None => self.enter(0),
            },
            Phase::Running => match self.heed_failure()? {
                Some(wanted) => Ok(wanted),
                None => self.errand(),
            },
            Phase::Waiting => self.listen(),
            Phase::Compensating => self.errand(),
            Phase::Done | Phase::Failed => {
                self.too_late()?;
                rows::forget_signals(self.tx, self.saga.id)?;
                Ok(Wanted::Nothing)
            }
        }
    }

    /// The answer to the command of the current step.
    pub(super) fn answered(&mut self, answer: &Answer<'_, S>) -> Result<Wanted, Abort> {
        match answer {
            Answer::Done(apply) => {
                let next = apply(self.state, self.tx, &mut self.saga.data)?;
                self.leave(EntryState::Done)?;
                let is_pivot = self.step_info()?.is_pivot;
                // A wish to fail that came while the command was under way.
                if !is_pivot && let Some(wanted) = self.heed_failure()? {
                    return Ok(wanted);
                }
                self.follow(next)
            }
            Answer::Refused { code, detail } => {
                self.saga.detail = Some((*detail).to_owned());
                self.leave(EntryState::Refused)?;
                self.saga.past_pivot = false;
                self.fail(Failure {
                    step: self.saga.step.clone(),
                    code: (*code).to_owned(),
                    detail: (*detail).to_owned(),
                })
            }
            Answer::GivenUp { detail } => {
                let failure = Failure {
                    step: self.saga.step.clone(),
                    code: "no-answer".to_owned(),
                    detail: (*detail).to_owned(),
                };
                self.fail(failure)
            }
        }
    }

    pub(super) fn timed_out(&mut self) -> Result<Wanted, Abort> {
        let index = self.index()?;
        let Work::Wait { timeout, .. } = &self.definition.steps[index].0.work else {
            return Err(Abort::because("a timer for a step that does not wait"));
        };
        match timeout {
            Some(timeout) => {
                let next = timeout(self.state, self.tx, &mut self.saga.data)?;
                self.done(next)
            }
            None => {
                let step = self.saga.step.clone();
                self.fail(Failure {
                    step,
                    code: "timeout".to_owned(),
                    detail: "the deadline passed".to_owned(),
                })
            }
        }
    }

    /// Reads the messages a waiting step has, in order.
    fn listen(&mut self) -> Result<Wanted, Abort> {
        while let Some(signal) = rows::signal(self.tx, self.saga.id, &self.saga.step)? {
            rows::forget_signal(self.tx, signal.position)?;
            if signal.step.is_none() {
                if let Some(wanted) = self.wish(&signal.body)? {
                    return Ok(wanted);
                }
                continue;
            }
            let index = self.index()?;
            let Work::Wait { resume: Some(resume), .. } = &self.definition.steps[index].0.work else {
                continue;
            };
            match resume(self.state, self.tx, &mut self.saga.data, &signal.body)? {
                Next::Stay => rows::save(self.tx, &self.saga)?,
                next => return self.done(next),
            }
        }
        Ok(Wanted::Nothing)
    }

    /// The current step is done, and that is where to go.
    fn done(&mut self, next: Next) -> Result<Wanted, Abort> {
        // Failing here leaves nothing to undo: what the step itself did, it did in this transaction.
        let state = if matches!(next, Next::Fail(_)) { EntryState::Abandoned } else { EntryState::Done };
        self.leave(state)?;
        self.follow(next)
    }

    fn follow(&mut self, next: Next) -> Result<Wanted, Abort> {
        self.saga.past_pivot |= self.step_info()?.is_pivot && !matches!(next, Next::Fail(_));
        match next {
            Next::Step => {
                let index = self.index()?;
                self.enter(index + 1)
            }
            Next::To(step) => {
                let index = self.definition.index(step);
                let index =
                    index.ok_or_else(|| Abort::because(format!("there is no step {step} to go to")))?;
                let pivot = self.definition.steps.iter().position(|(step, _)| step.info.is_pivot);
                if self.saga.past_pivot && pivot.is_some_and(|pivot| index <= pivot) {
                    return Err(Abort::because(format!(
                        "the saga is past its pivot and cannot go to {step}"
                    )));
                }
                self.enter(index)
            }
            Next::Stay => Err(Abort::because(format!("the step {} cannot stay", self.saga.step))),
            Next::Fail(code) => {
                if self.saga.past_pivot {
                    return Err(Abort::because(format!("the saga wants to fail ({code}) after its pivot")));
                }
                let step = self.saga.step.clone();
                self.fail(Failure { step, detail: code.clone(), code })
            }
        }
    }

    /// Enters a step, and those behind it that need nobody.
    fn enter(&mut self, index: usize) -> Result<Wanted, Abort> {
        self.saga.attempts = 0;
        self.saga.revision += 1;
        self.saga.next_at = None;
        let Some((index, step)) = self.next_step(index)? else { return self.end(Phase::Done) };
        step.info.name.clone_into(&mut self.saga.step);
        let place = i64::try_from(index).unwrap_or(i64::MAX);
        let earlier = match place > self.saga.furthest {
            true => 0,
            false => rows::times(self.tx, self.saga.id, step.info.name)?,
        };
        self.saga.iteration = earlier + 1;
        self.saga.furthest = self.saga.furthest.max(place);
        self.saga.entered_at = Some(self.tx.now());
        self.saga.detail = None;
        match &step.work {
            Work::Command(_) => {
                self.saga.phase = Phase::Running;
                self.saga.past_pivot |= step.info.is_pivot;
                rows::save(self.tx, &self.saga)?;
                self.errand()
            }
            Work::Wait { deadline, .. } => {
                let now = self.tx.now();
                let deadline = deadline(self.state, &self.saga.data, now)?;
                self.wait(deadline)?;
                self.listen()
            }
            Work::Local(apply) => {
                self.saga.phase = Phase::Running;
                let next = apply(self.state, self.tx, &mut self.saga.data)?;
                self.done(next)
            }
        }
    }

    /// The step at that place, or the first one behind it that is for this saga.
    fn next_step(&self, index: usize) -> Result<Option<(usize, &'d Erased<S>)>, Abort> {
        let definition = self.definition;
        for (place, (step, _)) in definition.steps.iter().enumerate().skip(index) {
            let is_for = step.when.as_ref().map_or(Ok(true), |when| when(self.state, &self.saga.data))?;
            if is_for {
                return Ok(Some((place, step)));
            }
        }
        Ok(None)
    }

    fn wait(&mut self, deadline: Timestamp) -> Result<(), Abort> {
        self.saga.phase = Phase::Waiting;
        self.saga.next_at = Some(deadline);
        rows::save(self.tx, &self.saga)?;
        self.tx.at(deadline, &WaitTimer { saga: self.saga.id, revision: self.saga.revision })?;
        Ok(())
    }

    /// Acts on a wish to fail, if there is one. For sagas that are at no waiting step.
    fn heed_failure(&mut self) -> Result<Option<Wanted>, Abort> {
        while let Some(signal) = rows::signal(self.tx, self.saga.id, "")? {
            rows::forget_signal(self.tx, signal.position)?;
            if let Some(wanted) = self.wish(&signal.body)? {
                return Ok(Some(wanted));
            }
        }
        Ok(None)
    }

    fn wish(&mut self, body: &str) -> Result<Option<Wanted>, Abort> {
        let code: String = step::decode(body)?;
        let failure = Failure { step: self.saga.step.clone(), detail: "it was asked to".to_owned(), code };
        if !self.saga.past_pivot {
            return self.fail(failure).map(Some);
        }
        if let Some(on_too_late) = &self.definition.on_too_late {
            on_too_late(self.state, self.tx, &mut self.saga.data, &failure)?;
            rows::save(self.tx, &self.saga)?;
        }
        Ok(None)
    }

    /// Tells wishes to fail that came in after the end.
    fn too_late(&mut self) -> Result<(), Abort> {
        if self.saga.phase == Phase::Done {
            self.saga.past_pivot = true;
            self.heed_failure()?;
        }
        Ok(())
    }

    /// Turns back.
    fn fail(&mut self, failure: Failure) -> Result<Wanted, Abort> {
        let unsettled = match self.saga.phase {
            Phase::Running => EntryState::Unknown,
            _ => EntryState::Abandoned,
        };
        self.leave(unsettled)?;
        self.tx.cancel::<WaitTimer>(&self.saga.id.to_string())?;
        self.saga.phase = Phase::Compensating;
        self.saga.next_at = None;
        let failure = self.saga.failure.insert(failure);
        if let Some(on_failing) = &self.definition.on_failing {
            on_failing(self.state, self.tx, &mut self.saga.data, failure)?;
        }
        self.compensate_next()
    }

    /// The compensation under way has succeeded.
    pub(super) fn undone(&mut self) -> Result<Wanted, Abort> {
        rows::undone(self.tx, &self.saga)?;
        self.compensate_next()
    }

    fn compensate_next(&mut self) -> Result<Wanted, Abort> {
        self.saga.attempts = 0;
        self.saga.revision += 1;
        for entry in rows::to_undo(self.tx, self.saga.id)? {
            let Some(index) = self.definition.index(&entry.step) else { continue };
            if self.definition.steps[index].0.undo.is_some() {
                self.saga.step = entry.step;
                self.saga.iteration = entry.iteration;
                rows::save(self.tx, &self.saga)?;
                return self.errand();
            }
        }
        if let (Some(on_failed), Some(failure)) = (&self.definition.on_failed, &self.saga.failure) {
            on_failed(self.state, self.tx, &mut self.saga.data, failure)?;
        }
        self.end(Phase::Failed)
    }

    fn end(&mut self, phase: Phase) -> Result<Wanted, Abort> {
        self.saga.phase = phase;
        self.too_late()?;
        rows::forget_signals(self.tx, self.saga.id)?;
        rows::save(self.tx, &self.saga)?;
        self.tx.cancel::<WaitTimer>(&self.saga.id.to_string())?;
        Ok(Wanted::Nothing)
    }

    /// The call the saga stands before.
    fn errand(&self) -> Result<Wanted, Abort> {
        let saga = &self.saga;
        let command = CommandId::new(saga.id, &saga.step, saga.iteration);
        let (forward, is_pivot) = (saga.phase != Phase::Compensating, self.step_info()?.is_pivot);
        Ok(Wanted::Call(Errand {
            saga: saga.id,
            kind: (self.definition.kind, self.definition.version),
            index: self.index()?,
            undo: !forward,
            cause: Arc::new(saga.cause.through(&command)),
            command,
            revision: saga.revision,
            attempts: saga.attempts,
            may_be_refused: forward && (!saga.past_pivot || is_pivot),
            may_give_up: forward && !saga.past_pivot,
            data: saga.data.clone(),
        }))
    }

    fn leave(&mut self, state: EntryState) -> Result<(), Abort> {
        Ok(rows::leave(self.tx, &mut self.saga, state)?)
    }

    fn index(&self) -> Result<usize, Abort> {
        let step = &self.saga.step;
        self.definition.index(step).ok_or_else(|| Abort::because(format!("there is no step {step}")))
    }

    fn step_info(&self) -> Result<StepInfo, Abort> {
        Ok(self.definition.steps[self.index()?].0.info)
    }
}
