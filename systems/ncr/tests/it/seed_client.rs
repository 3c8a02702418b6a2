//! The tutorial's own client, in Python, made from its own `fact.proto` by its own commands.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use partie_testkit::{TestRun, TestSystem};

/// The tutorial's client, but for the module names that were lost from its text.
const CLIENT: &str = r#"
import sys
import os
import grpc

# import the generated classes
import fact_pb2
import fact_pb2_grpc

# ENV variables
HOST = os.environ['HOST']
PORT = os.environ['PORT']

# grpc channel
channel = grpc.insecure_channel(f'{HOST}:{PORT}') # for python3

# stub (client)
stub = fact_pb2_grpc.FactorialStub(channel)

def get_fact(n):
    number = fact_pb2.Number(value=n)
    response = stub.Factorial(number)
    return response

if __name__=="__main__":
    for n in sys.argv[1:]:
        try:
            print(get_fact(float(n)).value)
        except grpc.RpcError as error:
            print(error.code().name)
"#;

/// The Python that has grpcio: `cargo xtask test --only setup` makes it.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_ncr")).ancestors().nth(2).unwrap();
    let python = target.join("xtask/grpcio/bin/python");
    assert!(python.exists(), "grpcio is missing: cargo xtask test --only setup installs it");
    python
}

/// A directory with the tutorial's client and what its commands make of `fact.proto`.
struct Client(PathBuf);

impl Client {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("ncr-it-seed-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts/proto/fact.proto");
        std::fs::copy(proto, dir.join("fact.proto")).unwrap();
        std::fs::write(dir.join("client.py"), CLIENT).unwrap();
        let client = Self(dir);
        client.run(
            &["-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=.", "fact.proto"],
            &[],
        );
        client
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, String)]) -> Output {
        let mut python = Command::new(python());
        python
            .args(arguments)
            .current_dir(&self.0)
            .envs(environment.iter().map(|(name, value)| (name, value)));
        let output = python.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn address(run: &TestRun) -> [(&'static str, String); 2] {
    [("HOST", run.address().ip().to_string()), ("PORT", run.address().port().to_string())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tutorials_client_works_unchanged() {
    let run = TestSystem::of(ncr::system()).start().await;
    let environment = address(&run);
    let output = tokio::task::spawn_blocking(move || {
        Client::new().run(&["client.py", "0", "5", "7", "20", "34", "35", "-1", "2.5"], &environment)
    });
    let output = String::from_utf8(output.await.unwrap().stdout).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    let expected = [
        "1.0",
        "120.0",
        "5040.0",
        "2.43290200817664e+18",
        "2.9523279924535115e+38",
        "OUT_OF_RANGE",
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, expected) in lines.iter().zip(expected) {
        match (line.parse::<f32>(), expected.parse::<f32>()) {
            (Ok(answered), Ok(expected)) => assert_eq!(answered, expected),
            _ => assert_eq!(*line, expected),
        }
    }
}
