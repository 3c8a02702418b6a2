//! Old and new versions side by side: what one side does not know does not break it.

use std::sync::Arc;

use partie_contract::{Fault, FaultKind};

use crate::wire::{Wire, call};

mod old {
    use partie_contract::{Call, Outcome, Problem, contract};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    pub(super) struct Table {
        pub(super) seats: u32,
    }

    #[derive(Debug, PartialEq, Problem)]
    pub(super) enum TableError {
        #[problem(409, "table-taken")]
        Taken { by: String },
    }

    #[contract(service = "tables", version = 1)]
    pub(super) trait Tables {
        #[put("/tables/{n}", public)]
        async fn sit(&self, cx: &Call, n: u32, table: Table) -> Outcome<Table, TableError>;
    }

    pub(super) struct Room;

    impl Tables for Room {
        async fn sit(&self, _: &Call, n: u32, table: Table) -> Outcome<Table, TableError> {
            if n == 1 { Err(TableError::Taken { by: "Ann".into() }.into()) } else { Ok(table) }
        }
    }
}

mod new {
    use partie_contract::{Call, Outcome, Problem, contract};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    pub(super) struct Table {
        pub(super) seats: u32,
        pub(super) window: Option<bool>,
    }

    #[derive(Debug, PartialEq, Problem)]
    pub(super) enum TableError {
        #[problem(409, "table-taken")]
        Taken { by: String, until: Option<u32> },
        #[problem(410, "table-broken")]
        Broken,
        #[problem(503, "table-wet")]
        Wet,
    }

    #[contract(service = "tables", version = 1)]
    pub(super) trait Tables {
        #[put("/tables/{n}", public)]
        async fn sit(&self, cx: &Call, n: u32, table: Table) -> Outcome<Table, TableError>;
    }

    pub(super) struct Room;

    impl Tables for Room {
        async fn sit(&self, _: &Call, n: u32, mut table: Table) -> Outcome<Table, TableError> {
            match n {
                1 => Err(TableError::Taken { by: "Ann".into(), until: Some(9) }.into()),
                2 => Err(TableError::Broken.into()),
                3 => Err(TableError::Wet.into()),
                _ => {
                    table.window = Some(true);
                    Ok(table)
                }
            }
        }
    }
}

#[tokio::test]
async fn an_old_client_and_a_new_server() {
    let wire = Wire::default().serve(&Arc::new(new::Room), new::Tables::routes()).by_service("waiter");
    let client: old::TablesClient = wire.client();
    let two = || old::Table { seats: 2 };

    // A reply with a member more.
    assert_eq!(client.sit(&call(), 4, two()).await.unwrap(), two());

    // A problem with a member more.
    match client.sit(&call(), 1, two()).await {
        Err(Fault::Domain(error)) => assert_eq!(error, old::TableError::Taken { by: "Ann".into() }),
        other => panic!("{other:?}"),
    }

    // Problems of later: what remains is the platform's reading of their status.
    for (n, code, kind) in
        [(2, "table-broken", FaultKind::UpstreamFailed), (3, "table-wet", FaultKind::UpstreamUnavailable)]
    {
        match client.sit(&call(), n, two()).await {
            Err(Fault::Platform(fault)) => {
                assert_eq!(fault.kind(), kind);
                assert!(fault.detail().unwrap().contains(code), "{fault:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_new_client_and_an_old_server() {
    let wire = Wire::default().serve(&Arc::new(old::Room), old::Tables::routes()).by_service("waiter");
    let client: new::TablesClient = wire.client();
    let two = |window| new::Table { seats: 2, window };
    assert_eq!(client.sit(&call(), 4, two(Some(true))).await.unwrap(), two(None));
    match client.sit(&call(), 1, two(None)).await {
        Err(Fault::Domain(error)) => {
            assert_eq!(error, new::TableError::Taken { by: "Ann".into(), until: None })
        }
        other => panic!("{other:?}"),
    }
}
