//! The program: what it prints can be pasted, it minds its environment, and it ends when it is asked to.

use std::io::{BufRead, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use partie_testkit::{Http, signal};

/// A running `ncr`. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    out: BufReader<ChildStdout>,
}

/// `ncr`, not started, in an environment that says nothing of factorials.
pub(crate) fn ncr() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ncr"));
    command.env_remove("HOST").env_remove("PORT");
    command
}

impl Program {
    pub(crate) fn start(environment: &[(&str, String)]) -> Self {
        let mut command = ncr();
        command.arg("--ephemeral").envs(environment.iter().map(|(name, value)| (name, value)));
        Self::launch(command)
    }

    /// Starts it by that command, on a port of the system's choice, and waits until it answers.
    pub(crate) fn launch(mut command: Command) -> Self {
        command.args(["--listen", "127.0.0.1:0"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").expect("the first line says where");
        Self { child, address: address.parse().unwrap(), out }
    }

    /// What comes after `try:`.
    fn guide(&mut self) -> Vec<String> {
        let lines = self.out.by_ref().lines().map(Result::unwrap);
        let guide = lines.skip_while(|line| line != "try:").skip(1);
        guide.take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect()
    }

    /// Where a supervisor says its registry is, on its second line.
    pub(crate) fn registry(&mut self) -> SocketAddr {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim().strip_prefix("registry on http://").unwrap().parse().unwrap()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it drain, and waits for that. Says how it ended.
    pub(crate) fn drain(mut self) -> Option<i32> {
        signal(self.id(), "-TERM");
        self.child.wait().unwrap().code()
    }

    pub(crate) async fn value(&self, path: &str) -> String {
        let answer = Http::new(self.address).get(path).send().await.unwrap();
        answer.json()["value"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn what_it_prints_can_be_pasted_and_it_ends_when_asked_to() {
    let mut program = Program::start(&[]);
    let guide = program.guide();
    let paths: Vec<&str> = guide
        .iter()
        .filter_map(|line| line.strip_prefix("curl http://")?.split_once('/'))
        .map(|(_, path)| path)
        .collect();
    assert_eq!(paths, ["api/v1/ncr/52/5", "api/ncr/5/2"], "{guide:?}");
    for path in paths {
        assert_eq!(Http::new(program.address).get(format!("/{path}")).send().await.unwrap().status, 200);
    }
    assert_eq!(program.drain(), Some(0), "a drain is no failure");
}

#[tokio::test]
async fn it_asks_the_factorials_its_environment_names() {
    let elsewhere = Program::start(&[]);
    let named = [("HOST", "localhost".to_owned()), ("PORT", elsewhere.address.port().to_string())];
    let program = Program::start(&named);
    assert_eq!(program.value("/api/v1/ncr/52/5").await, "2598960");
    drop(elsewhere);
    let answer = Http::new(program.address).get("/api/v1/ncr/52/5").send().await.unwrap();
    assert_eq!(answer.status, 503, "it was really those");
}
