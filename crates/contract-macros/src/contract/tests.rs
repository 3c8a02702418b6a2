//! The rules of a contract, one mistake each. How the messages look is for `tests/ui` of `partie-contract`.

use quote::quote;

use super::*;

/// The messages about a contract with those arguments and that operation.
fn messages(args: &str, operation: &str) -> Vec<String> {
    let item = format!("pub trait Menu {{ {operation} }}").parse().unwrap();
    let output = expand(Root::Contract, args.parse().unwrap(), &item);
    let items = syn::parse2::<syn::File>(output).unwrap().items;
    let messages = items.into_iter().filter_map(|item| match item {
        syn::Item::Macro(item) => Some(item.mac.parse_body::<syn::LitStr>().unwrap().value()),
        _ => None,
    });
    messages.collect()
}

#[test]
fn tables_are_named_after_traits() {
    for (name, table) in [
        ("Orders", "ORDERS"),
        ("OrderBook", "ORDER_BOOK"),
        ("HTTPServer", "HTTP_SERVER"),
        ("V2Menu", "V2_MENU"),
    ] {
        assert_eq!(screaming_snake(name), table);
    }
}

#[test]
fn operations_follow_the_rules() {
    let route = |route: &str| {
        messages("service = \"menu\", version = 1", &format!("{route} async fn f(&self, cx: &Call) -> R;"))
    };
    for (text, message) in [
        (r#"#[get("/", public)]"#, ""),
        (r#"#[delete("/a-b/c.d/~e/F_1", roles = ["a", "b"], keyed, precondition, timeout = "2m")]"#, ""),
        (r#"#[get("a", public)]"#, "starts with `/`"),
        (r#"#[get("", public)]"#, "starts with `/`"),
        (r#"#[get("/a/", public)]"#, "no slash at the end"),
        (r#"#[get("/a//b", public)]"#, "`` is not a segment"),
        (r#"#[get("/a/../b", public)]"#, "`..` is not a segment"),
        (r#"#[get("/a b", public)]"#, "`a b` is not a segment"),
        (r#"#[get("/a/x{id}", public)]"#, "`x{id}` is not a segment"),
        (r#"#[get("/a/{Id}", public)]"#, "`{Id}` is not a place"),
        (r#"#[get("/a/{id}", public)]"#, "`{id}` has no argument"),
        (r#"#[get("/a", role = "")]"#, "one word"),
        (r#"#[get("/a", roles = ["a", "a"])]"#, "there twice"),
        (r#"#[get("/a", roles = "a")]"#, "expected a list"),
        (r#"#[get("/a", role)]"#, "`role` needs a value"),
        (r#"#[get("/a", role = 1)]"#, "expected a string"),
        (r#"#[get("/a", public, precondition)]"#, "precondition is for operations that write"),
        (r#"#[get("/a", public, timeout = "0s")]"#, "a timeout is"),
        (r#"#[get("/a", public, timeout = "5h")]"#, "a timeout is"),
        (r#"#[get("/a", public, timeout = "99999999999999999999s")]"#, "a timeout is"),
        (r#"#[get(public, "/a")]"#, "values come before words"),
        (r#"#[get("/a" public)]"#, "expected `,`"),
        (r#"#[get = "/a"]"#, "put it in parentheses"),
        (r#"#[get("/a", "/b", public)]"#, "one value too many"),
        ("", "an operation has a route"),
    ] {
        check(text, &route(text), message);
    }
}

#[test]
fn signatures_follow_the_rules() {
    let signature = |text: &str| {
        messages("service = \"menu\", version = 1", &format!("#[put(\"/{{id}}\", public)] {text}"))
    };
    for (text, message) in [
        ("async fn f(&self, cx: &Call, id: u32, dish: Dish) -> R;", ""),
        ("async fn f(&self, context: &partie_contract::Call, dish: Dish, id: u32) -> R;", ""),
        ("fn f(&self, cx: &Call, id: u32) -> R;", "`async fn`"),
        ("async fn f(&self, cx: &Call, id: u32);", "returns `Outcome<T, E>`"),
        ("async fn f() -> R;", "the first arguments"),
        ("async fn f(cx: &Call, id: u32) -> R;", "first argument of an operation is `&self`"),
        ("async fn f(self, cx: &Call, id: u32) -> R;", "takes `&self`"),
        ("async fn f(&'static self, cx: &Call, id: u32) -> R;", "takes `&self`"),
        ("async fn f(&self, id: u32) -> R;", "comes after `&self`"),
        ("async fn f(&self, cx: Call, id: u32) -> R;", "comes after `&self`"),
        ("async fn f(&self, cx: &Context, id: u32) -> R;", "comes after `&self`"),
        ("async fn f(&self, cx: &Call, id: &str) -> R;", "are owned"),
        ("async fn f(&self, cx: &Call, id: u32, dish: impl Into<Dish>) -> R;", "no generics"),
        ("async fn f(&self, cx: &Call, id: u32, dishes: Vec<Self>) -> R;", "write the type out"),
        ("async fn f(&self, cx: &Call, id: u32) -> Outcome<Vec<Self>>;", "write the type out"),
        ("async fn f(&self, cx: &Call, id: u32, (a, b): (A, B)) -> R;", "a plain name"),
        ("async fn f(&self, cx: &Call, id: u32, a: A, b: B) -> R;", "`a` is the body already"),
        ("async fn f(&self, cx: &Call, id: u32) -> R where Self: Clone;", "no bounds"),
        ("async fn f<T>(&self, cx: &Call, id: u32) -> R;", "no generics"),
        ("async unsafe fn f(&self, cx: &Call, id: u32) -> R;", "not unsafe"),
        ("async extern \"C\" fn f(&self, cx: &Call, id: u32) -> R;", "no ABI"),
        ("async fn f(&self, cx: &Call, id: u32) -> R { loop {} }", "no default body"),
        ("#[cfg(unix)] async fn f(&self, cx: &Call, id: u32) -> R;", "in every build"),
        ("async fn clone(&self, cx: &Call, id: u32) -> R;", "`clone` is a function of every contract"),
    ] {
        check(text, &signature(text), message);
    }
}

#[test]
fn arguments_of_contracts_follow_the_rules() {
    let operation = "#[get(\"/\", public)] async fn f(&self, cx: &Call) -> R;";
    for (args, message) in [
        (r#"service = "menu", version = 1"#, ""),
        (r#"service = "menu-2", version = 0, prefix = "/a/b""#, ""),
        (r#"service = "menu", prefix = "", compat"#, ""),
        ("version = 1", "`service = ..` is missing"),
        (r#"service = "menu""#, "a contract names its paths"),
        (r#"service = "menu_2", version = 1"#, "kebab-case"),
        (r#"service = "menu", version = 0"#, "a contract names its paths"),
        (r#"service = "menu", version = 70000"#, "versions are 1 to 65535"),
        (r#"service = "menu", version = "1""#, "expected a number"),
        (r#"service = "menu", version = 1, prefix = "/a""#, "outside any version"),
        (r#"service = "menu", prefix = "a""#, "a prefix is"),
        (r#"service = "menu", prefix = "/{a}""#, "a prefix is"),
        (r#"service = "menu", version = 1, compat = true"#, "takes no value"),
        (r#"service = "menu", version = 1, version = 2"#, "said twice"),
    ] {
        check(args, &messages(args, operation), message);
    }
}

#[test]
fn only_traits_are_contracts() {
    let output = expand(
        Root::Contract,
        quote!(service = "menu", version = 1),
        &quote!(
            struct Menu;
        ),
    )
    .to_string();
    assert!(output.contains("a contract is a trait") && output.contains("struct Menu"), "{output}");
}

/// No message, or exactly one with that text.
fn check(input: &str, messages: &[String], expected: &str) {
    match messages {
        [] => assert_eq!(expected, "", "{input}"),
        [message] => assert!(!expected.is_empty() && message.contains(expected), "{input}: {message}"),
        more => panic!("{input}: {more:?}"),
    }
}
