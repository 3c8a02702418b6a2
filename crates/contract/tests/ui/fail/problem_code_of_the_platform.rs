//! A gateway's `not-found` is not a missing dish.

use partie_contract::Problem;

#[derive(Debug, Problem)]
pub enum DishError {
    #[problem(404, "not-found")]
    NotFound,
}

fn main() {}
