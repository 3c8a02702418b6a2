//! The server's face: `routes()` with one endpoint for each operation, and forwarding for `Arc`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemTrait;

use super::operation::{Operation, Verb};
use super::signature::Source;
use super::{Contract, local, traits};

impl Contract {
    /// The provided method of the trait.
    pub(super) fn routes(&self) -> TokenStream {
        let Self { root, table, .. } = self;
        let endpoints = self.operations.iter().map(|operation| self.endpoint(operation));
        let names = self.operations.iter().map(|operation| &operation.name);
        quote! {
            /// The table, and an endpoint of this implementation for each of its operations.
            #[allow(dead_code, deprecated)]
            fn routes() -> #root::Routes<Self>
            where
                Self: ::core::marker::Sized,
            {
                #(#endpoints)*
                const { #root::Routes::new(&#table, &[#(#names::<Self>),*]) }
            }
        }
    }

    /// Binds, calls, answers, in one boxed future.
    fn endpoint(&self, operation: &Operation) -> TokenStream {
        let Self { root, name: contract, .. } = self;
        let Operation { name, reply, .. } = operation;
        let (service, inbound, outcome) = (local("service"), local("inbound"), local("outcome"));
        let mutability = operation.input(Source::Body).map(|_| quote!(mut));
        let binds = self.binds(operation);
        let arguments = operation.arguments.iter().map(|argument| &argument.name);
        let answer = self.call(reply, "Answer", "answer", &quote!(#outcome, #inbound));
        quote! {
            fn #name<__S: #contract>(
                #service: ::std::sync::Arc<__S>,
                #mutability #inbound: #root::Inbound,
            ) -> #root::BoxFuture<'static, #root::Response> {
                #root::boxed(move || async move {
                    #binds
                    let #outcome = __S::#name(&#service, &#inbound.call, #(#arguments),*).await;
                    #answer
                })
            }
        }
    }

    /// `let id = ..;` for each argument. The path goes first: it is what the caller addressed.
    fn binds(&self, operation: &Operation) -> TokenStream {
        let (inbound, fault) = (local("inbound"), local("fault"));
        let refuse = quote!(::core::result::Result::Err(#fault) => return #inbound.refuse(#fault));
        let mut binds = TokenStream::new();
        let mut bind = |pattern: &dyn quote::ToTokens, value: TokenStream| {
            binds.extend(quote! {
                let #pattern = match #value {
                    ::core::result::Result::Ok(#pattern) => #pattern,
                    #refuse,
                };
            });
        };
        for (place, argument) in operation.params() {
            let arguments = quote!(&#inbound, #place);
            bind(&argument.name, self.call(&argument.ty, "PathParam", "from_path", &arguments));
        }
        if let Some(argument) = operation.input(Source::Query) {
            bind(&argument.name, self.call(&argument.ty, "Argument", "from_query", &quote!(&#inbound)));
        }
        match operation.input(Source::Body) {
            Some(argument) => {
                bind(
                    &argument.name,
                    self.call(&argument.ty, "Argument", "from_body", &quote!(&mut #inbound)),
                );
            }
            // The body of a GET means nothing (RFC 9110 section 9.3.1).
            None if operation.verb != Verb::Get => binds.extend(quote! {
                if let ::core::result::Result::Err(#fault) = #inbound.no_body() {
                    return #inbound.refuse(#fault);
                }
            }),
            None => {}
        }
        binds
    }

    /// An implementation may be shared.
    pub(super) fn arc_impl(&self, item: &ItemTrait) -> TokenStream {
        let name = &self.name;
        let methods = traits::signatures(item).map(|signature| {
            let method = &signature.ident;
            let arguments = traits::names(signature);
            let signature = traits::promised(signature);
            quote!(#signature { <__T as #name>::#method(#(#arguments),*) })
        });
        quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            impl<__T: #name> #name for ::std::sync::Arc<__T> {
                #(#methods)*
            }
        }
    }
}
