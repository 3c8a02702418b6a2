//! Answers the gRPC services: what is asked is checked here, what is computed is not done here.

use std::pin::Pin;

use futures_util::stream::{self, Stream};
use ncr_contracts::fact::Number as SeedNumber;
use ncr_contracts::fact::factorial_server::Factorial as SeedFactorial;
use ncr_contracts::math_v1::factorial_server::Factorial;
use ncr_contracts::math_v1::{FactorialChunk, FactorialRequest, FactorialResponse};
use partie::contract::{BoxError, FaultKind};
use partie::runtime::Saturated;
use partie::{Platform, Start, grpc};
use tonic::{Request, Response, Status};

use crate::results::{Number, Results};
use crate::settings::Settings;

/// The largest n whose factorial is a 32-bit float.
const LARGEST_FLOAT: u32 = 34;

#[derive(Debug)]
pub(crate) struct Desk {
    results: Results,
    limit: u32,
    chunk: usize,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<FactorialChunk, Status>> + Send>>;

// === impl Desk ===

impl Desk {
    pub(crate) fn start(s: &Start) -> Result<Self, BoxError> {
        let Settings { limit, cache, chunk } = s.settings::<Settings>()?.checked()?;
        Ok(Self { results: Results::new(s.compute().clone(), cache), limit, chunk })
    }

    async fn find(&self, n: u32) -> Result<Number, Status> {
        if n > self.limit {
            return Err(Status::out_of_range(format!("n is at most {}", self.limit)));
        }
        self.results.get(n).await.map_err(|Saturated| {
            let busy = "too many factorials are being computed";
            grpc::status(Platform::new(FaultKind::Overloaded).with_detail(busy))
        })
    }
}

#[tonic::async_trait]
impl Factorial for Desk {
    async fn factorial(
        &self,
        request: Request<FactorialRequest>,
    ) -> Result<Response<FactorialResponse>, Status> {
        let Number { value, digits } = self.find(request.into_inner().n).await?;
        Ok(Response::new(FactorialResponse { value, digits }))
    }

    type FactorialInChunksStream = Chunks;

    async fn factorial_in_chunks(
        &self,
        request: Request<FactorialRequest>,
    ) -> Result<Response<Chunks>, Status> {
        let Number { value, digits } = self.find(request.into_inner().n).await?;
        let chunk = self.chunk;
        let pieces = stream::unfold(value, move |mut rest| async move {
            let piece = rest.split_to(chunk.min(rest.len()));
            (!piece.is_empty()).then(|| (Ok(FactorialChunk { value: piece, digits }), rest))
        });
        Ok(Response::new(Box::pin(pieces)))
    }
}

/// The tutorial's service. It recurses for ever on what has no factorial and answers infinity for what has a large one.
#[tonic::async_trait]
impl SeedFactorial for Desk {
    async fn factorial(&self, request: Request<SeedNumber>) -> Result<Response<SeedNumber>, Status> {
        let asked = request.into_inner().value;
        // NaN is nothing of that.
        let natural = asked >= 0.0 && (asked.fract() == 0.0 || asked.is_infinite());
        if !natural {
            return Err(Status::invalid_argument("only natural numbers have a factorial"));
        }
        if asked > LARGEST_FLOAT as f32 {
            return Err(Status::out_of_range(format!(
                "the factorial of a number above {LARGEST_FLOAT} is no 32-bit float; math.v1.Factorial has it"
            )));
        }
        // Exact until the end: 34! has 128 bits.
        let exact: u128 = (1..=asked as u128).product();
        Ok(Response::new(SeedNumber { value: exact as f32 }))
    }
}
