//! The macros of `partie-contract`, which re-exports them; nobody names this crate.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

/// x
#[proc_macro_attribute]
pub fn contract(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// x
#[proc_macro_derive(Problem, attributes(problem))]
pub fn problem(_: TokenStream) -> TokenStream {
    TokenStream::new()
}

/// x
#[proc_macro_derive(Event, attributes(event))]
pub fn event(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
