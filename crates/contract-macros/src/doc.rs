//! Doc comments as text.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// Whether it is a piece of a doc comment.
pub(crate) fn is_doc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
}

/// The doc comment among these attributes, without the space that follows `///`.
pub(crate) fn text(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| is_doc(attribute)) {
        if let Meta::NameValue(meta) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value
        {
            let text = text.value();
            lines.extend(
                text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()),
            );
            if text.is_empty() {
                lines.push(String::new());
            }
        }
    }
    lines.join("\n").trim().to_owned()
}

/// The first sentence, on one line. A full stop ends it when what follows starts anew, so that `e.g. this` does not.
pub(crate) fn first_sentence(text: &str) -> Option<String> {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let ends = |at: &usize| {
        let next = words.get(at + 1).and_then(|word| word.chars().next());
        words[*at].ends_with(['.', '!', '?']) && next.is_none_or(|next| !next.is_lowercase())
    };
    let last = (0..words.len()).find(ends).or_else(|| words.len().checked_sub(1))?;
    Some(words[..=last].join(" "))
}

/// A sentence from a code: `order-not-found` says "Order not found."
pub(crate) fn humanise(code: &str) -> String {
    let mut words = code.replace('-', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words + "."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_people_end_them() {
        for (text, sentence) in [
            ("There is no such order.", "There is no such order."),
            ("One. Two.", "One."),
            ("No full stop", "No full stop"),
            ("Broken\nover lines. And\nmore.", "Broken over lines."),
            ("A paragraph\n\nand another.", "A paragraph"),
            ("Some, e.g. this one. Not that.", "Some, e.g. this one."),
            ("What? Yes.", "What?"),
        ] {
            assert_eq!(first_sentence(text).as_deref(), Some(sentence), "{text:?}");
        }
        assert_eq!(first_sentence(""), None);
    }

    #[test]
    fn doc_comments_keep_their_paragraphs() {
        let item: syn::ItemStruct = syn::parse_quote! {
            /// One
            /// two.
            ///
            ///     code
            #[other]
            struct S;
        };
        assert_eq!(text(&item.attrs), "One\ntwo.\n\n    code");
        assert_eq!(humanise("order-not-found"), "Order not found.");
    }
}
