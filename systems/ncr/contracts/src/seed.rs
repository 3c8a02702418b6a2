//! The tutorial's own request, unversioned, answered with the tutorial's fields.

use partie_contract::{Call, Outcome, Problem, contract};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The tutorial's service.
#[contract(service = "calculator", prefix = "/api", compat)]
pub trait SeedNcr {
    /// How many ways there are to choose y of x things.
    #[get("/ncr/{x}/{y}", public)]
    async fn ncr(&self, cx: &Call, x: String, y: String) -> Outcome<SeedAnswer, SeedError>;
}

/// The tutorial's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeedAnswer {
    /// What was asked.
    pub input: [f64; 2],
    /// The result.
    pub ncr: SeedNumber,
    /// `Success`.
    pub msg: String,
}

/// A number if it is exact in a double, as which most programs read it; else its decimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SeedNumber {
    /// Up to 2^53.
    Exact(u64),
    /// Beyond that.
    Digits(String),
}

/// What was asked, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SeedInput {
    /// A number.
    Number(f64),
    /// Something else.
    Text(String),
}

/// What the tutorial answers with 200 and no result.
#[derive(Debug, PartialEq, Problem)]
pub enum SeedError {
    /// What was asked are no two numbers.
    #[problem(400, "ncr-input")]
    Input {
        /// What was asked.
        input: [SeedInput; 2],
        /// Nothing.
        ncr: Option<u64>,
        /// What to ask instead.
        msg: String,
    },
    /// One can choose 0 to x of x things, whole ones, and x is limited.
    #[problem(422, "ncr-domain")]
    Domain {
        /// What was asked.
        input: [SeedInput; 2],
        /// Nothing.
        ncr: Option<u64>,
        /// What to ask instead.
        msg: String,
    },
}
