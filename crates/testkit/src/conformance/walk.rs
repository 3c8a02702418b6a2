//! One operation through one case after the other.

mod steps;

use partie_contract::{Access, FaultKind, Operation, Verb};
use serde_json::{Value, json};

use self::steps::{first_event, is_strict, refused};
use super::ask::Ask;
use super::bodies::{self, UNKNOWN};
use super::case::Case;
use super::example::Example;
use super::table::{self, Row};
use super::{Make, expect};
use crate::call::fresh_key;
use crate::run::TestRun;

/// A role nobody asks for.
const NO_ROLE: &str = "nobody-in-particular";

/// What came of a case.
pub(crate) enum Verdict {
    Passed,
    Failed(Vec<String>),
    Skipped(&'static str),
    DoesNotApply,
}

/// The walk of one operation.
pub(crate) struct Walk<'w, 'r> {
    run: &'r TestRun,
    row: &'w Row,
    operation: &'static Operation,
    make: &'w Make<'r>,
    body: Option<Value>,
    query: Option<Value>,
    params: Vec<Value>,
}

/// What is wrong; nothing if all is well.
type Found = Result<Vec<String>, String>;

// === impl Walk ===

impl<'w, 'r> Walk<'w, 'r> {
    pub(crate) fn new(run: &'r TestRun, row: &'w Row, make: &'w Make<'r>) -> Self {
        let operation = row.operation;
        let params = operation.params.iter().map(|param| table::resolved(param.schema)).collect();
        let (body, query) = (operation.body.map(table::resolved), operation.query.map(table::resolved));
        Self { run, row, operation, make, body, query, params }
    }

    /// Whether the case says anything about this operation.
    pub(crate) fn applies(&self, case: Case) -> bool {
        let operation = self.operation;
        let needs_caller = operation.access != Access::Public;
        // In development an anonymous write on a tutorial's route is by the demo customer.
        let demo = self.row.compat && !operation.verb.is_read();
        let object =
            |schema: &Option<Value>| schema.as_ref().is_some_and(|schema| table::is_type(schema, "object"));
        match case {
            Case::Success | Case::WrongMethod | Case::UnknownPath | Case::BadEscape | Case::OddValues => true,
            Case::NotAcceptable | Case::BrokenToken => true,
            Case::FirstEvent => operation.is_stream(),
            Case::Head => operation.verb == Verb::Get && !operation.is_stream(),
            Case::BadParam => self.params.iter().any(is_strict),
            Case::BadQueryEscape | Case::UnknownQuery => operation.query.is_some(),
            Case::TruncatedJson | Case::WrongContentType => operation.body.is_some(),
            Case::TooLarge | Case::DuplicateKey | Case::NotANumber | Case::TooDeep => {
                operation.verb.has_body()
            }
            Case::TrailingData | Case::LoneSurrogate | Case::NotUtf8 => operation.verb.has_body(),
            Case::UnknownField => {
                operation.verb.has_body() && (operation.body.is_none() || object(&self.body))
            }
            Case::WrongType => object(&self.body),
            Case::MissingField => self.body.as_ref().is_some_and(|body| !table::required(body).is_empty()),
            Case::MissingToken => needs_caller && !demo,
            Case::WrongRole => matches!(operation.access, Access::Roles(_)),
            Case::MissingKey => operation.keyed && !operation.key_optional,
            Case::BadKey | Case::Replay => operation.keyed,
            Case::ReusedKey => operation.keyed && (operation.body.is_some() || !operation.params.is_empty()),
            Case::MissingPrecondition | Case::StalePrecondition | Case::BadPrecondition => {
                operation.precondition
            }
        }
    }

    pub(crate) async fn check(&self, case: Case) -> Verdict {
        let found = match self.fresh().await {
            Ok((example, ask)) => self.found(case, &example, ask).await,
            Err(missing) => Err(missing),
        };
        match found {
            Ok(wrong) if wrong.is_empty() => Verdict::Passed,
            Ok(wrong) => Verdict::Failed(wrong),
            Err(wrong) => Verdict::Failed(vec![wrong]),
        }
    }

    async fn fresh(&self) -> Result<(Example, Ask), String> {
        let example = (self.make)().await;
        let ask = example.ask(self.run, self.operation)?;
        Ok((example, ask))
    }

