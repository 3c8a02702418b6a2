//! Identity among others: providers that are honest, slow, huge and liars, and programs in Python that judge our tokens.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fetching;
mod guide;
mod oidc;
mod python;
mod support;
