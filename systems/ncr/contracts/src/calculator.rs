//! Binomial coefficients: how many ways there are to choose r of n things.

use partie_contract::{Call, Outcome, Problem, contract};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Integer;

/// How many ways there are to choose.
#[contract(service = "calculator", version = 1)]
pub trait Calculator {
    /// How many ways there are to choose r of n things, exactly.
    #[get("/ncr/{n}/{r}", public)]
    async fn choose(&self, cx: &Call, n: Integer, r: Integer) -> Outcome<Combinations, CalculatorError>;
}

/// What cannot be chosen.
#[derive(Debug, PartialEq, Problem)]
pub enum CalculatorError {
    /// One can choose 0 to n of n things, and n is limited.
    #[problem(422, "ncr-domain")]
    Domain {
        /// The largest n.
        limit: u32,
    },
}

/// How many ways there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Combinations {
    /// Of so many things.
    pub n: u32,
    /// So many are chosen.
    pub r: u32,
    /// In so many ways: decimal digits, in text, since few programs can read a number that long.
    pub value: String,
    /// How many digits that is.
    pub digits: u64,
    /// How many factorials were asked for to find out.
    pub calls: u32,
    /// The trace of the request, by which logs of both services know it.
    pub trace_id: String,
}
