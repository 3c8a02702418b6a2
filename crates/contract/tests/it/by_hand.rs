//! A contract without the macro: everything the macro writes can be written.

use std::sync::Arc;

use partie_contract::{
    Access, Answer as _, Call, Channel, Client, Contract, Created, Entity, Fault, FaultKind, Inbound,
    NoProblem, Operation, Outbound, Outcome, OutcomeExt as _, Param, Problem, ProblemKind, Render, Routes,
    Verb, schema_of,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::{Wire, call};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Letter {
    to: String,
    text: String,
}

impl Entity for Letter {
    const COLLECTION: &'static str = "/post/letters";

    fn id(&self) -> String {
        self.to.clone()
    }
}

#[derive(Debug, PartialEq)]
struct NoStamp;

impl Problem for NoStamp {
    const KINDS: &'static [ProblemKind] =
        &[ProblemKind { status: 402, code: "no-stamp", title: "The letter has no stamp.", members: &[] }];

    fn kind(&self) -> &'static ProblemKind {
        &Self::KINDS[0]
    }

    fn members(&self) -> Map<String, Value> {
        Map::new()
    }

    fn decode(code: &str, _: Map<String, Value>) -> Option<Self> {
        (code == "no-stamp").then_some(Self)
    }
}

static POST: Contract = Contract {
    service: "post",
    name: "post",
    version: 0,
    doc: "Letters.",
    compat: false,
    operations: &[SEND, READ],
};

const SEND: Operation = Operation {
    service: "post",
    contract: "post",
    version: 0,
    name: "send",
    doc: "Send a letter.",
    verb: Verb::Post,
    path: "/post/letters",
    access: Access::Public,
    keyed: true,
    key_optional: false,
    precondition: false,
    no_store: false,
    params: &[],
    query: None,
    body: Some(schema_of::<Letter>),
    reply: <Created<Letter> as Render>::SPEC,
    problems: NoStamp::KINDS,
    timeout: None,
};

const READ: Operation = Operation {
    name: "read",
    doc: "Read a letter.",
    verb: Verb::Get,
    path: "/post/letters/{to}",
    keyed: false,
    params: &[Param { name: "to", schema: schema_of::<String> }],
    body: None,
    reply: <Letter as Render>::SPEC,
    problems: NoProblem::KINDS,
    ..SEND
};

struct PostOffice;

impl PostOffice {
    const ROUTES: Routes<Self> = Routes::new(
        &POST,
        &[
            |office, inbound| Box::pin(async move { office.send(&inbound).await.answer(inbound) }),
            |office, inbound| Box::pin(async move { office.read(&inbound).await.answer(inbound) }),
        ],
    );

    async fn send(&self, inbound: &Inbound) -> Outcome<Created<Letter>, NoStamp> {
        let letter: Letter = inbound.body()?;
        if letter.text.is_empty() { Err(NoStamp.into()) } else { Ok(Created(letter)) }
    }

    async fn read(&self, inbound: &Inbound) -> Outcome<Letter> {
        Ok(Letter { to: inbound.param("to")?, text: "Dear".into() })
    }
}

#[derive(Debug, Clone)]
struct PostClient(Channel);

impl Client for PostClient {
    const CONTRACT: &'static Contract = &POST;

    fn over(channel: Channel) -> Self {
        Self(channel)
    }
}

impl PostClient {
    async fn send(&self, cx: &Call, letter: &Letter) -> Outcome<Created<Letter>, NoStamp> {
        self.0.call(cx, Outbound::new(&POST.operations[0]).body(letter)).await
    }

    async fn read(&self, cx: &Call, to: &str) -> Outcome<Letter> {
        self.0.call(cx, Outbound::new(&POST.operations[1]).param(to)).await
    }
}

#[tokio::test]
async fn a_contract_by_hand_works_like_any_other() {
    let client: PostClient = Wire::default().serve(&Arc::new(PostOffice), PostOffice::ROUTES).client();
    let letter = Letter { to: "Ann & Bob".into(), text: "Dear".into() };
    let cx = call().with_key("k");
    assert_eq!(client.send(&cx, &letter).await.unwrap().0, letter);
    assert_eq!(client.read(&cx, &letter.to).await.unwrap(), letter);
    let empty = Letter { text: String::new(), ..letter };
    assert!(matches!(client.send(&cx, &empty).await, Err(Fault::Domain(NoStamp))));
    let fault = client.send(&call(), &empty).await.unexpected().unwrap_err();
    assert_eq!(fault.kind(), FaultKind::IdempotencyKeyMissing);
}
