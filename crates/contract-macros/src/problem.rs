//! `#[derive(Problem)]`: an enum is the problems of a contract.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Data, DeriveInput, Fields, Ident, LitStr, Type, Variant};

use crate::doc;
use crate::errors::Errors;
use crate::expand::{Root, place_of};
use crate::words::Words;

const USAGE: &str = "a problem says its status and code: `#[problem(404, \"order-not-found\")]`";
/// What RFC 9457 and the platform put into every problem.
const RESERVED: [&str; 8] = ["type", "title", "status", "detail", "instance", "code", "errors", "request_id"];

/// A validated variant.
struct Kind {
    variant: Ident,
    status: u16,
    code: LitStr,
    title: String,
    members: Vec<Member>,
}

struct Member {
    field: Ident,
    name: String,
    ty: Type,
}

/// Runs the derive.
pub(crate) fn expand(root: Root, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let item = match syn::parse2::<DeriveInput>(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let kinds = read(&item, &mut errors);
    errors.into_tokens().unwrap_or_else(|| emit(root, &item.ident, &kinds))
}

fn read(item: &DeriveInput, errors: &mut Errors) -> Vec<Kind> {
    if !item.generics.params.is_empty() {
        errors.at(&item.generics, "problems have no generics: a contract's table lists them all");
    }
    let Data::Enum(data) = &item.data else {
        errors.at(&item.ident, "the problems of a contract are an enum");
        return Vec::new();
    };
    if data.variants.is_empty() {
        errors.at(&item.ident, "an enum without problems is `NoProblem`");
    }
    let kinds: Vec<Kind> = data.variants.iter().filter_map(|variant| read_variant(variant, errors)).collect();
    let mut codes = HashSet::new();
    for kind in &kinds {
        if !codes.insert(kind.code.value()) {
            errors.at(&kind.code, "another variant has this code: a client could not tell them apart");
        }
    }
    kinds
}

fn read_variant(variant: &Variant, errors: &mut Errors) -> Option<Kind> {
    let members = read_members(variant, errors);
    let mut attributes = variant.attrs.iter().filter(|attribute| attribute.path().is_ident("problem"));
    let Some(attribute) = attributes.next() else {
        errors.at(&variant.ident, USAGE);
        return None;
    };
    for again in attributes {
        errors.at(again, "one `#[problem(..)]` is enough");
    }
    let mut words = Words::of(attribute, errors);
    let status = words.integer("the status, `404`,", errors);
    let code = words.string("the code, `\"order-not-found\"`,", errors);
    let title = words.text("title", errors).map(|title| title.value());
    words.finish(errors);
    let status = status.and_then(|status| match status.base10_parse() {
        Ok(number @ 400..=599) => Some(number),
        _ => {
            errors.at(status, "a problem's status is 400 to 599");
            None
        }
    });
    let code = code?;
    if !is_kebab_case(&code.value()) {
        errors.at(&code, "a code is in kebab-case: `order-not-found`");
    }
    let title = title
        .or_else(|| doc::first_sentence(&doc::text(&variant.attrs)))
        .unwrap_or_else(|| doc::humanise(&code.value()));
    Some(Kind { variant: variant.ident.clone(), status: status?, code, title, members })
}

fn read_members(variant: &Variant, errors: &mut Errors) -> Vec<Member> {
    let fields = match &variant.fields {
        Fields::Unit => return Vec::new(),
        Fields::Named(fields) => &fields.named,
        Fields::Unnamed(fields) => {
            errors.at(fields, "name the fields: each is a member of the problem");
            return Vec::new();
        }
    };
    let mut members = Vec::new();
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        let name = ident.unraw().to_string();
        if RESERVED.contains(&name.as_str()) {
            errors.at(ident, format_args!("`{name}` is a member of every problem; choose another name"));
        }
        members.push(Member { field: ident.clone(), name, ty: field.ty.clone() });
    }
    members
}

