//! Links in Markdown files lead to files that exist.

use crate::tidy::repo::{File, Repo};
use crate::violation::Violation;

pub(crate) fn lead_somewhere(repo: &Repo) -> Vec<Violation> {
    let mut found = Vec::new();
    // Pages under `src/` are included into rustdoc, which resolves their links itself.
    for file in repo.files.iter().filter(|f| f.is("md") && !f.path.contains("/src/")) {
        for (line, target) in links(file) {
            let exists = resolve(&file.path, &target).is_some_and(|path| repo.paths.contains(&path));
            if !exists {
                let instead = "link to a tracked file, relative to this one";
                found.push(Violation::new(
                    &file.path,
                    line,
                    format!("the link `{target}` leads nowhere"),
                    instead,
                ));
            }
        }
    }
    found
}

/// The relative links of a file, without the anchors, with their lines. Code is not looked at.
fn links(file: &File) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (n, line) in file.lines() {
        if ["```", "~~~"].iter().any(|fence| line.trim_start().starts_with(fence)) {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second piece between backticks is code.
        let prose: String = line.split('`').step_by(2).collect();
        let inline = prose.match_indices("](").map(|(at, _)| &prose[at + 2..]);
        let definition =
            prose.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
        for raw in inline.chain(definition) {
            let target = raw.trim_start_matches('<').split([')', '>', ' ', '#']).next().unwrap_or_default();
            let elsewhere = target.contains(':') || target.is_empty();
            if !elsewhere {
                found.push((n, target.to_owned()));
            }
        }
    }
    found
}

/// The path from the repository root; None when the link leaves the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, broken: &[usize]) {
        let repo = Repo::of(&[("docs/a/x.md", text), ("docs/b.md", ""), ("src/lib.rs", "")]);
        let found: Vec<_> = lead_somewhere(&repo).into_iter().map(|v| v.line).collect();
        assert_eq!(found, broken, "{text}");
    }

    #[test]
    fn links_to_files_and_directories_are_followed() {
        check("[b](../b.md) and ![x](x.md#part), [src](../../src/), [root](/docs)\n", &[]);
        check("[b](b.md)\n", &[1]);
        check("fine\n[ok](../b.md) then [gone](../gone.md)\n", &[2]);
        check("[out](../../../etc/passwd)\n", &[1]);
        check("[titled](../b.md \"Title\")\n[titled](gone.md \"Title\")\n", &[2]);
    }

    #[test]
    fn definitions_count_and_code_and_urls_do_not() {
        check("[b]: ../b.md\n[c]: gone.md\n", &[2]);
        check("[w](https://example.org/x) [m](mailto:a@example.org) [here](#part)\n", &[]);
        check("```\n[x](gone.md)\n```\n`[x](gone.md)` [y](gone.md)\n", &[4]);
        check("[`Code`](gone.md)\n", &[1]);
    }
}