    async fn found(&self, case: Case, example: &Example, ask: Ask) -> Found {
        let operation = self.operation;
        let nothing = json!({});
        let body = example.body.as_ref().unwrap_or(&nothing);
        if let Some(texts) = bodies::broken(case, body) {
            return refused(
                texts.into_iter().map(|text| ask.clone().with_body(text)),
                FaultKind::MalformedBody,
            )
            .await;
        }
        match case {
            Case::Success => Ok(expect::success(&ask.send().await?, operation)),
            Case::FirstEvent => first_event(&ask).await,
            Case::Head => Ok(expect::success_head(&Ask { method: "HEAD", ..ask }.send().await?, operation)),
            Case::WrongMethod => self.wrong_method(ask).await,
            Case::UnknownPath => {
                let paths = [format!("{}/nowhere/nowhere", ask.path), format!("{}/", ask.path)];
                refused(paths.map(|path| Ask { path, ..ask.clone() }), FaultKind::NotFound).await
            }
            Case::BadEscape => refused(self.bad_escapes(&ask), FaultKind::MalformedRequest).await,
            Case::BadParam => refused(self.bad_params(&ask), FaultKind::MalformedRequest).await,
            Case::BadQueryEscape => {
                let pairs = ["x=%zz", "x=%", "%2", "x=%ff"];
                refused(pairs.map(|pair| ask.clone().with_query(pair)), FaultKind::MalformedRequest).await
            }
            Case::UnknownQuery => self.unknown(example, ask.with_query(&format!("{UNKNOWN}=1"))).await,
            Case::TooLarge => {
                let large = ask.with_body(bodies::too_large(body));
                let chunked = Ask { chunked: true, ..large.clone() };
                refused([large, chunked], FaultKind::PayloadTooLarge).await
            }
            Case::WrongContentType => {
                let kinds = [
                    None,
                    Some("text/plain"),
                    Some("application/jsonp"),
                    Some("multipart/form-data; boundary=x"),
                ];
                let asks = kinds.map(|content_type| Ask { content_type, ..ask.clone() });
                refused(asks, FaultKind::UnsupportedMediaType).await
            }
            Case::NotAcceptable => {
                refused([Ask { accept: Some("image/png"), ..ask }], FaultKind::NotAcceptable).await
            }
            Case::UnknownField => match bodies::with_unknown(body) {
                Some(body) => self.unknown(example, ask.with_body(body.to_string())).await,
                None => Err("the example's body is no object".to_owned()),
            },
            Case::MissingField => self.missing_fields(body, &ask).await,
            Case::WrongType => {
                let mut wrong = Vec::new();
                for text in ["\"text\"", "1", "null", "[]"] {
                    wrong.extend(expect::violation(&ask.clone().with_body(text).send().await?, None));
                }
                Ok(wrong)
            }
            Case::MissingToken => refused([Ask { token: None, ..ask }], FaultKind::Unauthenticated).await,
            Case::BrokenToken => {
                let tampered = ask.token.as_ref().map(|token| format!("{}x", &token[..token.len() - 1]));
                let tokens = ["x.y.z".to_owned(), "nonsense".to_owned()].into_iter().chain(tampered);
                let asks = tokens.map(|token| Ask { token: Some(token), ..ask.clone() });
                refused(asks, FaultKind::Unauthenticated).await
            }
            Case::WrongRole => {
                let token = Some(self.run.token("conformance", &[NO_ROLE]));
                refused([Ask { token, ..ask }], FaultKind::Forbidden).await
            }
            Case::MissingKey => refused([Ask { key: None, ..ask }], FaultKind::IdempotencyKeyMissing).await,
            Case::BadKey => {
                let keys = ["k".repeat(256), "a b".to_owned()];
                let asks = keys.map(|key| Ask { key: Some(key), ..ask.clone() });
                refused(asks, FaultKind::MalformedRequest).await
            }
            Case::Replay => {
                let first = ask.send().await?;
                let wrong = expect::success(&first, operation);
                if wrong.is_empty() { Ok(expect::replay(&first, &ask.send().await?)) } else { Ok(wrong) }
            }
            Case::ReusedKey => self.reused_key(body, &ask).await,
            Case::MissingPrecondition => {
                refused([Ask { if_match: None, ..ask }], FaultKind::PreconditionRequired).await
            }
            Case::StalePrecondition => {
                let tags = ["\"999999999\"", "\"never-given-out\""];
                let asks = tags.map(|tag| Ask {
                    if_match: Some(tag.to_owned()),
                    key: ask.key.as_ref().map(|_| fresh_key()),
                    ..ask.clone()
                });
                refused(asks, FaultKind::PreconditionFailed).await
            }
            Case::BadPrecondition => {
                refused([Ask { if_match: Some("3".to_owned()), ..ask }], FaultKind::MalformedRequest).await
            }
            Case::OddValues => self.odd_values(example, ask).await,
            _ => Err("the walk does not know this case".to_owned()),
        }
    }
}
