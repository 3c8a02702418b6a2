//! Fills the `{variable}` places of a template.

/// What a text consists of.
#[derive(Debug, PartialEq)]
enum Piece<'t> {
    Words(&'t str),
    Place(&'t str),
}

/// The text with its places filled, a variable that is missing by nothing. What a variable says is never read as a place.
pub(crate) fn render(text: &str, value: impl Fn(&str) -> String) -> String {
    let filled = pieces(text).map(|piece| match piece {
        Piece::Words(words) => words.to_owned(),
        Piece::Place(name) => value(name),
    });
    filled.collect()
}

/// Adds the variables a text needs, each once, in the order of their places.
pub(crate) fn names<'t>(text: &'t str, names: &mut Vec<&'t str>) {
    for piece in pieces(text) {
        if let Piece::Place(name) = piece
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
}

/// As it is written in HTML, text and quoted attributes alike.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
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

    #[test]
    fn places_are_filled() {
        let known = |name: &str| match name {
            "a" => "soup".to_owned(),
            "b" => "{a}".to_owned(),
            "ü" => "ö".to_owned(),
            _ => String::new(),
        };
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
            assert_eq!(render(text, known), rendered, "{text}");
        }
    }

    #[test]
    fn places_are_named_once() {
        for (text, wanted) in [("{b}", vec!["b"]), ("{c} {a} {b} {c}", vec!["c", "a", "b"]), ("{}", vec![""])]
        {
            let mut found = Vec::new();
            names(text, &mut found);
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn html_is_escaped() {
        assert_eq!(escaped("<b title='\"'>&amp;"), "&lt;b title=&#39;&quot;&#39;&gt;&amp;amp;");
    }
}
