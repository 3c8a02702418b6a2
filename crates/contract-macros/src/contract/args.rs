//! The arguments of `#[contract(..)]`.

use proc_macro2::{Span, TokenStream};
use syn::LitInt;

use super::template;
use crate::errors::Errors;
use crate::words::Words;

const USAGE: &str = "a contract names its paths: `version = 1` for `/api/v1`, or a `prefix` of its own";

/// The validated arguments.
#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) service: String,
    /// 0 for paths outside any version.
    pub(super) version: u16,
    /// What comes before every path.
    pub(super) prefix: String,
    pub(super) compat: bool,
}

/// Reads them; `None` if they cannot be used.
pub(super) fn read(tokens: TokenStream, errors: &mut Errors) -> Option<Args> {
    let mut words = Words::parse(Span::call_site(), tokens, errors);
    words.needs(&["service"], errors);
    let service = words.text("service", errors);
    let has_paths = words.has(&["version", "prefix"]);
    let version = words.number("version", errors);
    let prefix = words.text("prefix", errors);
    let compat = words.flag("compat", errors).is_some();
    let all_known = words.finish(errors);

    if let Some(service) = &service
        && !is_service_name(&service.value())
    {
        errors.at(service, "a service's name is in kebab-case: `a-z`, `0-9` and `-`");
    }
    let (version, prefix) = match (version, prefix) {
        (None, None) => {
            if all_known && !has_paths {
                errors.push(syn::Error::new(Span::call_site(), USAGE));
            }
            return None;
        }
        (Some(version), None) => {
            let number = number(&version, errors)?;
            if number == 0 {
                errors.at(&version, USAGE);
            }
            (number, format!("/api/v{number}"))
        }
        (version, Some(prefix)) => {
            if let Some(version) = version
                && number(&version, errors) != Some(0)
            {
                errors.at(&version, "a prefix is for paths outside any version");
            }
            let text = prefix.value();
            if !text.is_empty() && !template::is_plain(&text) {
                errors.at(&prefix, "a prefix is `/words/like/these`, without a slash at the end");
            }
            (0, text)
        }
    };
    Some(Args { service: service?.value(), version, prefix, compat })
}

fn number(version: &LitInt, errors: &mut Errors) -> Option<u16> {
    let number = version.base10_parse();
    if number.is_err() {
        errors.at(version, "versions are 1 to 65535");
    }
    number.ok()
}

fn is_service_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
