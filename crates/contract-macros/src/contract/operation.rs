//! One operation: a method and its route, `#[post("/orders", role = "customer", keyed)]`.

use std::time::Duration;

use quote::format_ident;
use syn::ext::IdentExt as _;
use syn::{Attribute, Ident, LitStr, TraitItemFn};

use super::signature::{self, Argument, Source};
use super::template::{self, Template};
use crate::doc;
use crate::errors::Errors;
use crate::words::Words;

/// The words that say who may call it.
const ACCESS: [&str; 4] = ["public", "authenticated", "role", "roles"];

/// The validated operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: Ident,
    pub(super) attributes: Vec<Attribute>,
    pub(super) doc: String,
    pub(super) verb: Verb,
    pub(super) template: Template,
    pub(super) access: Access,
    pub(super) keyed: bool,
    pub(super) precondition: bool,
    pub(super) no_store: bool,
    pub(super) timeout: Option<Duration>,
    /// The name of the `&Call`.
    pub(super) call: Ident,
    /// In the order of the signature.
    pub(super) arguments: Vec<Argument>,
    pub(super) reply: syn::Type,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// Who may call it.
#[derive(Debug)]
pub(super) enum Access {
    Public,
    Authenticated,
    Roles(Vec<String>),
}

/// Whether the attribute is a route.
pub(super) fn is_route(attribute: &Attribute) -> bool {
    Verb::of(attribute).is_some()
}

/// Reads a method; `None` if it cannot be an operation.
pub(super) fn read(prefix: &str, method: &TraitItemFn, errors: &mut Errors) -> Option<Operation> {
    let name = &method.sig.ident;
    signature::check(&method.sig, errors);
    if let Some(body) = &method.default {
        errors.at(body, "an operation has no default body: every service answers for itself");
    }
    for attribute in &method.attrs {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            errors.at(attribute, "an operation is there in every build: a contract is one");
        }
    }
    let mut routes = method.attrs.iter().filter_map(|attribute| Some((Verb::of(attribute)?, attribute)));
    let Some((verb, attribute)) = routes.next() else {
        errors.at(
            name,
            "an operation has a route: `#[get(\"/path/{id}\", public)]`, or post, put, patch, delete",
        );
        return None;
    };
    for (_, again) in routes {
        errors.at(again, "an operation has one route");
    }

    let mut words = Words::of(attribute, errors);
    let span = words.span();
    let path = words.string("the path, `\"/orders/{id}\"`,", errors);
    let access_is_stated = words.has(&ACCESS);
    let access = read_access(&mut words, errors);
    let keyed = words.flag("keyed", errors);
    let precondition = words.flag("precondition", errors);
    let no_store = words.flag("no_store", errors);
    let timeout = words.text("timeout", errors);
    if words.finish(errors) && !access_is_stated {
        let message = "say who may call it: `public`, `authenticated`, `role = \"..\"` or `roles = [..]`";
        errors.push(syn::Error::new(span, message));
    }

    if verb == Verb::Get {
        if let Some(keyed) = &keyed {
            errors.at(keyed, "a key is for operations that write: a GET repeats itself anyway");
        }
        if let Some(precondition) = &precondition {
            errors.at(precondition, "a precondition is for operations that write");
        }
    }
    let timeout = timeout.and_then(|text| read_timeout(&text, errors));
    let template = template::read(prefix, path?, errors);
    let parts = signature::read(&method.sig, verb, &template, errors)?;
    Some(Operation {
        name: name.clone(),
        attributes: method.attrs.clone(),
        doc: doc::text(&method.attrs),
        verb,
        template,
        access: access?,
        keyed: keyed.is_some(),
        precondition: precondition.is_some(),
        no_store: no_store.is_some(),
        timeout,
        call: parts.call,
        arguments: parts.arguments,
        reply: parts.reply,
    })
}

/// Access is never assumed: exactly one way is stated.
fn read_access(words: &mut Words, errors: &mut Errors) -> Option<Access> {
    let mut stated: Vec<Access> = Vec::new();
    let mut state = |word: &dyn quote::ToTokens, access: Access, errors: &mut Errors| {
        if !stated.is_empty() {
            errors.at(word, "who may call it is said already");
        }
        stated.push(access);
    };
    if let Some(word) = words.flag("public", errors) {
        state(&word, Access::Public, errors);
    }
    if let Some(word) = words.flag("authenticated", errors) {
        state(&word, Access::Authenticated, errors);
    }
    if let Some(role) = words.text("role", errors) {
        state(&role, roles(std::slice::from_ref(&role), errors), errors);
    }
    if let Some((list, texts)) = words.list("roles", errors) {
        if texts.is_empty() {
            errors.at(&list, "name at least one role");
        }
        state(&list, roles(&texts, errors), errors);
    }
    stated.into_iter().next()
}

fn roles(texts: &[LitStr], errors: &mut Errors) -> Access {
    let mut names: Vec<String> = Vec::new();
    for text in texts {
        let name = text.value();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
            errors.at(text, "a role is one word");
        }
        if names.contains(&name) {
            errors.at(text, "this role is there twice");
        }
        names.push(name);
    }
    Access::Roles(names)
}

/// `250ms`, `5s`, `2m`
fn read_timeout(text: &LitStr, errors: &mut Errors) -> Option<Duration> {
    let value = text.value();
    let (digits, unit) = value.split_at(value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len()));
    let millis = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let timeout =
        millis.and_then(|unit| digits.parse::<u64>().ok()?.checked_mul(unit)).filter(|millis| *millis > 0);
    if timeout.is_none() {
        errors.at(text, "a timeout is `\"250ms\"`, `\"5s\"` or `\"2m\"`");
    }
    timeout.map(Duration::from_millis)
}

// === impl Operation ===

impl Operation {
    /// The name in the table.
    pub(super) fn text_name(&self) -> String {
        self.name.unraw().to_string()
    }

    /// Path parameters in the order of the template.
    pub(super) fn params(&self) -> impl Iterator<Item = (&str, &Argument)> {
        self.template.places.iter().filter_map(|place| {
            let argument = self.arguments.iter().find(|argument| argument.name.unraw() == place.as_str())?;
            Some((place.as_str(), argument))
        })
    }

    /// The body or the query.
    pub(super) fn input(&self, source: Source) -> Option<&Argument> {
        self.arguments.iter().find(|argument| argument.source == source)
    }
}

// === impl Verb ===

impl Verb {
    fn of(attribute: &Attribute) -> Option<Self> {
        let name = attribute.path().get_ident()?;
        let verbs = [
            ("get", Self::Get),
            ("post", Self::Post),
            ("put", Self::Put),
            ("patch", Self::Patch),
            ("delete", Self::Delete),
        ];
        verbs.into_iter().find(|(own, _)| name == own).map(|(_, verb)| verb)
    }

    /// Whether its one other argument is a body rather than the query.
    pub(super) fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }

    /// Its name in the runtime's enum.
    pub(super) fn variant(self) -> Ident {
        format_ident!("{self:?}")
    }
}
