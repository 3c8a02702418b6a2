//! Answers both contracts: what is asked is checked, three factorials are asked for at once, and divided.

use std::net::SocketAddr;
use std::time::Duration;

use ncr_contracts::Integer;
use ncr_contracts::calculator::{Calculator, CalculatorError, Combinations};
use ncr_contracts::math_v1::factorial_client::FactorialClient;
use ncr_contracts::math_v1::{FactorialRequest, FactorialResponse};
use ncr_contracts::seed::{SeedAnswer, SeedError, SeedInput, SeedNcr, SeedNumber};
use partie::contract::{BoxError, Fault, FaultKind};
use partie::grpc::GrpcChannel;
use partie::runtime::Compute;
use partie::{Call, Outcome, Platform, Start, grpc};
use tonic::{Code, Status};

use crate::exact::{Exact, divide};
use crate::settings::Settings;

/// How long a name may take to become an address.
const RESOLVE: Duration = Duration::from_secs(5);
/// Above this n dividing takes longer than passing it on to another thread.
const AT_ONCE: u32 = 200;
/// Up to here every whole number is a double.
const EXACT_IN_DOUBLE: u64 = 1 << 53;

pub(crate) struct Desk {
    factorials: FactorialClient<GrpcChannel>,
    compute: Compute,
    limit: u32,
}

/// Why there is no result.
enum Failed {
    /// The factorials have a lower limit than we do.
    OutOfRange,
    Platform(Platform),
}

// === impl Desk ===

impl Desk {
    pub(crate) async fn start(s: &Start) -> Result<Self, BoxError> {
        let Settings { limit, factorial } = s.settings()?;
        let channel = if factorial.is_empty() {
            s.grpc_channel("factorial")
        } else {
            s.grpc_channel_at("factorial", &resolve(&factorial).await?)
        };
        let factorials = FactorialClient::new(channel);
        Ok(Self { factorials, compute: s.compute().clone(), limit })
    }

    /// n and r, if one can choose like that.
    fn within(&self, n: i64, r: i64) -> Option<(u32, u32)> {
        let (n, r) = (u32::try_from(n).ok()?, u32::try_from(r).ok()?);
        (r <= n && n <= self.limit).then_some((n, r))
    }

    /// The tutorial's three questions, asked at once.
    async fn combinations(&self, cx: &Call, n: u32, r: u32) -> Result<Exact, Failed> {
        let (all, chosen, left) =
            tokio::try_join!(self.factorial(cx, n), self.factorial(cx, r), self.factorial(cx, n - r))?;
        let divided = move || divide(&all.value, &chosen.value, &left.value);
        let exact = if n <= AT_ONCE {
            divided()
        } else {
            self.compute.run(divided).await.map_err(|saturated| {
                Failed::Platform(Platform::new(FaultKind::Overloaded).caused_by(saturated))
            })?
        };
        exact.ok_or_else(|| {
            Failed::Platform(Platform::internal("the quotient of three factorials is no whole number"))
        })
    }

    async fn factorial(&self, cx: &Call, n: u32) -> Result<FactorialResponse, Failed> {
        // Asking twice is as good as once.
        let request = grpc::repeatable(cx, FactorialRequest { n });
        let asked = self.factorials.clone().factorial(request).await;
        asked.map(tonic::Response::into_inner).map_err(Failed::from)
    }

    fn domain(&self) -> Fault<CalculatorError> {
        CalculatorError::Domain { limit: self.limit }.into()
    }
}

/// The addresses of those names. Of a name that has both, those of IPv4: `localhost` does, and servers mostly listen on
/// that alone.
async fn resolve(names: &str) -> Result<Vec<SocketAddr>, BoxError> {
    let mut addresses = Vec::new();
    for name in names.split(',').map(str::trim) {
        let failed = |reason: String| format!("no address of the factorials at {name}: {reason}");
        let found = tokio::time::timeout(RESOLVE, tokio::net::lookup_host(name)).await;
        let found =
            found.map_err(|_| failed("nobody answered".to_owned()))?.map_err(|e| failed(e.to_string()))?;
        let (old, new): (Vec<_>, Vec<_>) = found.partition(SocketAddr::is_ipv4);
        let found = if old.is_empty() { new } else { old };
        if found.is_empty() {
            return Err(failed("it has none".to_owned()).into());
        }
        addresses.extend(found);
    }
    Ok(addresses)
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::OutOfRange => Self::OutOfRange,
            _ => Self::Platform(grpc::platform(status)),
        }
    }
}

impl Calculator for Desk {
    async fn choose(&self, cx: &Call, n: Integer, r: Integer) -> Outcome<Combinations, CalculatorError> {
        let (n, r) = self.within(n.0, r.0).ok_or_else(|| self.domain())?;
        match self.combinations(cx, n, r).await {
            Ok(Exact { text, .. }) => Ok(Combinations {
                n,
                r,
                digits: text.len() as u64,
                value: text,
                calls: 3,
                trace_id: format!("{:032x}", cx.trace().trace_id()),
            }),
            Err(Failed::OutOfRange) => Err(self.domain()),
            Err(Failed::Platform(fault)) => Err(fault.into()),
        }
    }
}

// === the tutorial's ===

impl SeedNcr for Desk {
    async fn ncr(&self, cx: &Call, x: String, y: String) -> Outcome<SeedAnswer, SeedError> {
        let input = [read(x), read(y)];
        let [SeedInput::Number(x), SeedInput::Number(y)] = input else {
            let msg = "supply numbers: /api/ncr/5/2".to_owned();
            return Err(SeedError::Input { input, ncr: None, msg }.into());
        };
        let domain = || {
            let msg = format!(
                "supply whole numbers, the larger one first and at most {}: /api/ncr/5/2",
                self.limit
            );
            Fault::from(SeedError::Domain { input: [x, y].map(SeedInput::Number), ncr: None, msg })
        };
        let (n, r) = whole(x).zip(whole(y)).and_then(|(n, r)| self.within(n, r)).ok_or_else(domain)?;
        match self.combinations(cx, n, r).await {
            Ok(Exact { text, small }) => {
                let small = small.filter(|small| *small <= EXACT_IN_DOUBLE);
                let ncr = small.map_or(SeedNumber::Digits(text), SeedNumber::Exact);
                Ok(SeedAnswer { input: [x, y], ncr, msg: "Success".to_owned() })
            }
            Err(Failed::OutOfRange) => Err(domain()),
            Err(Failed::Platform(fault)) => Err(fault.into()),
        }
    }
}

/// Python's `float(text)`, of what JSON can say again.
fn read(text: String) -> SeedInput {
    match text.parse::<f64>().ok().filter(|number| number.is_finite()) {
        Some(number) => SeedInput::Number(number),
        None => SeedInput::Text(text),
    }
}

fn whole(number: f64) -> Option<i64> {
    // Far beyond any limit, and far within what is exact.
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_tutorial_reads_them() {
        for (text, number) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("1e3", Some(1000)),
            ("-2", Some(-2)),
            ("2.5", None),
            ("1e300", None),
        ] {
            let SeedInput::Number(read) = read(text.to_owned()) else { panic!("{text} is a number") };
            assert_eq!(whole(read), number, "{text}");
        }
        for text in ["", "five", "nan", "inf", "1e999", "0x10"] {
            assert_eq!(read(text.to_owned()), SeedInput::Text(text.to_owned()));
        }
    }
}
