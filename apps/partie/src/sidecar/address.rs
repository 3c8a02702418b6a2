//! Which service an address of the program's own calls means, and what is left of it.

use std::collections::BTreeMap;

use http::Uri;
use http::uri::PathAndQuery;
use partie_contract::{FaultKind, Platform};
use partie_mesh::check_path;

/// The longest name of a service.
const LONGEST: usize = 128;

/// Where a call goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) service: String,
    /// What the service is asked for.
    pub(super) uri: Uri,
}

/// Whether that can be the name of a service.
pub(super) fn is_service(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST).contains(&name.len())
        && name.bytes().all(plain)
        && name.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Reads `/SERVICE/rest?query` as `/rest?query` of that service, byte for byte. Of a first segment among the routes
/// nothing is taken away.
pub(super) fn destination(uri: &Uri, routes: &BTreeMap<String, String>) -> Result<Destination, Platform> {
    check_path(uri.path())?;
    let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let (path, query) = whole.split_once('?').map_or((whole, None), |(path, query)| (path, Some(query)));
    let path = path.strip_prefix('/').unwrap_or(path);
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if let Some(service) = routes.get(first) {
        return Ok(Destination { service: service.clone(), uri: Uri::from(reread(whole)?) });
    }
    if !is_service(first) {
        return Err(Platform::new(FaultKind::NotFound)
            .with_detail("the address has to be /SERVICE/path, with the name of a service first"));
    }
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(Destination { service: first.to_owned(), uri: Uri::from(reread(&format!("/{rest}{query}"))?) })
}

/// A part of an address that was read is one that can be read.
fn reread(text: &str) -> Result<PathAndQuery, Platform> {
    text.parse().map_err(|_| Platform::new(FaultKind::MalformedRequest).with_detail("no such address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, String), u16> {
        let routes = [("menu.Menu".to_owned(), "menu".to_owned())].into();
        let found = destination(&text.parse().unwrap(), &routes);
        found.map(|found| (found.service, found.uri.to_string())).map_err(|fault| fault.kind().status())
    }

    #[test]
    fn the_first_segment_is_the_service_and_the_rest_stays_as_it_is() {
        for (sent, service, asked) in [
            ("/product", "product", "/"),
            ("/product/", "product", "/"),
            ("/product/a/b", "product", "/a/b"),
            ("/product/a/", "product", "/a/"),
            ("/product?q=1", "product", "/?q=1"),
            ("/product/a%20b?q=%2F..%2F&r=a/b?c", "product", "/a%20b?q=%2F..%2F&r=a/b?c"),
            ("/product/a?", "product", "/a?"),
            ("/a.b-c_1/x", "a.b-c_1", "/x"),
            ("/menu.Menu/List", "menu", "/menu.Menu/List"),
            ("/product/product/x", "product", "/product/x"),
        ] {
            assert_eq!(read(sent), Ok((service.to_owned(), asked.to_owned())), "{sent}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read() {
        for sent in [
            "/product/../other/x",
            "/product/%2e%2e/x",
            "/product/a%2Fb",
            "/product%2Fa",
            "/product//a",
            "//product/a",
            "/../product",
            "/product/%00",
            "/product/%zz",
            "*",
        ] {
            assert_eq!(read(sent), Err(400), "{sent}");
        }
        for sent in ["/", "/?q", "/pro%64uct/a", "/a@b/x", "/-/x", "/...", &format!("/{}", "a".repeat(129))] {
            assert_eq!(read(sent), Err(404), "{sent}");
        }
    }
}
