//! Method paths as handlers: `OrderDesk::send_receipt` where a function of a service's state is wanted.

use std::future::Future;

use partie_contract::Call;

/// An async method of a service's state with one argument: `async fn(&S, &Call, &A) -> Output`.
///
/// Implemented by every such function whose future is `Send`; nobody implements it by hand. (`AsyncFn` cannot say on
/// stable Rust that its future is `Send`.)
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a method that can be registered here",
    label = "expected the path of an `async fn(&self, cx: &Call, arg: &A)`",
    note = "its future has to be `Send`: hold no lock guard, `Rc` or `RefCell` borrow across an `await`"
)]
pub trait Method<'a, S: 'a, A: 'a>: Send + Sync + 'static {
    /// What it gives back.
    type Output;
    /// Its future.
    type Future: Future<Output = Self::Output> + Send + 'a;

    /// Calls it.
    fn call(&self, state: &'a S, cx: &'a Call, argument: &'a A) -> Self::Future;
}

impl<'a, F, Fut, S: 'a, A: 'a> Method<'a, S, A> for F
where
    F: Fn(&'a S, &'a Call, &'a A) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'a,
{
    type Output = Fut::Output;
    type Future = Fut;

    fn call(&self, state: &'a S, cx: &'a Call, argument: &'a A) -> Fut {
        self(state, cx, argument)
    }
}

/// An async method of a service's state without an argument: `async fn(&S, &Call) -> Output`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a method that can run periodically",
    label = "expected the path of an `async fn(&self, cx: &Call) -> Result<(), Abort>`",
    note = "its future has to be `Send`: hold no lock guard, `Rc` or `RefCell` borrow across an `await`"
)]
pub trait Periodic<'a, S: 'a>: Send + Sync + 'static {
    /// What it gives back.
    type Output;
    /// Its future.
    type Future: Future<Output = Self::Output> + Send + 'a;

    /// Calls it.
    fn call(&self, state: &'a S, cx: &'a Call) -> Self::Future;
}

impl<'a, F, Fut, S: 'a> Periodic<'a, S> for F
where
    F: Fn(&'a S, &'a Call) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'a,
{
    type Output = Fut::Output;
    type Future = Fut;

    fn call(&self, state: &'a S, cx: &'a Call) -> Fut {
        self(state, cx)
    }
}
