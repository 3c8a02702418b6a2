//! The whole food system, as its users meet it: the real program, over real HTTP.

mod crash;
mod orders;
mod program;
mod refusals;
