//! A contract is a trait.

use partie_contract::contract;

#[contract(service = "menu", version = 1)]
pub struct Menu;

fn main() {}
