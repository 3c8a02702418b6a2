//! People who registered: every command of the guide, from there to the first delivered order.

use std::process::{Command, Stdio};

use crate::program::{Food, Scratch, food_in};

const GUIDE: &str = include_str!("../../../../docs/guides/users.md");

/// The commands of a page, in order.
fn commands(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn from_registration_to_the_first_delivered_order() {
    let data = Scratch::new("registered");
    let mut command = food_in(data.path());
    command.args(["--no-demo", "--listen", "127.0.0.1:0", "--data"]).arg(data.path()).stderr(Stdio::null());
    // A debug build hashes a hundred times as long.
    command.env("PARTIE__SERVICES__USERS__PASSWORDS__MEMORY_KIB", "64");
    let food = Food::launch(&mut command).expect("it starts");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands(GUIDE)])
        .env("URL", format!("http://{}", food.address()))
        .env("DATA", data.path())
        .env("FOOD", env!("CARGO_BIN_EXE_food"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{wrong}");
    let last = told.lines().last().unwrap_or_default();
    assert!(last.ends_with("is delivered") || last.ends_with("is completed"), "{told}\n{wrong}");
    // They are who they said, each with what they asked for.
    for role in ["customer", "owner", "driver"] {
        assert!(told.contains(&format!("\"roles\":[\"{role}\"]")), "{told}");
    }
}
