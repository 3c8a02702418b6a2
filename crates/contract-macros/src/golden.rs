//! Whole expansions, kept in `tests/output`. `PARTIE_GOLDEN=overwrite` writes them anew.

use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::Root;
use crate::{contract, event, problem};

fn check(name: &str, output: TokenStream) {
    let file = syn::parse2(output).unwrap();
    let output = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/output").join(name).with_extension("rs");
    if std::env::var_os("PARTIE_GOLDEN").is_some() {
        fs::write(path, output).unwrap();
    } else {
        let expected = fs::read_to_string(&path).unwrap();
        assert!(output == expected, "{} is not what the macro writes:\n{output}", path.display());
    }
}

#[test]
fn a_contract() {
    let args = quote!(service = "orders", version = 1);
    let item = quote! {
        /// From a basket to a doorstep.
        pub trait Orders {
            /// Place an order.
            ///
            /// It is on disk when the answer leaves.
            #[post("/orders", role = "customer", keyed, timeout = "5s")]
            async fn place(&self, cx: &Call, order: NewOrder) -> Outcome<Created<Order>, OrderError>;

            /// Read a line of an order.
            #[get("/orders/{id}/lines/{line}", roles = ["customer", "cook"])]
            async fn line(&self, cx: &Call, line: u32, id: OrderId, view: View) -> Outcome<Line, OrderError>;

            #[delete("/orders/{id}", authenticated, precondition)]
            async fn cancel(&self, cx: &Call, id: OrderId) -> Outcome<NoContent>;
        }
    };
    check("contract", contract::expand(Root::Contract, args, &item));
}

#[test]
fn a_private_contract_outside_any_version() {
    let args = quote!(service = "notifications", prefix = "/api", compat);
    let item = quote! {
        trait SeedNotify {
            #[post("/notify", public, keyed)]
            async fn notify(&self, cx: &Call, message: Message) -> Outcome<Sent>;
        }
    };
    check("contract_compat_via_partie", contract::expand(Root::Partie, args, &item));
}

#[test]
fn a_contract_with_errors() {
    let args = quote!(service = "orders");
    let item = quote! {
        pub trait Orders {
            #[post("/orders")]
            async fn place(&self, cx: &Call, order: NewOrder) -> Outcome<Order, OrderError>;
        }
    };
    check("contract_with_errors", contract::expand(Root::Contract, args, &item));
}

#[test]
fn problems() {
    let item = quote! {
        pub enum OrderError {
            /// There is no such order. Nor was there.
            #[problem(404, "order-not-found")]
            NotFound,
            #[problem(409, "invalid-transition")]
            InvalidTransition { current_state: Status, allowed: Vec<Status> },
            #[problem(409, "restaurant-closed", title = "Closed.")]
            Closed { next_open: Option<Timestamp> },
        }
    };
    check("problem", problem::expand(Root::Contract, item));
}

#[test]
fn an_event() {
    let item = quote! {
        #[event("order.placed", version = 2, subject = "order_id")]
        pub struct OrderPlaced {
            pub order_id: OrderId,
        }
    };
    check("event", event::expand(Root::Contract, item));
}

#[test]
fn an_event_with_a_version_before_it() {
    let item = quote! {
        #[event("order.placed", version = 2, subject = "order_id", from = v1::OrderPlaced)]
        pub struct OrderPlaced {
            pub order_id: OrderId,
        }
    };
    check("event_from", event::expand(Root::Contract, item));
}
