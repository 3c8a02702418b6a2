//! The fields of a problem are members of its JSON.

use partie_contract::Problem;

#[derive(Debug)]
pub struct Temperature(f32);

#[derive(Debug, Problem)]
pub enum DishError {
    #[problem(409, "too-hot")]
    TooHot { by: Temperature },
}

fn main() {}
