//! Replies: the return type of an operation says its status.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::{Body, Response};
use crate::operation::{Content, ReplySpec};
use crate::page::{Page, PageBody};
use crate::platform::{FaultKind, Platform};
use crate::schema::schema_of;
use crate::wire::PROBLEM_JSON;

/// What a JSON body gets to begin with, in bytes: most never have to move.
const USUAL: usize = 1 << 10;

/// What an operation can return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the answer of an operation",
    note = "it needs `Serialize`, `Deserialize` and `JsonSchema`, or is one of `Created`, `Accepted`, `NoContent`, `Versioned`, `Page`, `EventStream`"
)]
pub trait Reply: Sized + Send + 'static {
    /// Its row in the operation table.
    const SPEC: ReplySpec;

    /// The answer for the wire.
    ///
    /// # Errors
    /// [`FaultKind::Internal`] if the value cannot be JSON.
    fn into_response(self) -> Result<Response, Platform>;

    /// The value from the wire. The body is whole unless the row says events.
    ///
    /// # Errors
    /// [`FaultKind::UpstreamFailed`] if the answer is not one of this type.
    fn from_response(response: Response) -> Result<Self, Platform>;
}

/// A reply that is known whole, so that it can be stored with an idempotency key and replayed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the answer of an operation",
    note = "it needs `Serialize`, `Deserialize` and `JsonSchema`, or is one of `Created`, `Accepted`, `NoContent`, `Versioned`, `Page`"
)]
pub trait Render: Sized + Send + 'static {
    /// Its row in the operation table.
    const SPEC: ReplySpec;

    /// Status, contract headers and body.
    ///
    /// # Errors
    /// [`FaultKind::Internal`] if the value cannot be JSON.
    fn render(&self) -> Result<Rendered, Platform>;

    /// The value back.
    ///
    /// # Errors
    /// [`FaultKind::UpstreamFailed`] if the body is not that of this type.
    fn parse(rendered: &Rendered) -> Result<Self, Platform>;
}

/// A reply as it goes over the wire, and as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The status.
    pub status: u16,
    /// `Location`, if it has one.
    pub location: Option<String>,
    /// `ETag`, if it has one.
    pub etag: Option<String>,
    /// `Link`, if it has one.
    pub link: Option<String>,
    /// The JSON body; empty if there is none.
    pub body: Bytes,
}

/// Something that has an address.
pub trait Entity {
    /// The collection's path, `/api/v1/orders`.
    const COLLECTION: &'static str;

    /// Its id within the collection.
    fn id(&self) -> String;

    /// Its row version, sent as `ETag`.
    fn version(&self) -> Option<i64> {
        None
    }
}

/// 201 with `Location`, and `ETag` if the entity has a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created<T>(pub T);

/// 202 with `Location`: accepted, and carried out later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<T>(pub T);

/// 200 once it is done, 202 while it is not: for operations that wait a while before they answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled<T> {
    /// 200: this is what came of it.
    Done(T),
    /// 202: this is what is known so far.
    Later(T),
}

/// 200 with `ETag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T>(pub T);

/// 204.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoContent;

// === Reply for everything that renders ===

#[diagnostic::do_not_recommend]
impl<T: Render> Reply for T {
    const SPEC: ReplySpec = <T as Render>::SPEC;

    fn into_response(self) -> Result<Response, Platform> {
        Ok(self.render()?.into_response())
    }

    fn from_response(response: Response) -> Result<Self, Platform> {
        let (parts, body) = response.into_parts();
        let text = |name: HeaderName| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
        let rendered = Rendered {
            status: parts.status.as_u16(),
            location: text(header::LOCATION),
            etag: text(header::ETAG),
            link: text(header::LINK),
            body: body
                .into_whole()
                .ok_or_else(|| Platform::new(FaultKind::UpstreamFailed).from_upstream())?,
        };
        Self::parse(&rendered)
    }
}

// === Render for plain JSON and the wrappers ===

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + JsonSchema + Send + 'static> Render for T {
    const SPEC: ReplySpec = ReplySpec { status: 200, content: Content::Json(schema_of::<T>), headers: &[] };

    fn render(&self) -> Result<Rendered, Platform> {
        Rendered::json(200, self)
    }

    fn parse(rendered: &Rendered) -> Result<Self, Platform> {
        rendered.read()
    }
}

impl<T> Render for Created<T>
where
    T: Entity + Serialize + DeserializeOwned + JsonSchema + Send + 'static,
{
    const SPEC: ReplySpec =
        ReplySpec { status: 201, content: Content::Json(schema_of::<T>), headers: &[LOCATION, ETAG] };

    fn render(&self) -> Result<Rendered, Platform> {
        Ok(Rendered::json(201, &self.0)?.located(&self.0).tagged(&self.0))
    }

    fn parse(rendered: &Rendered) -> Result<Self, Platform> {
        rendered.read().map(Self)
    }
}

