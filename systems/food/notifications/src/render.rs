//! Fills the `{variable}` places of a template.

use std::collections::BTreeMap;

/// What a text consists of.
#[derive(Debug, PartialEq)]
enum Piece<'t> {
    Words(&'t str),
    Place(&'t str),
}

/// The text with its places filled, or the names of all variables that are missing. What a variable says is never read
/// as a place.
pub(crate) fn render(text: &str, variables: &BTreeMap<String, String>) -> Result<String, Vec<String>> {
    let missing: Vec<String> =
        names(text).into_iter().filter(|name| !variables.contains_key(*name)).map(str::to_owned).collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let filled = pieces(text).map(|piece| match piece {
        Piece::Words(words) => words,
        Piece::Place(name) => variables.get(name).map_or("", String::as_str),
    });
    Ok(filled.collect())
}

/// The variables a text needs, each once, in the order of their places.
pub(crate) fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for piece in pieces(text) {
        if let Piece::Place(name) = piece
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// A brace without its other half is a word.
fn pieces(mut text: &str) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        let opened = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        if let Some((name, rest)) = opened {
            text = rest;
            return Some(Piece::Place(name));
        }
        let first = text.chars().next()?.len_utf8();
        let end = text[first..].find('{').map_or(text.len(), |at| first + at);
        let (words, rest) = text.split_at(end);
        text = rest;
        Some(Piece::Words(words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn places_are_filled() {
        let known = variables(&[("a", "soup"), ("b", "{a}"), ("ü", "ö")]);
        for (text, rendered) in [
            ("", ""),
            ("no place", "no place"),
            ("{a}", "soup"),
            ("{a}{a}", "soupsoup"),
            ("hot {a}, please", "hot soup, please"),
            // What a variable says is not a place.
            ("{b}!", "{a}!"),
            ("ä{ü}ä", "äöä"),
            // Half a place is none.
            ("{", "{"),
            ("}{a}", "}soup"),
            ("a { b", "a { b"),
        ] {
            assert_eq!(render(text, &known).as_deref(), Ok(rendered), "{text}");
        }
    }

    #[test]
    fn all_missing_variables_are_named_at_once() {
        let known = variables(&[("a", "soup")]);
        for (text, missing) in [("{b}", vec!["b"]), ("{c} {a} {b} {c}", vec!["c", "b"]), ("{}", vec![""])] {
            assert_eq!(render(text, &known), Err(missing.into_iter().map(str::to_owned).collect()), "{text}");
        }
    }
}
