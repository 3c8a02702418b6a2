//! Problems: one status from 400 on, one code of their own, named members.

use partie_contract::Problem;

#[derive(Debug, Problem)]
pub enum DishError {
    NotFound,
    #[problem(200, "fine")]
    Fine,
    #[problem(404, "DishNotFound")]
    CamelCase,
    #[problem(409, "sold-out", retry = true)]
    SoldOut,
    #[problem(410, "sold-out")]
    SoldOutAgain,
    #[problem(409, "too-hot")]
    TooHot(u32),
    #[problem(409, "too-cold")]
    TooCold { code: u32 },
}

#[derive(Debug, Problem)]
pub struct NotAnEnum;

fn main() {}
