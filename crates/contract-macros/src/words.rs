//! The insides of our attributes: `404, "order-not-found", title = "..", keyed`.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Ident, Lit, LitInt, LitStr, Token};

use crate::errors::Errors;

/// Values by position, then words with or without a value. Taken out one by one; what is left is unknown.
#[derive(Debug)]
pub(crate) struct Words {
    span: Span,
    values: std::vec::IntoIter<Expr>,
    words: Vec<Word>,
    known: Vec<&'static str>,
    /// They could not all be read: what is missing needs no message of its own.
    broken: bool,
}

/// `keyed` or `role = "customer"`.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) name: Ident,
    pub(crate) value: Option<Expr>,
}

enum Part {
    Value(Expr),
    Word(Word),
}

impl Parse for Part {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) || input.peek(syn::LitBool) {
            return input.parse().map(Self::Value);
        }
        let name = input.call(Ident::parse_any)?;
        let value = match input.parse::<Option<Token![=]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        if !input.is_empty() && !input.peek(Token![,]) {
            return Err(input.error("expected `,`"));
        }
        Ok(Self::Word(Word { name, value }))
    }
}

// === impl Words ===

impl Words {
    /// Reads them. `span` is shown for what is missing.
    pub(crate) fn parse(span: Span, tokens: TokenStream, errors: &mut Errors) -> Self {
        let parts = errors.ok(Punctuated::<Part, Token![,]>::parse_terminated.parse2(tokens));
        let mut broken = parts.is_none();
        let mut values = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        for part in parts.into_iter().flatten() {
            match part {
                Part::Value(value) if words.is_empty() => values.push(value),
                Part::Value(value) => {
                    errors.at(value, "values come before words");
                    broken = true;
                }
                Part::Word(word) if words.iter().any(|known| known.name == word.name) => {
                    errors.at(&word.name, format_args!("`{}` is said twice", word.name));
                }
                Part::Word(word) => words.push(word),
            }
        }
        Self { span, values: values.into_iter(), words, known: Vec::new(), broken }
    }

    /// Reads those of an attribute.
    pub(crate) fn of(attribute: &syn::Attribute, errors: &mut Errors) -> Self {
        let span = attribute.path().get_ident().map_or_else(Span::call_site, Ident::span);
        match &attribute.meta {
            syn::Meta::List(list) => Self::parse(span, list.tokens.clone(), errors),
            syn::Meta::Path(_) => Self::parse(span, TokenStream::new(), errors),
            syn::Meta::NameValue(meta) => {
                errors.at(&meta.value, "put it in parentheses");
                Self { broken: true, ..Self::parse(span, TokenStream::new(), errors) }
            }
        }
    }

    /// Where what is missing is shown.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Whether one of these words is there and not taken yet, whatever its value.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        self.words.iter().any(|word| names.iter().any(|name| word.name == name))
    }

    /// Complains about words that are missing.
    pub(crate) fn needs(&self, names: &[&'static str], errors: &mut Errors) {
        for name in names.iter().filter(|name| !self.has(&[name]) && !self.broken) {
            errors.push(syn::Error::new(self.span, format_args!("`{name} = ..` is missing")));
        }
    }

    /// The next value, which must be a string.
    pub(crate) fn string(&mut self, what: &str, errors: &mut Errors) -> Option<LitStr> {
        self.value(what, errors).and_then(|value| string(&value, errors))
    }

    /// The next value, which must be a number.
    pub(crate) fn integer(&mut self, what: &str, errors: &mut Errors) -> Option<LitInt> {
        self.value(what, errors).and_then(|value| integer(&value, errors))
    }

    fn value(&mut self, what: &str, errors: &mut Errors) -> Option<Expr> {
        let value = self.values.next();
        if value.is_none() && !self.broken {
            errors.push(syn::Error::new(self.span, format_args!("{what} is missing")));
        }
        value
    }

    /// A word.
    pub(crate) fn word(&mut self, name: &'static str) -> Option<Word> {
        self.known.push(name);
        let at = self.words.iter().position(|word| word.name == name)?;
        Some(self.words.remove(at))
    }

    /// A word that stands alone.
    pub(crate) fn flag(&mut self, name: &'static str, errors: &mut Errors) -> Option<Ident> {
        let word = self.word(name)?;
        if let Some(value) = word.value {
            errors.at(value, format_args!("`{name}` takes no value"));
        }
        Some(word.name)
    }

    /// `name = "text"`
    pub(crate) fn text(&mut self, name: &'static str, errors: &mut Errors) -> Option<LitStr> {
        let value = self.word(name)?.value(errors)?;
        string(&value, errors)
    }

    /// `name = 1`
    pub(crate) fn number(&mut self, name: &'static str, errors: &mut Errors) -> Option<LitInt> {
        let value = self.word(name)?.value(errors)?;
        integer(&value, errors)
    }

    /// `name = path::To`
    pub(crate) fn path(&mut self, name: &'static str, errors: &mut Errors) -> Option<syn::Path> {
        let value = self.word(name)?.value(errors)?;
        path(value, errors)
    }

    /// `name = ["a", "b"]`
    pub(crate) fn list(&mut self, name: &'static str, errors: &mut Errors) -> Option<(Expr, Vec<LitStr>)> {
        let value = self.word(name)?.value(errors)?;
        match value {
            Expr::Array(array) => {
                let texts = array.elems.iter().filter_map(|element| string(element, errors)).collect();
                Some((Expr::Array(array), texts))
            }
            other => {
                errors.at(other, "expected a list, `[\"a\", \"b\"]`");
                None
            }
        }
    }

    /// Complains about everything nobody asked for. True if nothing was strange: else a word may be misspelt, and what
    /// is missing needs no message of its own.
    pub(crate) fn finish(self, errors: &mut Errors) -> bool {
        for value in self.values {
            errors.at(value, "one value too many");
        }
        let known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
        let known = match known.as_slice() {
            [] => "nothing more is known here".to_owned(),
            known => format!("known here: {}", known.join(", ")),
        };
        for Word { name, .. } in &self.words {
            errors.at(name, format_args!("`{name}` is not known; {known}"));
        }
        self.words.is_empty() && !self.broken
    }
}

// === impl Word ===

impl Word {
    fn value(self, errors: &mut Errors) -> Option<Expr> {
        if self.value.is_none() {
            errors.at(&self.name, format_args!("`{0}` needs a value, `{0} = ..`", self.name));
        }
        self.value
    }
}

fn string(value: &Expr, errors: &mut Errors) -> Option<LitStr> {
    match literal(value) {
        Some(Lit::Str(text)) => Some(text.clone()),
        _ => {
            errors.at(value, "expected a string");
            None
        }
    }
}

fn integer(value: &Expr, errors: &mut Errors) -> Option<LitInt> {
    match literal(value) {
        Some(Lit::Int(number)) => Some(number.clone()),
        _ => {
            errors.at(value, "expected a number");
            None
        }
    }
}

fn path(value: Expr, errors: &mut Errors) -> Option<syn::Path> {
    match value {
        Expr::Path(path) => Some(path.path),
        Expr::Group(group) => path(*group.expr, errors),
        other => {
            errors.at(other, "expected the name of a type");
            None
        }
    }
}

/// A literal may come out of a `macro_rules!` fragment, in a group nobody sees.
fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}
