::core::compile_error! {
    "a contract names its paths: `version = 1` for `/api/v1`, or a `prefix` of its own"
}
::core::compile_error! {
    "say who may call it: `public`, `authenticated`, `role = \"..\"` or `roles = [..]`"
}
pub trait Orders: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn place(
        &self,
        cx: &Call,
        order: NewOrder,
    ) -> impl ::core::future::Future<
        Output = Outcome<Order, OrderError>,
    > + ::core::marker::Send;
    /// The table, and an endpoint of this implementation for each of its operations.
    #[allow(dead_code, deprecated)]
    fn routes() -> ::partie_contract::Routes<Self>
    where
        Self: ::core::marker::Sized,
    {
        const { ::partie_contract::Routes::new(&ORDERS, &[]) }
    }
}
/// The operation table of [`Orders`].
#[allow(dead_code)]
pub static ORDERS: ::partie_contract::Contract = ::partie_contract::Contract {
    service: "",
    name: "orders",
    version: 0u16,
    doc: "",
    compat: false,
    operations: &[],
};
/// Calls [`Orders`], wherever it is served.
#[allow(dead_code)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct OrdersClient {
    channel: ::partie_contract::Channel,
}
#[automatically_derived]
impl ::partie_contract::Client for OrdersClient {
    const CONTRACT: &'static ::partie_contract::Contract = &ORDERS;
    fn over(channel: ::partie_contract::Channel) -> Self {
        Self { channel }
    }
}
#[allow(dead_code, missing_docs)]
impl OrdersClient {}
#[automatically_derived]
#[allow(unused)]
impl Orders for OrdersClient {
    fn place(
        &self,
        cx: &Call,
        order: NewOrder,
    ) -> impl ::core::future::Future<
        Output = Outcome<Order, OrderError>,
    > + ::core::marker::Send {
        async { ::core::unreachable!() }
    }
}
