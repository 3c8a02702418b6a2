//! The definition of a saga: its steps in order, and what its service does when it fails.

use std::marker::PhantomData;
use std::sync::Arc;

use partie_contract::Abort;
use partie_store::Tx;

use super::names::{Failpoints, StepInfo, StepKind};
use super::step::{Erased, Step, Work, change};
use super::{Failure, SagaData};

/// A saga of the service state `S` on the data `D`: a table of steps.
///
/// ```
/// # use partie_contract::{Abort, Call, Outcome, Timestamp};
/// # use partie_messaging::{Failure, Next, Saga, SagaData, Step};
/// # use partie_store::Tx;
/// # use std::time::Duration;
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct PlaceOrder;
/// # impl SagaData for PlaceOrder { const KIND: &'static str = "place-order"; const VERSION: u32 = 1; }
/// # struct OrderDesk;
/// # impl OrderDesk {
/// #     async fn authorise(&self, cx: &Call, data: &PlaceOrder) -> Outcome<()> { Ok(()) }
/// #     fn authorised(&self, tx: &mut Tx, data: &mut PlaceOrder, _: &()) -> Result<Next, Abort> { Ok(Next::Step) }
/// #     async fn void(&self, cx: &Call, data: &PlaceOrder) -> Outcome<()> { Ok(()) }
/// #     fn accept_until(&self, _: &PlaceOrder, now: Timestamp) -> Timestamp { now + Duration::from_mins(5) }
/// #     fn accepted(&self, tx: &mut Tx, data: &mut PlaceOrder, yes: &bool) -> Result<Next, Abort> { Ok(Next::Step) }
/// #     fn rejected(&self, tx: &mut Tx, data: &mut PlaceOrder, why: &Failure) -> Result<(), Abort> { Ok(()) }
/// # }
/// let place_order = Saga::<OrderDesk, PlaceOrder>::new()
///     .step(Step::command("authorise", OrderDesk::authorise, OrderDesk::authorised).undo(OrderDesk::void))
///     .step(Step::wait("acceptance", OrderDesk::accept_until, OrderDesk::accepted).pivot())
///     .on_failed(OrderDesk::rejected);
/// # assert_eq!(place_order.steps().len(), 2);
/// ```
#[must_use = "a saga does something when it is registered"]
pub struct Saga<S, D> {
    definition: Definition<S>,
    data: PhantomData<fn() -> D>,
}

/// A saga that has forgotten its data's type.
pub(crate) struct Definition<S> {
    pub(crate) kind: &'static str,
    pub(crate) version: u32,
    pub(super) steps: Vec<(Erased<S>, Failpoints)>,
    pub(super) on_failing: Option<Hook<S>>,
    pub(super) on_failed: Option<Hook<S>>,
    pub(super) on_too_late: Option<Hook<S>>,
}

pub(super) type Hook<S> = Arc<dyn Fn(&S, &mut Tx, &mut String, &Failure) -> Result<(), Abort> + Send + Sync>;

// === impl Saga ===

impl<S: Send + Sync + 'static, D: SagaData> Saga<S, D> {
    /// A saga without steps.
    pub fn new() -> Self {
        let definition = Definition {
            kind: D::KIND,
            version: D::VERSION,
            steps: Vec::new(),
            on_failing: None,
            on_failed: None,
            on_too_late: None,
        };
        Self { definition, data: PhantomData }
    }

    /// Adds the next step.
    pub fn step(mut self, step: Step<S, D>) -> Self {
        let failpoints = Failpoints::of(D::KIND, step.erased.info.name);
        self.definition.steps.push((step.erased, failpoints));
        self
    }

    /// Has the state changed in the transaction that begins to compensate: `*_pending` locks are set here.
    pub fn on_failing<A>(mut self, then: A) -> Self
    where
        A: Fn(&S, &mut Tx, &mut D, &Failure) -> Result<(), Abort> + Send + Sync + 'static,
    {
        self.definition.on_failing = Some(hook::<S, D, A>(then));
        self
    }

    /// Has the state changed in the transaction that ends the last compensation.
    pub fn on_failed<A>(mut self, then: A) -> Self
    where
        A: Fn(&S, &mut Tx, &mut D, &Failure) -> Result<(), Abort> + Send + Sync + 'static,
    {
        self.definition.on_failed = Some(hook::<S, D, A>(then));
        self
    }

    /// Has the state changed when a wish to fail was accepted and then lost the race against the pivot: a
    /// `cancel_pending` lock goes back here.
    pub fn on_too_late<A>(mut self, then: A) -> Self
    where
        A: Fn(&S, &mut Tx, &mut D, &Failure) -> Result<(), Abort> + Send + Sync + 'static,
    {
        self.definition.on_too_late = Some(hook::<S, D, A>(then));
        self
    }

    /// The table of its steps, in order.
    pub fn steps(&self) -> Vec<StepInfo> {
        self.definition.steps.iter().map(|(step, _)| step.info).collect()
    }

    pub(crate) fn into_definition(self) -> Definition<S> {
        self.definition
    }
}

impl<S: Send + Sync + 'static, D: SagaData> Default for Saga<S, D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, D> std::fmt::Debug for Saga<S, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Definition { kind, version, steps, .. } = &self.definition;
        f.debug_struct("Saga")
            .field("kind", kind)
            .field("version", version)
            .field("steps", &steps.len())
            .finish()
    }
}

fn hook<S, D: SagaData, A>(then: A) -> Hook<S>
where
    A: Fn(&S, &mut Tx, &mut D, &Failure) -> Result<(), Abort> + Send + Sync + 'static,
{
    Arc::new(move |state, tx, data, failure| change::<D, _>(data, |data| then(state, tx, data, failure)))
}

// === impl Definition ===

impl<S> Definition<S> {
    pub(super) fn index(&self, step: &str) -> Option<usize> {
        self.steps.iter().position(|(erased, _)| erased.info.name == step)
    }

    /// What is wrong with the definition, if anything is.
    pub(crate) fn complaint(&self) -> Option<String> {
        let mut pivot = None;
        for (index, (step, _)) in self.steps.iter().enumerate() {
            let StepInfo { name, kind, is_pivot, has_undo } = step.info;
            let is_kebab =
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            if name.is_empty() || name.len() > 64 || !is_kebab {
                return Some(format!(
                    "`{name}` cannot name a step: use up to 64 lower-case letters, digits and `-`"
                ));
            }
            if self.index(name) != Some(index) {
                return Some(format!("there are two steps `{name}`"));
            }
            if is_pivot && step.when.is_some() {
                return Some(format!("`{name}` is the pivot and cannot be left out"));
            }
            if let Some(pivot) = pivot {
                let without_plan = matches!(step.work, Work::Wait { timeout: None, .. });
                match () {
                    () if is_pivot => return Some(format!("`{name}` and `{pivot}` are both the pivot")),
                    () if has_undo => {
                        return Some(format!("`{name}` comes after the pivot and cannot be undone"));
                    }
                    () if without_plan && kind == StepKind::Wait => {
                        return Some(format!("`{name}` comes after the pivot: say what follows its timeout"));
                    }
                    () => {}
                }
            }
            if is_pivot {
                pivot = Some(name);
            }
        }
        self.steps.is_empty().then(|| "there are no steps".to_owned())
    }
}
