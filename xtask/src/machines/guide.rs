//! The guide as commands: its console blocks, each for the machines its fence names.

use crate::process::{Result, root};

const GUIDE: &str = "docs/guides/three-machines.md";
const FENCE: &str = "```";
const KIND: &str = "console";
/// In what is shown: anything.
const ANYTHING: &str = "...";

/// What is done on some machines, one after another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Where it is in the guide.
    pub(super) line: usize,
    pub(super) machines: Vec<String>,
    pub(super) commands: Vec<Command>,
}

/// A command, and what it prints as far as the guide shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// Where it is in the guide.
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) shown: Vec<String>,
}

pub(super) fn read() -> Result<Vec<Block>> {
    let path = root().join(GUIDE);
    parse(&std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?)
}

/// Every block of a console has to say whose it is, so that none is left out by mistake.
fn parse(text: &str) -> Result<Vec<Block>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(info) = text.strip_prefix(FENCE) {
            let mut words = info.split_whitespace().map(str::to_owned);
            is_open = match words.next().as_deref() {
                None => false,
                Some(KIND) if !is_open => {
                    blocks.push(Block { line, machines: words.collect(), commands: Vec::new() });
                    true
                }
                Some(_) => return Err(format!("{GUIDE}:{line}: a block that is nobody's console")),
            };
            if blocks.last().is_some_and(|block| block.machines.is_empty()) {
                return Err(format!("{GUIDE}:{line}: a console that is on no machine"));
            }
        } else if let Some(block) = blocks.last_mut().filter(|_| is_open) {
            if let Some(text) = text.strip_prefix("$ ") {
                block.commands.push(Command { line, text: text.to_owned(), shown: Vec::new() });
                continue;
            }
            let command = block.commands.last_mut();
            let command = command.ok_or_else(|| format!("{GUIDE}:{line}: what said that?"))?;
            match text.strip_prefix("> ").or_else(|| (text == ">").then_some("")) {
                Some(more) => command.text += &format!("\n{more}"),
                None => command.shown.push(text.to_owned()),
            }
        }
    }
    if is_open { Err(format!("{GUIDE}: a block does not end")) } else { Ok(blocks) }
}

// === impl Command ===

impl Command {
    /// The first line that is shown and was not said, if there is one. What is said may be more.
    pub(super) fn missing(&self, said: &[String]) -> Option<&str> {
        let mut said = said.iter();
        self.shown.iter().map(String::as_str).find(|shown| !said.any(|line| fits(shown, line)))
    }
}

/// Whether a line is as shown. How far its words are apart does not matter.
fn fits(shown: &str, line: &str) -> bool {
    let even = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, line) = (even(shown), even(line));
    let mut parts = shown.split(ANYTHING);
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_commands_and_what_they_show() {
        let text = "words\n```console a b\n$ one \\\n>   two\n> three\nsaid\n\n$ four\n```\n$ words\n";
        let [block] = &parse(text).unwrap()[..] else { panic!("one block") };
        assert_eq!((block.line, &block.machines[..]), (2, &["a".to_owned(), "b".to_owned()][..]));
        let [one, four] = &block.commands[..] else { panic!("two commands") };
        assert_eq!((one.line, &*one.text), (3, "one \\\n  two\nthree"));
        assert_eq!(one.shown, ["said", ""]);
        assert_eq!((four.line, &*four.text, four.shown.len()), (8, "four", 0));
    }

    #[test]
    fn a_block_that_would_not_be_run_is_an_error() {
        for (text, needle) in [
            ("```console\n$ one\n```\n", ":1: a console that is on no machine"),
            ("```\n$ one\n```\n```sh\n", ":4: a block that is nobody's console"),
            ("```console a\nsaid\n```\n", ":2: what said that?"),
            ("```console a\n$ one\n", "does not end"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(needle), "{error}");
        }
    }

    #[test]
    fn what_is_shown_has_to_be_said_in_order() {
        let command = |shown: &[&str]| Command {
            line: 1,
            text: String::new(),
            shown: shown.iter().map(|line| (*line).to_owned()).collect(),
        };
        let said = ["one 1", "  two   2 ", "three 3"].map(str::to_owned);
        assert_eq!(command(&["one 1", "two 2", "three ..."]).missing(&said), None);
        assert_eq!(command(&["one 1", "...", "three 3"]).missing(&said), None);
        assert_eq!(command(&["three 3", "one 1"]).missing(&said), Some("one 1"));
        assert_eq!(command(&["one"]).missing(&said), Some("one"));
        assert_eq!(command(&["o...e...1", "t...2"]).missing(&said), None);
        assert_eq!(command(&["o...z...1"]).missing(&said), Some("o...z...1"));
    }

    #[test]
    fn the_guide_can_be_read_and_its_machines_are_there() {
        let blocks = read().unwrap();
        let known: Vec<&str> = super::super::lan::MACHINES.iter().map(|(name, _)| *name).collect();
        for block in &blocks {
            assert!(block.machines.iter().all(|name| known.contains(&name.as_str())), "line {}", block.line);
        }
        for name in known {
            assert!(
                blocks.iter().any(|block| block.machines.iter().any(|machine| machine == name)),
                "{name}"
            );
        }
    }
}
