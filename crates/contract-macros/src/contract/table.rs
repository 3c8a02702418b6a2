//! The static table: what the contract says, readable without starting anything.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Ident, Type};

use super::operation::{Access, Operation};
use super::signature::Source;
use super::{Contract, screaming_snake};
use crate::expand::place_of;

impl Contract {
    /// `pub static ORDERS: Contract = ..`
    pub(super) fn table(&self) -> TokenStream {
        let Self { root, args, vis, name, table, doc, .. } = self;
        let (service, version, compat) = (&args.service, args.version, args.compat);
        let text = format!(" The operation table of [`{}`].", name.unraw());
        let contract = self.text_name();
        let rows = self.operations.iter().map(|operation| self.row(operation));
        quote! {
            #[doc = #text]
            #[allow(dead_code)]
            #vis static #table: #root::Contract = #root::Contract {
                service: #service,
                name: #contract,
                version: #version,
                doc: #doc,
                compat: #compat,
                operations: &[#(#rows),*],
            };
        }
    }

    fn row(&self, operation: &Operation) -> TokenStream {
        let Self { root, args, .. } = self;
        let (service, version, contract) = (&args.service, args.version, self.text_name());
        let Operation { doc, keyed, precondition, no_store, reply, .. } = operation;
        let name = operation.text_name();
        let verb = operation.verb.variant();
        let path = &operation.template.path;
        let access = match &operation.access {
            Access::Public => quote!(Public),
            Access::Authenticated => quote!(Authenticated),
            Access::Roles(roles) => quote!(Roles(&[#(#roles),*])),
        };
        let key_optional = operation.keyed && args.compat;
        let params = operation.params().map(|(name, argument)| {
            let schema = self.through(&argument.ty, "PathParam", "SCHEMA");
            quote!(#root::Param { name: #name, schema: #schema })
        });
        let input = |source| {
            option(operation.input(source).map(|argument| self.through(&argument.ty, "Argument", "SCHEMA")))
        };
        let (query, body) = (input(Source::Query), input(Source::Body));
        let mut success = self.through(reply, "Answer", "REPLY");
        if operation.keyed {
            // Only the compiler knows what an alias stands for.
            let place = place_of(reply);
            success = quote_spanned!(place => #success.storable());
        }
        let problems = self.through(reply, "Answer", "PROBLEMS");
        let timeout = option(operation.timeout.map(|timeout| {
            let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            quote!(::core::time::Duration::from_millis(#millis))
        }));
        quote! {
            #root::Operation {
                service: #service,
                contract: #contract,
                version: #version,
                name: #name,
                doc: #doc,
                verb: #root::Verb::#verb,
                path: #path,
                access: #root::Access::#access,
                keyed: #keyed,
                key_optional: #key_optional,
                precondition: #precondition,
                no_store: #no_store,
                params: &[#(#params),*],
                query: #query,
                body: #body,
                reply: #success,
                problems: #problems,
                timeout: #timeout,
            }
        }
    }

    /// The trait's name in the table.
    fn text_name(&self) -> String {
        screaming_snake(&self.name.unraw().to_string()).to_lowercase()
    }

    /// `<Type as Trait>::item`, shown at the type. Every use of a type is one of these, so that what is missing reads
    /// the same wherever it is missed, and rustc says it once.
    pub(super) fn through(&self, ty: &Type, trait_: &str, item: &str) -> TokenStream {
        let place = place_of(ty);
        let root = self.root.at(place);
        let (trait_, item) = (Ident::new(trait_, place), Ident::new(item, place));
        quote_spanned!(place => <#ty as #root::#trait_>::#item)
    }

    /// The same, called.
    pub(super) fn call(&self, ty: &Type, trait_: &str, item: &str, arguments: &TokenStream) -> TokenStream {
        let function = self.through(ty, trait_, item);
        quote_spanned!(place_of(ty) => #function(#arguments))
    }
}

fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
