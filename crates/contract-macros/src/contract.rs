//! `#[contract]`: a trait is a contract.

mod args;
mod client;
mod operation;
mod server;
mod signature;
mod table;
mod template;
mod traits;

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, Ident, ItemTrait, TraitItem, Visibility};

use self::args::Args;
use self::operation::Operation;
use crate::doc;
use crate::errors::Errors;
use crate::expand::Root;

/// Names of the output that an operation may not take.
const TAKEN: [&str; 3] = ["routes", "over", "clone"];

/// The validated contract.
struct Contract {
    root: Root,
    args: Args,
    vis: Visibility,
    /// The trait's name.
    name: Ident,
    /// The name of the operation table.
    table: Ident,
    /// The name of the client.
    client: Ident,
    doc: String,
    operations: Vec<Operation>,
}

/// Runs the macro. Whatever is wrong, what others refer to is there, so that only the mistake is reported.
pub(crate) fn expand(root: Root, args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = args::read(args, &mut errors);
    let mut item = match syn::parse2::<ItemTrait>(item.clone()) {
        Ok(item) => item,
        Err(error) => {
            errors.push(syn::Error::new(error.span(), format_args!("a contract is a trait: {error}")));
            let errors = errors.into_tokens();
            return quote!(#errors #item);
        }
    };
    let operations = read(&mut item, args.as_ref(), &mut errors);
    let name = item.ident.clone();
    let mut contract = Contract {
        root,
        args: args.unwrap_or_default(),
        vis: item.vis.clone(),
        table: Ident::new(&screaming_snake(&name.unraw().to_string()), name.span()),
        client: format_ident!("{}Client", name.unraw(), span = name.span()),
        name,
        doc: doc::text(&item.attrs),
        operations,
    };
    let Some(errors) = errors.into_tokens() else { return contract.emit(item) };
    contract.operations.clear();
    let (table, client, stub) = (contract.table(), contract.client(), contract.client_stub(&item));
    let item = traits::rewrite(item, contract.routes());
    quote!(#errors #item #table #client #stub)
}

/// Reads the trait's operations, and takes out what a trait of ours cannot have.
fn read(item: &mut ItemTrait, args: Option<&Args>, errors: &mut Errors) -> Vec<Operation> {
    if let Some(unsafety) = &item.unsafety {
        errors.at(unsafety, "a contract is not unsafe");
    }
    if !item.generics.params.is_empty() {
        errors.at(&item.generics, "a contract has no generics: its table is one");
        item.generics = syn::Generics::default();
    }
    if !item.supertraits.is_empty() {
        errors.at(&item.supertraits, "a contract stands alone; `Send + Sync + 'static` are added");
    }
    let mut operations: Vec<Operation> = Vec::new();
    let (mut names, mut routes) = (HashSet::new(), HashSet::new());
    let prefix = args.map_or("", |args| &args.prefix);
    item.items.retain(|item| {
        let TraitItem::Fn(method) = item else {
            errors.at(item, "a contract has operations and nothing else");
            return false;
        };
        let name = method.sig.ident.unraw().to_string();
        if TAKEN.contains(&name.as_str()) {
            errors.at(&method.sig.ident, format_args!("`{name}` is a function of every contract or client"));
            return name != "routes";
        }
        let operation = operation::read(prefix, method, errors);
        if !names.insert(name) {
            errors.at(&method.sig.ident, "another operation has this name");
            return false;
        }
        if let Some(operation) = operation {
            if !routes.insert((operation.verb, operation.template.shape())) {
                errors.at(&operation.template.literal, "another operation has this method and path");
            }
            operations.push(operation);
        }
        true
    });
    operations
}

// === impl Contract ===

impl Contract {
    fn emit(&self, item: ItemTrait) -> TokenStream {
        let (table, client) = (self.table(), self.client());
        let (client_impl, arc_impl) = (self.client_impl(&item), self.arc_impl(&item));
        let item = traits::rewrite(item, self.routes());
        quote!(#item #table #client #client_impl #arc_impl)
    }
}

/// `OrderBook` is `ORDER_BOOK`.
fn screaming_snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let after_lower = at > 0 && !letters[at - 1].is_uppercase();
        let before_lower = at > 0 && letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_lower || before_lower) {
            out.push('_');
        }
        out.extend(letter.to_uppercase());
    }
    out
}

/// A variable of the output that no argument's name can shadow.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// Attributes the output repeats on the client: documentation.
fn docs(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| doc::is_doc(attribute))
}

#[cfg(test)]
mod tests;
