//! The caller's face: a client whose methods are the trait's.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::ItemTrait;
use syn::ext::IdentExt as _;

use super::operation::Operation;
use super::signature::{Argument, Source};
use super::{Contract, docs, local, traits};

impl Contract {
    /// The struct, its construction, and its methods.
    pub(super) fn client(&self) -> TokenStream {
        let Self { root, vis, name, client, table, .. } = self;
        let text = format!(" Calls [`{}`], wherever it is served.", name.unraw());
        let methods =
            self.operations.iter().enumerate().map(|(index, operation)| self.method(index, operation));
        quote! {
            #[doc = #text]
            #[allow(dead_code)]
            #[derive(::core::clone::Clone, ::core::fmt::Debug)]
            #vis struct #client {
                channel: #root::Channel,
            }

            #[automatically_derived]
            impl #root::Client for #client {
                const CONTRACT: &'static #root::Contract = &#table;

                fn over(channel: #root::Channel) -> Self {
                    Self { channel }
                }
            }

            #[allow(dead_code, missing_docs)]
            impl #client {
                #(#methods)*
            }
        }
    }

    fn method(&self, index: usize, operation: &Operation) -> TokenStream {
        let Self { root, vis, table, .. } = self;
        let Operation { name, call, reply, attributes, .. } = operation;
        let (outbound, answer) = (local("outbound"), local("answer"));
        let index = syn::Index::from(index);
        let docs = docs(attributes);
        let arguments = operation.arguments.iter().map(|argument| {
            let (name, ty) = (&argument.name, &argument.ty);
            quote!(#name: #ty)
        });
        let mut fills = TokenStream::new();
        let mut fill = |argument: &Argument, trait_, item| {
            let name = &argument.name;
            let filled = self.call(&argument.ty, trait_, item, &quote!(&#name, #outbound));
            fills.extend(quote!(let #outbound = #filled;));
        };
        for (_, argument) in operation.params() {
            fill(argument, "PathParam", "to_path");
        }
        for (source, to) in [(Source::Query, "to_query"), (Source::Body, "to_body")] {
            if let Some(argument) = operation.input(source) {
                fill(argument, "Argument", to);
            }
        }
        let read = self.call(reply, "Answer", "read", &answer.to_token_stream());
        quote! {
            #(#docs)*
            #vis async fn #name(&self, #call: &#root::Call, #(#arguments),*) -> #reply {
                let #outbound = #root::Outbound::new(&#table.operations[#index]);
                #fills
                let #answer = self.channel.exchange(#call, #outbound).await;
                #read
            }
        }
    }

    /// The client is one more implementation of the trait.
    pub(super) fn client_impl(&self, item: &ItemTrait) -> TokenStream {
        let Self { name, client, .. } = self;
        let methods = traits::signatures(item).map(|signature| {
            let method = &signature.ident;
            let arguments = traits::names(signature);
            let signature = traits::promised(signature);
            // The inherent method of that name.
            quote!(#signature { #client::#method(#(#arguments),*) })
        });
        quote! {
            #[automatically_derived]
            impl #name for #client {
                #(#methods)*
            }
        }
    }

    /// Stands in for the client of a contract with errors, which are told already.
    pub(super) fn client_stub(&self, item: &ItemTrait) -> TokenStream {
        let Self { name, client, .. } = self;
        let methods = traits::signatures(item).map(|signature| {
            let signature = traits::promised(signature);
            quote!(#signature { async { ::core::unreachable!() } })
        });
        quote! {
            #[automatically_derived]
            #[allow(unused)]
            impl #name for #client {
                #(#methods)*
            }
        }
    }
}