fn is_kebab_case(code: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    code.starts_with(|first: char| first.is_ascii_lowercase()) && code.split('-').all(is_word)
}

/// A variable that no field's name can shadow.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

fn emit(root: Root, name: &Ident, kinds: &[Kind]) -> TokenStream {
    let own_codes = kinds.iter().map(|Kind { code, .. }| {
        let place = place_of(code);
        let root = root.at(place);
        quote_spanned!(place => const _: () = #root::__private::own_code(#code);)
    });
    let rows = kinds.iter().map(|kind| kind.row(root));
    let kind_arms = kinds.iter().enumerate().map(|(index, Kind { variant, .. })| {
        let index = syn::Index::from(index);
        quote!(Self::#variant { .. } => &Self::KINDS[#index])
    });
    let member_arms = kinds.iter().filter(|kind| !kind.members.is_empty()).map(|kind| kind.members_arm(root));
    let all_have_members = kinds.iter().all(|kind| !kind.members.is_empty());
    let no_members = (!all_have_members).then(|| quote!(_ => {}));
    let none_have_members = kinds.iter().all(|kind| kind.members.is_empty());
    let decode_arms = kinds.iter().map(|kind| kind.decode_arm(root));
    let map = quote!(#root::__private::Members);
    let members = local("members");
    let (body, parameter) = if none_have_members {
        (quote!(#map::new()), quote!(_))
    } else {
        let body = quote! {
            let mut #members = #map::new();
            match self {
                #(#member_arms)*
                #no_members
            }
            #members
        };
        (body, quote!(mut #members))
    };
    quote! {
        #(#own_codes)*

        #[automatically_derived]
        impl #root::Problem for #name {
            const KINDS: &'static [#root::ProblemKind] = &[#(#rows),*];

            fn kind(&self) -> &'static #root::ProblemKind {
                match self {
                    #(#kind_arms,)*
                }
            }

            fn members(&self) -> #map {
                #body
            }

            fn decode(code: &str, #parameter: #map) -> ::core::option::Option<Self> {
                match code {
                    #(#decode_arms,)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    }
}

// === impl Kind ===

impl Kind {
    fn row(&self, root: Root) -> TokenStream {
        let Self { status, code, title, .. } = self;
        let members = self.members.iter().map(|member| {
            let (name, schema) = (&member.name, member.through(root, "SCHEMA"));
            quote!((#name, #schema))
        });
        quote! {
            #root::ProblemKind { status: #status, code: #code, title: #title, members: &[#(#members),*] }
        }
    }

    fn members_arm(&self, root: Root) -> TokenStream {
        let Self { variant, .. } = self;
        let members = local("members");
        let fields = self.members.iter().map(|member| &member.field);
        let puts = self.members.iter().map(|member| {
            let (field, name, put) = (&member.field, &member.name, member.through(root, "put"));
            quote!(#put(#field, #name, &mut #members);)
        });
        quote!(Self::#variant { #(#fields),* } => { #(#puts)* })
    }

    fn decode_arm(&self, root: Root) -> TokenStream {
        let Self { variant, code, .. } = self;
        if self.members.is_empty() {
            return quote!(#code => ::core::option::Option::Some(Self::#variant));
        }
        let members = local("members");
        let fields = self.members.iter().map(|member| {
            let (field, name, take) = (&member.field, &member.name, member.through(root, "take"));
            quote!(#field: #take(#name, &mut #members)?)
        });
        quote!(#code => ::core::option::Option::Some(Self::#variant { #(#fields),* }))
    }
}

// === impl Member ===

impl Member {
    /// `<Type as Member>::item`, shown at the type: what is missing reads the same everywhere and is said once.
    fn through(&self, root: Root, item: &str) -> TokenStream {
        let ty = &self.ty;
        let place = place_of(ty);
        let (root, item) = (root.at(place), Ident::new(item, place));
        quote_spanned!(place => <#ty as #root::__private::Member>::#item)
    }
}
