//! The output passes the lints of this workspace whatever the trait's visibility, and needs no import but the names in
//! the signatures.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unused_qualifications)]

/// A public contract. Nothing of it is used.
pub mod public {
    use partie_contract::{Call, NoContent, Outcome, Page, contract};

    /// Shelves.
    #[contract(service = "shelves", version = 1)]
    pub trait Shelves {
        /// Names collide with nothing the output has inside.
        #[put("/shelves/{service}/{inbound}/{type}", role = "admin", keyed, precondition, timeout = "250ms")]
        async fn r#move(
            &self,
            outbound: &Call,
            service: u32,
            answer: String,
            inbound: u32,
            r#type: String,
        ) -> Outcome<NoContent>;

        /// Old.
        #[deprecated = "use `page`"]
        #[get("/", public)]
        async fn all(&self, cx: &Call) -> Outcome<Vec<String>>;

        /// New.
        #[get("/page", authenticated)]
        async fn page(&self, cx: &Call) -> Outcome<Page<u32>>;
    }
}

mod inner {
    use partie_contract::{Call, Outcome, Problem, contract};

    #[derive(Debug, Problem)]
    pub(crate) enum ShelfError {
        #[problem(404, "shelf-not-found")]
        NotFound { members: Vec<u32>, r#in: Option<String> },
    }

    #[contract(service = "shelves", prefix = "", compat)]
    pub(super) trait Served {
        #[delete("/", public, keyed)]
        async fn clear(&self, cx: &Call, outcome: u32) -> Outcome<u32, ShelfError>;
    }

    pub(super) struct Shop;

    impl Served for Shop {
        async fn clear(&self, _: &Call, outcome: u32) -> Outcome<u32, ShelfError> {
            Err(ShelfError::NotFound { members: vec![outcome], r#in: None }.into())
        }
    }
}

use inner::Served;

fn main() {
    // A contract may be private, and even local.
    #[partie_contract::contract(service = "local", version = 2)]
    trait Local {
        #[post("/local", public)]
        async fn local(&self, cx: &partie_contract::Call) -> partie_contract::Outcome<u32>;
    }

    let routes: partie_contract::Routes<inner::Shop> = Served::routes();
    assert_eq!(routes.contract().operations[0].path, "/");
    assert_eq!(LOCAL.operations[0].path, "/api/v2/local");
    assert_eq!(public::SHELVES.operations[1].path, "/api/v1");
    assert_eq!(public::SHELVES.operations[0].name, "move");
}
