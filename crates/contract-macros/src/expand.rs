//! What all macros share: where the runtime is found, and how an expansion leaves.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;

/// The crate whose types the output names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// `partie-contract` itself.
    Contract,
    /// `partie`, which re-exports it as a module.
    Partie,
}

/// Runs a macro.
pub(crate) fn expand(
    root: Root,
    item: proc_macro::TokenStream,
    with: impl FnOnce(Root, TokenStream) -> TokenStream,
) -> proc_macro::TokenStream {
    let output = with(root, item.into());
    #[expect(clippy::print_stderr, reason = "who sets the variable asks for it")]
    if std::env::var_os("PARTIE_MACRO_DEBUG").is_some() {
        eprintln!("{output}");
    }
    output.into()
}

// === impl Root ===

impl Root {
    /// Its path, shown at that place in errors.
    pub(crate) fn at(self, span: Span) -> TokenStream {
        match self {
            Self::Contract => quote_spanned!(span => ::partie_contract),
            Self::Partie => quote_spanned!(span => ::partie::contract),
        }
    }
}

impl ToTokens for Root {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.at(Span::call_site()));
    }
}

/// The place of these tokens, with the names of the macro's output.
pub(crate) fn place_of(tokens: &impl Spanned) -> Span {
    tokens.span().resolved_at(Span::call_site())
}
