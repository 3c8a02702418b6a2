//! The macros of `partie-contract`, which re-exports and documents them; nobody names this crate.
//!
//! Each macro reads its input into a model that cannot be wrong, collects everything that is wrong on the way, and
//! writes tables and calls. What they do at run time is `partie-contract`'s. No macro knows a type: binding works
//! through traits, and rustc says what does not fit.
//!
//! `PARTIE_MACRO_DEBUG=1` prints every expansion.
#![forbid(unsafe_code)]
#![expect(
    missing_docs,
    reason = "macros are documented where they are re-exported, so that examples are tests"
)]

mod contract;
mod doc;
mod errors;
mod event;
mod expand;
#[cfg(test)]
mod golden;
mod problem;
mod words;

use proc_macro::TokenStream;

use crate::expand::{Root, expand};

#[proc_macro_attribute]
pub fn contract(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(Root::Contract, item, |root, item| contract::expand(root, args.into(), &item))
}

#[proc_macro_derive(Problem, attributes(problem))]
pub fn problem(item: TokenStream) -> TokenStream {
    expand(Root::Contract, item, problem::expand)
}

#[proc_macro_derive(Event, attributes(event))]
pub fn event(item: TokenStream) -> TokenStream {
    expand(Root::Contract, item, event::expand)
}

/// As `contract`, for crates that depend on `partie` alone.
#[proc_macro_attribute]
pub fn contract_via_partie(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(Root::Partie, item, |root, item| contract::expand(root, args.into(), &item))
}

/// As `Problem`, for crates that depend on `partie` alone.
#[proc_macro_derive(ProblemViaPartie, attributes(problem))]
pub fn problem_via_partie(item: TokenStream) -> TokenStream {
    expand(Root::Partie, item, problem::expand)
}

/// As `Event`, for crates that depend on `partie` alone.
#[proc_macro_derive(EventViaPartie, attributes(event))]
pub fn event_via_partie(item: TokenStream) -> TokenStream {
    expand(Root::Partie, item, event::expand)
}
