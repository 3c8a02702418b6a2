//! The numbers are right, to the last digit.

use std::io::Write as _;
use std::process::{Command, Stdio};

use futures_util::{StreamExt, stream};
use ncr_contracts::Integer;
use ncr_contracts::calculator::{CalculatorClient, Combinations};
use partie_testkit::{TestRun, TestSystem};

use crate::support::within;

const PAIRS: usize = 10_000;
/// Requests under way at a time: three factorials each are less than may wait to be computed.
const AT_ONCE: usize = 16;

async fn choose(run: &TestRun, n: u32, r: u32) -> Combinations {
    let client: CalculatorClient = run.client();
    let cx = run.call();
    let asked = client.choose(&cx, Integer(n.into()), Integer(r.into()));
    within(asked).await.unwrap_or_else(|fault| panic!("C({n}, {r}): {fault:?}"))
}

/// Python's answers, one a line.
fn python(pairs: &[(u32, u32)]) -> Vec<String> {
    let program = "import math, sys\n\
                   if hasattr(sys, 'set_int_max_str_digits'): sys.set_int_max_str_digits(0)\n\
                   for line in sys.stdin:\n    n, r = map(int, line.split())\n    print(math.comb(n, r))\n";
    let mut python = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let mut stdin = python.stdin.take().unwrap();
    let lines: String = pairs.iter().map(|(n, r)| format!("{n} {r}\n")).collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_random_pairs_are_what_python_says() {
    let run = TestSystem::of(ncr::system()).start().await;
    let mut random = fastrand::Rng::with_seed(52_05);
    let pairs: Vec<(u32, u32)> = (0..PAIRS)
        .map(|number| {
            // Mostly small ones, since those have the edges; some as large as they get.
            let most = match number % 100 {
                0 => 20_000,
                1..10 => 2_000,
                _ => 300,
            };
            let n = random.u32(0..=most);
            (n, random.u32(0..=n))
        })
        .collect();
    let expected = python(&pairs);
    assert_eq!(expected.len(), PAIRS);
    let mut answers = stream::iter(pairs.iter().zip(&expected))
        .map(|((n, r), expected)| {
            let run = &run;
            async move { (choose(run, *n, *r).await, expected) }
        })
        .buffer_unordered(AT_ONCE);
    let mut right = 0;
    while let Some((answer, expected)) = answers.next().await {
        assert_eq!(answer.value, *expected, "C({}, {})", answer.n, answer.r);
        assert_eq!((answer.digits, answer.calls), (expected.len() as u64, 3));
        right += 1;
    }
    assert_eq!(right, PAIRS);
}

#[tokio::test]
async fn pascals_triangle_holds_and_is_symmetric() {
    let run = TestSystem::of(ncr::system()).start().await;
    let exact = async |n, r| choose(&run, n, r).await.value.parse::<u128>().unwrap();
    for n in 1..=40 {
        assert_eq!((exact(n, 0).await, exact(n, n).await), (1, 1));
        for r in 1..n {
            let here = exact(n, r).await;
            assert_eq!(here, exact(n - 1, r - 1).await + exact(n - 1, r).await, "C({n}, {r})");
            assert_eq!(here, exact(n, n - r).await, "C({n}, {r})");
        }
    }
    // And where no machine number holds it.
    for (n, r) in [(20_000, 7_777), (19_999, 1), (12_345, 6_000)] {
        assert_eq!(choose(&run, n, r).await.value, choose(&run, n, n - r).await.value);
    }
}
