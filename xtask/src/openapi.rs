//! Keeps the committed OpenAPI files equal to what the programs print, and has them validated from outside.

use std::collections::BTreeMap;
use std::path::Path;

use crate::process::{Result, capture, cargo, program, root, run};
use crate::setup;

/// A program that describes itself, and where its documents are committed.
struct Source {
    package: &'static str,
    dir: &'static str,
}

const SOURCES: &[Source] = &[
    Source { package: "food", dir: "systems/food/openapi" },
    Source { package: "ncr", dir: "systems/ncr/openapi" },
    Source { package: "users", dir: "systems/users/openapi" },
];

/// File name to content.
type Documents = BTreeMap<String, String>;

pub(crate) fn command(arguments: &[String]) -> Result {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => SOURCES.iter().try_for_each(write),
        ["--check"] => step().map(|note| println!("{note}")),
        _ => Err("usage: cargo xtask openapi [--check]".into()),
    }
}

pub(crate) fn step() -> Result<String> {
    let python = setup::validator()?;
    let mut files = Vec::new();
    for source in SOURCES {
        let current = print(source)?;
        let differences = compare(&committed(source)?, &current);
        differences.iter().for_each(|d| println!("{}/{d}", source.dir));
        if !differences.is_empty() {
            return Err(format!("{} is not what {} prints: cargo xtask openapi", source.dir, source.package));
        }
        files.extend(current.into_keys().map(|name| format!("{}/{name}", source.dir)));
    }
    let mut validator = program(python);
    validator
        .args(["-m", "openapi_spec_validator", "--schema", "3.1", "--validation-errors", "all"])
        .args(&files);
    run(validator)?;
    Ok(format!("{} documents", files.len()))
}

fn write(source: &Source) -> Result {
    let dir = root().join(source.dir);
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let current = print(source)?;
    for name in committed(source)?.keys().filter(|n| !current.contains_key(*n)) {
        std::fs::remove_file(dir.join(name)).map_err(|e| format!("{}/{name}: {e}", source.dir))?;
        println!("{}/{name} removed", source.dir);
    }
    for (name, text) in &current {
        std::fs::write(dir.join(name), text).map_err(|e| format!("{}/{name}: {e}", source.dir))?;
        println!("{}/{name} written", source.dir);
    }
    Ok(())
}

/// What the program says today: one document a service, and the one that the edge serves under the program's name.
fn print(source: &Source) -> Result<Documents> {
    let ask = |arguments: &[&str]| {
        let words = ["run", "--quiet", "--package", source.package, "--", "openapi"];
        capture(cargo(words.iter().chain(arguments)))
    };
    let mut documents = Documents::new();
    documents.insert(format!("{}.json", source.package), document(&ask(&[])?)?);
    for name in ask(&["--list"])?.lines() {
        if !is_name(name) {
            return Err(format!(
                "`{} openapi --list` printed {name:?}: one service name a line",
                source.package
            ));
        }
        let text = document(&ask(&[name])?).map_err(|e| format!("{name}: {e}"))?;
        // A service may be called as its program is; the program's file is what the edge serves.
        let file =
            if name == source.package { format!("{name}.service.json") } else { format!("{name}.json") };
        if documents.insert(file, text).is_some() {
            return Err(format!("`{} openapi --list` names {name} twice", source.package));
        }
    }
    if documents.len() < 2 {
        return Err(format!("`{} openapi --list` names no service", source.package));
    }
    Ok(documents)
}

fn committed(source: &Source) -> Result<Documents> {
    let dir = root().join(source.dir);
    let mut documents = Documents::new();
    let Ok(entries) = std::fs::read_dir(&dir) else { return Ok(documents) };
    for path in entries.map_while(std::result::Result::ok).map(|e| e.path()) {
        if let Some(name) = path.file_name().and_then(|n| n.to_str()).filter(|n| is_json(n)) {
            let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            documents.insert(name.to_owned(), text);
        }
    }
    Ok(documents)
}

fn is_json(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e == "json")
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// An OpenAPI 3.1 document, ending in one newline.
fn document(text: &str) -> Result<String> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|e| format!("no JSON document: {e}"))?;
    match json["openapi"].as_str() {
        Some(version) if version.starts_with("3.1.") => Ok(format!("{}\n", text.trim_end())),
        other => Err(format!("`openapi` is {other:?}, wanted 3.1")),
    }
}

fn compare(committed: &Documents, current: &Documents) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, now) in current {
        match committed.get(name) {
            None => differences.push(format!("{name}: not committed")),
            Some(then) if then == now => {}
            Some(then) => {
                let same = then.lines().zip(now.lines()).take_while(|(a, b)| a == b).count();
                let line = |text: &str| text.lines().nth(same).unwrap_or("(end of file)").trim().to_owned();
                differences.push(format!("{name}:{}: committed {}, now {}", same + 1, line(then), line(now)));
            }
        }
    }
    let gone = committed.keys().filter(|name| !current.contains_key(*name));
    differences.extend(gone.map(|name| format!("{name}: belongs to no service")));
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(of: &[(&str, &str)]) -> Documents {
        of.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn equal_documents_pass_and_every_difference_is_named() {
        let now = documents(&[("a.json", "{\n1\n}\n"), ("b.json", "{}\n")]);
        assert_eq!(compare(&now, &now), Vec::<String>::new());
        let then = documents(&[("a.json", "{\n2\n}\n"), ("c.json", "{}\n")]);
        let expected =
            ["a.json:2: committed 2, now 1", "b.json: not committed", "c.json: belongs to no service"];
        assert_eq!(compare(&then, &now), expected);
        let shorter = documents(&[("a.json", "{\n"), ("b.json", "{}\n")]);
        assert_eq!(compare(&shorter, &now), ["a.json:2: committed (end of file), now 1"]);
    }

    #[test]
    fn only_documents_of_the_wanted_version_are_taken() {
        assert_eq!(document("{\"openapi\": \"3.1.1\"}\n\n").unwrap(), "{\"openapi\": \"3.1.1\"}\n");
        assert!(document("{\"openapi\": \"3.0.3\"}").is_err());
        assert!(document("hello").is_err());
    }

    #[test]
    fn a_listed_name_cannot_leave_the_directory() {
        assert!(is_name("orders") && is_name("orders-v2"));
        assert!(!is_name("../orders") && !is_name("") && !is_name("a b"));
        assert!(is_json("orders.json") && !is_json("README.md") && !is_json("json"));
    }
}
