//! Two versions of one contract call each other, over a real socket and through everything a call goes through.

use partie_contract::{Fault, FaultKind, OutcomeExt as _};
use partie_testkit::{CallExt, TestRun, TestSystem};

mod old {
    use partie_contract::{Call, Outcome, Problem, contract};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    pub(super) struct Table {
        pub(super) seats: u32,
    }

    #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
    pub(super) struct Wish {
        pub(super) seats: u32,
    }

    #[derive(Debug, PartialEq, Problem)]
    pub(super) enum TableError {
        #[problem(409, "table-taken")]
        Taken { by: String },
    }

    /// Tables.
    #[contract(service = "tables", version = 1)]
    pub(super) trait Tables {
        /// Takes a table.
        #[post("/tables/{n}", roles = ["guest", "service"], keyed)]
        async fn sit(&self, cx: &Call, n: u32, wish: Wish) -> Outcome<Table, TableError>;
    }

    pub(super) struct Room;

    impl Tables for Room {
        async fn sit(&self, _: &Call, n: u32, wish: Wish) -> Outcome<Table, TableError> {
            if n == 1 {
                Err(TableError::Taken { by: "Ann".into() }.into())
            } else {
                Ok(Table { seats: wish.seats })
            }
        }
    }
}

/// The same contract, a compatible change later.
mod new {
    use partie_contract::{Call, Outcome, Problem, contract};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    pub(super) struct Table {
        pub(super) seats: u32,
        pub(super) window: Option<bool>,
    }

    #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
    pub(super) struct Wish {
        pub(super) seats: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) window: Option<bool>,
    }

    #[derive(Debug, PartialEq, Problem)]
    pub(super) enum TableError {
        #[problem(409, "table-taken")]
        Taken { by: String, until: Option<u32> },
        #[problem(410, "table-broken")]
        Broken,
    }

    /// Tables.
    #[contract(service = "tables", version = 1)]
    pub(super) trait Tables {
        /// Takes a table.
        #[post("/tables/{n}", roles = ["guest", "service"], keyed)]
        async fn sit(&self, cx: &Call, n: u32, wish: Wish) -> Outcome<Table, TableError>;
        /// Looks at one.
        #[get("/tables/{n}", roles = ["guest", "service"])]
        async fn look(&self, cx: &Call, n: u32) -> Outcome<Table, TableError>;
    }

    pub(super) struct Room;

    impl Tables for Room {
        async fn sit(&self, _: &Call, n: u32, wish: Wish) -> Outcome<Table, TableError> {
            match n {
                1 => Err(TableError::Taken { by: "Ann".into(), until: Some(9) }.into()),
                2 => Err(TableError::Broken.into()),
                _ => Ok(Table { seats: wish.seats, window: wish.window.or(Some(false)) }),
            }
        }

        async fn look(&self, _: &Call, _: u32) -> Outcome<Table, TableError> {
            Err(TableError::Broken.into())
        }
    }
}

/// The next version of the contract, which breaks the first: tables are counted from another side.
mod next {
    use partie_contract::{Call, Outcome, contract};

    use super::new::{Table, TableError, Wish};

    /// Tables.
    #[contract(service = "tables", version = 2)]
    pub(super) trait Tables {
        /// Takes a table.
        #[put("/tables/{place}", roles = ["guest", "service"])]
        async fn sit(&self, cx: &Call, place: String, wish: Wish) -> Outcome<Table, TableError>;
    }

    impl Tables for super::new::Room {
        async fn sit(&self, _: &Call, _: String, wish: Wish) -> Outcome<Table, TableError> {
            Ok(Table { seats: wish.seats + 100, window: None })
        }
    }
}

async fn old_room() -> TestRun {
    let service = partie::Service::new("tables").store(&[]);
    TestSystem::new()
        .service(service.start(async |_| Ok(old::Room)).serve(old::Tables::routes()))
        .start()
        .await
}

async fn new_room() -> TestRun {
    let service = partie::Service::new("tables").store(&[]);
    TestSystem::new()
        .service(service.start(async |_| Ok(new::Room)).serve(new::Tables::routes()))
        .start()
        .await
}

#[tokio::test]
async fn an_old_client_and_a_new_server() {
    let room = new_room().await;
    for role in ["service", "guest"] {
        let client: old::TablesClient = room.client_as(role);
        let sit = async |n| client.sit(&room.call().keyed(), n, old::Wish { seats: 2 }).await;
        assert_eq!(sit(4).await.unwrap(), old::Table { seats: 2 }, "a member more in the answer");
        match sit(1).await.split() {
            Ok(Err(error)) => assert_eq!(error, old::TableError::Taken { by: "Ann".into() }),
            other => panic!("{other:?}"),
        }
        match sit(2).await {
            // It says what it was, and is nothing the caller could mistake for an answer of its contract.
            Err(Fault::Platform(fault)) => {
                assert_eq!(fault.kind(), FaultKind::UpstreamFailed);
                assert!(fault.detail().unwrap().contains("table-broken"), "{fault:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    room.stop().await;
}

#[tokio::test]
async fn a_new_client_and_an_old_server() {
    let room = old_room().await;
    let by_window = || new::Wish { seats: 2, window: Some(true) };
    let client: new::TablesClient = room.client_as("service");
    let sit = async |n, wish| client.sit(&room.call().keyed(), n, wish).await;
    assert_eq!(sit(4, by_window()).await.unwrap(), new::Table { seats: 2, window: None });
    match sit(1, by_window()).await {
        Err(Fault::Domain(error)) => {
            assert_eq!(error, new::TableError::Taken { by: "Ann".into(), until: None })
        }
        other => panic!("{other:?}"),
    }
    // An operation that is not there yet.
    match client.look(&room.call(), 4).await {
        Err(Fault::Platform(fault)) => assert_ne!(fault.kind(), FaultKind::Internal, "{fault:?}"),
        other => panic!("{other:?}"),
    }

    // A user may have misspelt it, and is told.
    let guest: new::TablesClient = room.client_as("guest");
    match guest.sit(&room.call().keyed(), 4, by_window()).await {
        Err(Fault::Platform(fault)) => assert_eq!(fault.kind(), FaultKind::ValidationFailed, "{fault:?}"),
        other => panic!("{other:?}"),
    }
    let token = room.token("guest", &["guest"]);
    let asked = room.http().post("/api/v1/tables/4").token(&token).key("a-key");
    let answer =
        asked.header("content-type", "application/json").body(r#"{"seats":2,"window":true}"#).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("/window"), "{}", answer.text());
    room.stop().await;
}

#[tokio::test]
async fn a_service_serves_two_versions_of_a_contract_beside_each_other() {
    let service = partie::Service::new("tables").store(&[]).start(async |_| Ok(new::Room));
    let both = service.serve(new::Tables::routes()).serve(next::Tables::routes());
    let room = TestSystem::new().service(both).start().await;
    let (first, second): (old::TablesClient, next::TablesClient) =
        (room.client_as("guest"), room.client_as("guest"));
    let table = first.sit(&room.call().keyed(), 4, old::Wish { seats: 2 }).await;
    assert_eq!(table.unwrap(), old::Table { seats: 2 });
    let wish = new::Wish { seats: 2, window: None };
    let table = second.sit(&room.call(), "window".to_owned(), wish).await;
    assert_eq!(table.unwrap().seats, 102);
    room.stop().await;
}
