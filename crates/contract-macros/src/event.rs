//! `#[derive(Event)]`: a struct is an event.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Data, DeriveInput, Field, Fields, LitStr, Member};

use crate::errors::Errors;
use crate::expand::{Root, place_of};
use crate::words::Words;

const USAGE: &str =
    "an event says what it is: `#[event(\"order.placed\", version = 1, subject = \"order_id\")]`";

/// The validated event.
struct Event {
    type_name: LitStr,
    version: u16,
    subject: Member,
    subject_type: syn::Type,
    /// The version before.
    from: Option<syn::Path>,
}

/// Runs the derive.
pub(crate) fn expand(root: Root, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let item = match syn::parse2::<DeriveInput>(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let event = read(&item, &mut errors);
    match (event, errors.into_tokens()) {
        (Some(event), None) => event.emit(root, &item),
        (_, errors) => errors.unwrap_or_default(),
    }
}

fn read(item: &DeriveInput, errors: &mut Errors) -> Option<Event> {
    if !item.generics.params.is_empty() {
        errors.at(&item.generics, "an event has no generics: its schema is one");
    }
    let Data::Struct(data) = &item.data else {
        errors.at(&item.ident, "an event is a struct");
        return None;
    };
    let mut attributes = item.attrs.iter().filter(|attribute| attribute.path().is_ident("event"));
    let Some(attribute) = attributes.next() else {
        errors.at(&item.ident, USAGE);
        return None;
    };
    for again in attributes {
        errors.at(again, "one `#[event(..)]` is enough");
    }
    let mut words = Words::of(attribute, errors);
    words.needs(&["version", "subject"], errors);
    let type_name = words.string("the type, `\"order.placed\"`,", errors);
    let version = words.number("version", errors);
    let subject = words.text("subject", errors);
    let from = words.path("from", errors);
    words.finish(errors);
    let type_name = type_name?;
    if !is_type_name(&type_name.value()) {
        errors.at(
            &type_name,
            "a type is `aggregate.happened`: words of `a-z`, `0-9`, `_` and `-`, with dots between",
        );
    }
    let version = version.and_then(|version| match version.base10_parse() {
        Ok(number @ 1..) => Some(number),
        _ => {
            errors.at(version, "versions are 1 to 65535");
            None
        }
    });
    let subject = subject.and_then(|subject| find(&data.fields, &subject, errors));
    let (subject, field) = subject?;
    Some(Event { type_name, version: version?, subject, subject_type: field.ty.clone(), from })
}

/// The field the subject names.
fn find<'f>(fields: &'f Fields, subject: &LitStr, errors: &mut Errors) -> Option<(Member, &'f Field)> {
    let name = subject.value();
    let found = fields.members().zip(fields).find(|(member, _)| match member {
        Member::Named(own) => own.unraw() == name,
        Member::Unnamed(own) => own.index.to_string() == name,
    });
    if found.is_none() {
        errors.at(
            subject,
            format_args!("there is no field `{name}`; the subject names the field with the aggregate's id"),
        );
    }
    found
}

fn is_type_name(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    };
    name.contains('.') && name.split('.').all(is_word)
}

// === impl Event ===

impl Event {
    fn emit(&self, root: Root, item: &DeriveInput) -> TokenStream {
        let Self { type_name, version, subject, subject_type, from } = self;
        let name = &item.ident;
        // The span makes a subject without `Display` the field's mistake.
        let to_string =
            quote_spanned!(place_of(subject_type) => <#subject_type as ::std::string::ToString>::to_string);
        // The span makes a version without a conversion the attribute's mistake.
        let previous = from.as_ref().map(|from| {
            quote_spanned! {place_of(from)=>
                const PREVIOUS: ::std::option::Option<#root::EventSpec> =
                    ::std::option::Option::Some(#root::EventSpec::before::<Self, #from>());

                fn from_older(
                    version: u16,
                    data: #root::__private::serde_json::Value,
                ) -> ::std::option::Option<
                    ::std::result::Result<Self, #root::__private::serde_json::Error>,
                > {
                    #root::__private::from_previous::<Self, #from>(version, data)
                }
            }
        });
        quote! {
            #[automatically_derived]
            impl #root::Event for #name {
                const TYPE: &'static str = #type_name;
                const VERSION: u16 = #version;
                #previous

                fn subject(&self) -> ::std::string::String {
                    #to_string(&self.#subject)
                }
            }
        }
    }
}