impl<T> Render for Accepted<T>
where
    T: Entity + Serialize + DeserializeOwned + JsonSchema + Send + 'static,
{
    const SPEC: ReplySpec =
        ReplySpec { status: 202, content: Content::Json(schema_of::<T>), headers: &[LOCATION] };

    fn render(&self) -> Result<Rendered, Platform> {
        Ok(Rendered::json(202, &self.0)?.located(&self.0))
    }

    fn parse(rendered: &Rendered) -> Result<Self, Platform> {
        rendered.read().map(Self)
    }
}

impl<T> Render for Settled<T>
where
    T: Serialize + DeserializeOwned + JsonSchema + Send + 'static,
{
    const SPEC: ReplySpec = <T as Render>::SPEC;

    fn render(&self) -> Result<Rendered, Platform> {
        let status = if matches!(self, Self::Done(_)) { 200 } else { 202 };
        Rendered::json(status, self.get())
    }

    fn parse(rendered: &Rendered) -> Result<Self, Platform> {
        let value = rendered.read()?;
        Ok(if rendered.status == 202 { Self::Later(value) } else { Self::Done(value) })
    }
}

impl<T> Settled<T> {
    /// What is known.
    pub const fn get(&self) -> &T {
        match self {
            Self::Done(value) | Self::Later(value) => value,
        }
    }
}

impl<T> Render for Versioned<T>
where
    T: Entity + Serialize + DeserializeOwned + JsonSchema + Send + 'static,
{
    const SPEC: ReplySpec =
        ReplySpec { status: 200, content: Content::Json(schema_of::<T>), headers: &[ETAG] };

    fn render(&self) -> Result<Rendered, Platform> {
        Ok(Rendered::json(200, &self.0)?.tagged(&self.0))
    }

    fn parse(rendered: &Rendered) -> Result<Self, Platform> {
        rendered.read().map(Self)
    }
}

impl Render for NoContent {
    const SPEC: ReplySpec = ReplySpec { status: 204, content: Content::Empty, headers: &[] };

    fn render(&self) -> Result<Rendered, Platform> {
        Ok(Rendered { status: 204, location: None, etag: None, link: None, body: Bytes::new() })
    }

    fn parse(_: &Rendered) -> Result<Self, Platform> {
        Ok(Self)
    }
}

impl<T: Serialize + DeserializeOwned + JsonSchema + Clone + Send + 'static> Render for Page<T> {
    const SPEC: ReplySpec =
        ReplySpec { status: 200, content: Content::Json(schema_of::<PageBody<T>>), headers: &[LINK] };

    fn render(&self) -> Result<Rendered, Platform> {
        let body = PageBody {
            data: self.data.clone(),
            has_more: self.next.is_some(),
            next_cursor: self.next.clone(),
        };
        let mut rendered = Rendered::json(200, &body)?;
        // Relative to the list itself, RFC 8288 section 3.2.
        rendered.link = self.next.as_ref().map(|next| format!("<?after={next}>; rel=\"next\""));
        Ok(rendered)
    }

    fn parse(rendered: &Rendered) -> Result<Self, Platform> {
        let body: PageBody<T> = rendered.read()?;
        Ok(Self { data: body.data, next: body.next_cursor.filter(|_| body.has_more) })
    }
}

const LOCATION: (&str, &str) = ("Location", "The path of the entity.");
const ETAG: (&str, &str) = ("ETag", "The row version, for If-Match.");
const LINK: (&str, &str) = ("Link", "The next page, rel=\"next\".");

// === impl Rendered ===

impl Rendered {
    /// A JSON body.
    ///
    /// # Errors
    /// [`FaultKind::Internal`] if the value cannot be JSON.
    pub fn json(status: u16, value: &impl Serialize) -> Result<Self, Platform> {
        let mut body = Vec::with_capacity(USUAL);
        serde_json::to_writer(&mut body, value).map_err(Platform::internal)?;
        Ok(Self { status, location: None, etag: None, link: None, body: body.into() })
    }

    fn located<T: Entity>(mut self, entity: &T) -> Self {
        self.location = Some([T::COLLECTION, "/", &entity.id()].concat());
        self
    }

    fn tagged<T: Entity>(mut self, entity: &T) -> Self {
        self.etag = entity.version().map(|version| format!("\"{version}\""));
        self
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Platform> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Platform::new(FaultKind::UpstreamFailed).caused_by(error).from_upstream())
    }

    /// The answer for the wire.
    pub fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        for (name, text) in
            [(header::LOCATION, self.location), (header::ETAG, self.etag), (header::LINK, self.link)]
        {
            if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.insert(name, value);
            }
        }
        if !self.body.is_empty() {
            // A stored answer may be a problem that was committed.
            let kind = if self.status >= 400 { PROBLEM_JSON } else { "application/json" };
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            *response.body_mut() = self.body.into();
        }
        response
    }
}
