//! Path templates: `/orders/{id}/items/{item_id}`.

use syn::LitStr;

use crate::errors::Errors;

/// A validated template.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) literal: LitStr,
    /// With the contract's prefix.
    pub(super) path: String,
    /// The names of its places, in order.
    pub(super) places: Vec<String>,
}

/// Reads one. Places that cannot be used are left out, so that what follows can still be checked.
pub(super) fn read(prefix: &str, literal: LitStr, errors: &mut Errors) -> Template {
    let text = literal.value();
    // The root of the prefix is the one path that is only a slash.
    let rest = if text == "/" && !prefix.is_empty() { "" } else { text.as_str() };
    let mut places: Vec<String> = Vec::new();
    if !text.starts_with('/') {
        errors.at(&literal, "a path starts with `/`");
    } else if text.len() > 1 && text.ends_with('/') {
        errors.at(&literal, "a path has no slash at the end");
    } else {
        for segment in text.split('/').skip(1).filter(|_| text != "/") {
            match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) if !is_name(name) => {
                    errors.at(&literal, format_args!("`{segment}` is not a place: `{{name}}` is, named as an argument"));
                }
                Some(name) if places.iter().any(|known| known == name) => {
                    errors.at(&literal, format_args!("`{segment}` is there twice"));
                }
                Some(name) => places.push(name.to_owned()),
                None if !is_segment(segment) => errors.at(
                    &literal,
                    format_args!("`{segment}` is not a segment: use letters, digits, `-`, `.`, `_`, `~`, or one whole `{{name}}`"),
                ),
                None => {}
            }
        }
    }
    Template { path: format!("{prefix}{rest}"), literal, places }
}

/// A path without places.
pub(super) fn is_plain(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
}

fn is_segment(segment: &str) -> bool {
    // `.` and `..` would be resolved away by clients (RFC 3986 section 5.2.4).
    !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

// === impl Template ===

impl Template {
    /// What a router sees: two templates of one shape are one route.
    pub(super) fn shape(&self) -> String {
        self.places.iter().fold(self.path.clone(), |path, name| path.replace(&format!("{{{name}}}"), "{}"))
    }
}
