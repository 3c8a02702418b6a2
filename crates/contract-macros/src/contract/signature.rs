//! The signature of an operation: `async fn place(&self, cx: &Call, order: NewOrder) -> Outcome<..>`.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{FnArg, Ident, Pat, Receiver, ReturnType, Signature, Type};

use super::operation::Verb;
use super::template::Template;
use crate::errors::Errors;

/// An argument after the call.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: Ident,
    pub(super) ty: Type,
    pub(super) source: Source,
}

/// Where an argument comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Path,
    Query,
    Body,
}

/// What is left of a signature when it is in order.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) call: Ident,
    pub(super) arguments: Vec<Argument>,
    pub(super) reply: Type,
}

/// Checks it and takes it apart.
pub(super) fn read(
    signature: &Signature,
    verb: Verb,
    template: &Template,
    errors: &mut Errors,
) -> Option<Parts> {
    let mut arguments = signature.inputs.iter();
    let receiver = arguments.next();
    let call = arguments.next();
    let call = check_first(signature, receiver, call, errors);
    let named: Vec<(&Ident, &Type)> = arguments.filter_map(|argument| named(argument, errors)).collect();
    for (_, ty) in &named {
        check_type(ty, errors);
    }
    // Without the call nobody knows which arguments are meant.
    let arguments = call.is_some().then(|| assign(&named, verb, template, errors));
    let reply = match &signature.output {
        ReturnType::Type(_, ty) => {
            check_type(ty, errors);
            Some((**ty).clone())
        }
        ReturnType::Default => {
            errors.at(&signature.ident, "an operation returns `Outcome<T, E>`");
            None
        }
    };
    Some(Parts { call: call?, arguments: arguments?, reply: reply? })
}

/// What no operation may have, whatever its route is.
pub(super) fn check(signature: &Signature, errors: &mut Errors) {
    if signature.asyncness.is_none() {
        errors.at(signature.fn_token, "an operation is an `async fn`");
    }
    if !signature.generics.params.is_empty() {
        errors.at(&signature.generics, "an operation has no generics: one schema describes each argument");
    } else if let Some(clause) = &signature.generics.where_clause {
        errors.at(clause, "an operation has no bounds");
    }
    if let Some(unsafety) = &signature.unsafety {
        errors.at(unsafety, "an operation is not unsafe");
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, "an operation has no ABI");
    }
}

/// `&self, cx: &Call`
fn check_first(
    signature: &Signature,
    receiver: Option<&FnArg>,
    call: Option<&FnArg>,
    errors: &mut Errors,
) -> Option<Ident> {
    let Some(FnArg::Receiver(receiver)) = receiver else {
        match receiver {
            Some(other) => errors.at(other, "the first argument of an operation is `&self`"),
            None => errors.at(&signature.ident, "the first arguments of an operation are `&self, cx: &Call`"),
        }
        return None;
    };
    let is_plain =
        matches!(receiver, Receiver { reference: Some((_, None)), mutability: None, colon_token: None, .. });
    if !is_plain {
        errors.at(receiver, "an operation takes `&self`: it runs many times at once");
    }
    let Some(call) = call else {
        errors.at(receiver, "the call comes after `&self`: `cx: &Call`");
        return None;
    };
    let (name, ty) = named(call, errors)?;
    let is_call = match ty {
        Type::Reference(reference) if reference.mutability.is_none() => match &*reference.elem {
            Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "Call"),
            _ => false,
        },
        _ => false,
    };
    if !is_call {
        errors.at(call, "the call comes after `&self`: `cx: &Call`");
        return None;
    }
    Some(name.clone())
}

fn named<'a>(argument: &'a FnArg, errors: &mut Errors) -> Option<(&'a Ident, &'a Type)> {
    match argument {
        FnArg::Typed(argument) => match &*argument.pat {
            Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.mutability.is_none() => {
                Some((&pattern.ident, &argument.ty))
            }
            pattern => {
                errors.at(pattern, "an argument has a plain name");
                None
            }
        },
        FnArg::Receiver(receiver) => {
            errors.at(receiver, "`self` comes first");
            None
        }
    }
}

/// A name in the template is a path parameter; the one other argument is the body or the query.
fn assign(named: &[(&Ident, &Type)], verb: Verb, template: &Template, errors: &mut Errors) -> Vec<Argument> {
    for place in &template.places {
        if !named.iter().any(|(name, _)| name.unraw() == place.as_str()) {
            errors.at(&template.literal, format_args!("`{{{place}}}` has no argument of that name"));
        }
    }
    let mut other: Option<&Ident> = None;
    let mut arguments = Vec::new();
    for (name, ty) in named {
        let source = if template.places.iter().any(|place| name.unraw() == place.as_str()) {
            Source::Path
        } else {
            if let Some(first) = other.replace(name) {
                errors.at(name, format_args!(
                    "`{first}` is the {} already, and `{name}` is not in the path; put both into one struct",
                    if verb.has_body() { "body" } else { "query" },
                ));
            }
            if verb.has_body() { Source::Body } else { Source::Query }
        };
        arguments.push(Argument { name: (*name).clone(), ty: (*ty).clone(), source });
    }
    arguments
}

/// Types are repeated where `Self`, a lifetime and an `impl` would mean something else.
fn check_type(ty: &Type, errors: &mut Errors) {
    match ty {
        Type::Reference(_) => errors.at(ty, "arguments and answers are owned: they cross the network"),
        Type::ImplTrait(_) => {
            errors.at(ty, "an operation has no generics: one schema describes each argument")
        }
        _ if mentions_self(ty.to_token_stream()) => {
            errors.at(ty, "write the type out: `Self` differs by implementation")
        }
        _ => {}
    }
}

fn mentions_self(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "Self",
        TokenTree::Group(group) => mentions_self(group.stream()),
        _ => false,
    })
}
