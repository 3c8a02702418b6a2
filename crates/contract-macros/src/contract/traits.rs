//! The trait as it leaves: written with `async fn`, promised with `Send` futures.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{FnArg, ItemTrait, Pat, ReturnType, Signature, Token, TraitItem, parse_quote};

use super::operation;

/// The trait of the output.
pub(super) fn rewrite(mut item: ItemTrait, routes: TokenStream) -> ItemTrait {
    item.colon_token = Some(Token![:](item.ident.span()));
    item.supertraits = parse_quote!(::core::marker::Send + ::core::marker::Sync + 'static);
    for member in &mut item.items {
        if let TraitItem::Fn(method) = member {
            method.attrs.retain(|attribute| !operation::is_route(attribute));
            method.default = None;
            method.semi_token.get_or_insert_default();
            method.sig = promised(&method.sig);
        }
    }
    item.items.push(TraitItem::Verbatim(routes));
    item
}

/// The signature with a future that is `Send`.
pub(super) fn promised(signature: &Signature) -> Signature {
    let mut signature = signature.clone();
    let output = match &signature.output {
        ReturnType::Type(_, ty) => quote!(#ty),
        ReturnType::Default => quote!(()),
    };
    signature.asyncness = None;
    signature.output = parse_quote!(-> impl ::core::future::Future<Output = #output> + ::core::marker::Send);
    signature
}

/// The names of its arguments, to pass them on.
pub(super) fn names(signature: &Signature) -> impl Iterator<Item = TokenStream> {
    signature.inputs.iter().filter_map(|argument| match argument {
        FnArg::Receiver(receiver) => Some(receiver.self_token.to_token_stream()),
        FnArg::Typed(argument) => match &*argument.pat {
            Pat::Ident(pattern) => Some(pattern.ident.to_token_stream()),
            _ => None,
        },
    })
}

/// The signatures of the trait's methods.
pub(super) fn signatures(item: &ItemTrait) -> impl Iterator<Item = &Signature> {
    item.items.iter().filter_map(|item| match item {
        TraitItem::Fn(method) => Some(&method.sig),
        _ => None,
    })
}
