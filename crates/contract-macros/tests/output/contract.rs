/// From a basket to a doorstep.
pub trait Orders: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Place an order.
    ///
    /// It is on disk when the answer leaves.
    fn place(
        &self,
        cx: &Call,
        order: NewOrder,
    ) -> impl ::core::future::Future<
        Output = Outcome<Created<Order>, OrderError>,
    > + ::core::marker::Send;
    /// Read a line of an order.
    fn line(
        &self,
        cx: &Call,
        line: u32,
        id: OrderId,
        view: View,
    ) -> impl ::core::future::Future<
        Output = Outcome<Line, OrderError>,
    > + ::core::marker::Send;
    fn cancel(
        &self,
        cx: &Call,
        id: OrderId,
    ) -> impl ::core::future::Future<Output = Outcome<NoContent>> + ::core::marker::Send;
    /// The table, and an endpoint of this implementation for each of its operations.
    #[allow(dead_code, deprecated)]
    fn routes() -> ::partie_contract::Routes<Self>
    where
        Self: ::core::marker::Sized,
    {
        fn place<__S: Orders>(
            service: ::std::sync::Arc<__S>,
            mut inbound: ::partie_contract::Inbound,
        ) -> ::partie_contract::BoxFuture<'static, ::partie_contract::Response> {
            ::partie_contract::boxed(move || async move {
                let order = match <NewOrder as ::partie_contract::Argument>::from_body(
                    &mut inbound,
                ) {
                    ::core::result::Result::Ok(order) => order,
                    ::core::result::Result::Err(fault) => return inbound.refuse(fault),
                };
                let outcome = __S::place(&service, &inbound.call, order).await;
                <Outcome<
                    Created<Order>,
                    OrderError,
                > as ::partie_contract::Answer>::answer(outcome, inbound)
            })
        }
        fn line<__S: Orders>(
            service: ::std::sync::Arc<__S>,
            inbound: ::partie_contract::Inbound,
        ) -> ::partie_contract::BoxFuture<'static, ::partie_contract::Response> {
            ::partie_contract::boxed(move || async move {
                let id = match <OrderId as ::partie_contract::PathParam>::from_path(
                    &inbound,
                    "id",
                ) {
                    ::core::result::Result::Ok(id) => id,
                    ::core::result::Result::Err(fault) => return inbound.refuse(fault),
                };
                let line = match <u32 as ::partie_contract::PathParam>::from_path(
                    &inbound,
                    "line",
                ) {
                    ::core::result::Result::Ok(line) => line,
                    ::core::result::Result::Err(fault) => return inbound.refuse(fault),
                };
                let view = match <View as ::partie_contract::Argument>::from_query(
                    &inbound,
                ) {
                    ::core::result::Result::Ok(view) => view,
                    ::core::result::Result::Err(fault) => return inbound.refuse(fault),
                };
                let outcome = __S::line(&service, &inbound.call, line, id, view).await;
                <Outcome<
                    Line,
                    OrderError,
                > as ::partie_contract::Answer>::answer(outcome, inbound)
            })
        }
        fn cancel<__S: Orders>(
            service: ::std::sync::Arc<__S>,
            inbound: ::partie_contract::Inbound,
        ) -> ::partie_contract::BoxFuture<'static, ::partie_contract::Response> {
            ::partie_contract::boxed(move || async move {
                let id = match <OrderId as ::partie_contract::PathParam>::from_path(
                    &inbound,
                    "id",
                ) {
                    ::core::result::Result::Ok(id) => id,
                    ::core::result::Result::Err(fault) => return inbound.refuse(fault),
                };
                if let ::core::result::Result::Err(fault) = inbound.no_body() {
                    return inbound.refuse(fault);
                }
                let outcome = __S::cancel(&service, &inbound.call, id).await;
                <Outcome<
                    NoContent,
                > as ::partie_contract::Answer>::answer(outcome, inbound)
            })
        }
        const {
            ::partie_contract::Routes::new(
                &ORDERS,
                &[place::<Self>, line::<Self>, cancel::<Self>],
            )
        }
    }
}
/// The operation table of [`Orders`].
#[allow(dead_code)]
pub static ORDERS: ::partie_contract::Contract = ::partie_contract::Contract {
    service: "orders",
    name: "orders",
    version: 1u16,
    doc: "From a basket to a doorstep.",
    compat: false,
    operations: &[
        ::partie_contract::Operation {
            service: "orders",
            contract: "orders",
            version: 1u16,
            name: "place",
            doc: "Place an order.\n\nIt is on disk when the answer leaves.",
            verb: ::partie_contract::Verb::Post,
            path: "/api/v1/orders",
            access: ::partie_contract::Access::Roles(&["customer"]),
            keyed: true,
            key_optional: false,
            precondition: false,
            no_store: false,
            params: &[],
            query: ::core::option::Option::None,
            body: ::core::option::Option::Some(
                <NewOrder as ::partie_contract::Argument>::SCHEMA,
            ),
            reply: <Outcome<
                Created<Order>,
                OrderError,
            > as ::partie_contract::Answer>::REPLY
                .storable(),
            problems: <Outcome<
                Created<Order>,
                OrderError,
            > as ::partie_contract::Answer>::PROBLEMS,
            timeout: ::core::option::Option::Some(
                ::core::time::Duration::from_millis(5000u64),
            ),
        },
        ::partie_contract::Operation {
            service: "orders",
            contract: "orders",
            version: 1u16,
            name: "line",
            doc: "Read a line of an order.",
            verb: ::partie_contract::Verb::Get,
            path: "/api/v1/orders/{id}/lines/{line}",
            access: ::partie_contract::Access::Roles(&["customer", "cook"]),
            keyed: false,
            key_optional: false,
            precondition: false,
            no_store: false,
            params: &[
                ::partie_contract::Param {
                    name: "id",
                    schema: <OrderId as ::partie_contract::PathParam>::SCHEMA,
                },
                ::partie_contract::Param {
                    name: "line",
                    schema: <u32 as ::partie_contract::PathParam>::SCHEMA,
                },
            ],
            query: ::core::option::Option::Some(
                <View as ::partie_contract::Argument>::SCHEMA,
            ),
            body: ::core::option::Option::None,
            reply: <Outcome<Line, OrderError> as ::partie_contract::Answer>::REPLY,
            problems: <Outcome<Line, OrderError> as ::partie_contract::Answer>::PROBLEMS,
            timeout: ::core::option::Option::None,
        },
        ::partie_contract::Operation {
            service: "orders",
            contract: "orders",
            version: 1u16,
            name: "cancel",
            doc: "",
            verb: ::partie_contract::Verb::Delete,
            path: "/api/v1/orders/{id}",
            access: ::partie_contract::Access::Authenticated,
            keyed: false,
            key_optional: false,
            precondition: true,
            no_store: false,
            params: &[
                ::partie_contract::Param {
                    name: "id",
                    schema: <OrderId as ::partie_contract::PathParam>::SCHEMA,
                },
            ],
            query: ::core::option::Option::None,
            body: ::core::option::Option::None,
            reply: <Outcome<NoContent> as ::partie_contract::Answer>::REPLY,
            problems: <Outcome<NoContent> as ::partie_contract::Answer>::PROBLEMS,
            timeout: ::core::option::Option::None,
        },
    ],
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
impl OrdersClient {
    /// Place an order.
    ///
    /// It is on disk when the answer leaves.
    pub async fn place(
        &self,
        cx: &::partie_contract::Call,
        order: NewOrder,
    ) -> Outcome<Created<Order>, OrderError> {
        let outbound = ::partie_contract::Outbound::new(&ORDERS.operations[0]);
        let outbound = <NewOrder as ::partie_contract::Argument>::to_body(
            &order,
            outbound,
        );
        let answer = self.channel.exchange(cx, outbound).await;
        <Outcome<Created<Order>, OrderError> as ::partie_contract::Answer>::read(answer)
    }
    /// Read a line of an order.
    pub async fn line(
        &self,
        cx: &::partie_contract::Call,
        line: u32,
        id: OrderId,
        view: View,
    ) -> Outcome<Line, OrderError> {
        let outbound = ::partie_contract::Outbound::new(&ORDERS.operations[1]);
        let outbound = <OrderId as ::partie_contract::PathParam>::to_path(&id, outbound);
        let outbound = <u32 as ::partie_contract::PathParam>::to_path(&line, outbound);
        let outbound = <View as ::partie_contract::Argument>::to_query(&view, outbound);
        let answer = self.channel.exchange(cx, outbound).await;
        <Outcome<Line, OrderError> as ::partie_contract::Answer>::read(answer)
    }
    pub async fn cancel(
        &self,
        cx: &::partie_contract::Call,
        id: OrderId,
    ) -> Outcome<NoContent> {
        let outbound = ::partie_contract::Outbound::new(&ORDERS.operations[2]);
        let outbound = <OrderId as ::partie_contract::PathParam>::to_path(&id, outbound);
        let answer = self.channel.exchange(cx, outbound).await;
        <Outcome<NoContent> as ::partie_contract::Answer>::read(answer)
    }
}
#[automatically_derived]
impl Orders for OrdersClient {
    fn place(
        &self,
        cx: &Call,
        order: NewOrder,
    ) -> impl ::core::future::Future<
        Output = Outcome<Created<Order>, OrderError>,
    > + ::core::marker::Send {
        OrdersClient::place(self, cx, order)
    }
    fn line(
        &self,
        cx: &Call,
        line: u32,
        id: OrderId,
        view: View,
    ) -> impl ::core::future::Future<
        Output = Outcome<Line, OrderError>,
    > + ::core::marker::Send {
        OrdersClient::line(self, cx, line, id, view)
    }
    fn cancel(
        &self,
        cx: &Call,
        id: OrderId,
    ) -> impl ::core::future::Future<
        Output = Outcome<NoContent>,
    > + ::core::marker::Send {
        OrdersClient::cancel(self, cx, id)
    }
}
#[automatically_derived]
#[allow(deprecated)]
impl<__T: Orders> Orders for ::std::sync::Arc<__T> {
    fn place(
        &self,
        cx: &Call,
        order: NewOrder,
    ) -> impl ::core::future::Future<
        Output = Outcome<Created<Order>, OrderError>,
    > + ::core::marker::Send {
        <__T as Orders>::place(self, cx, order)
    }
    fn line(
        &self,
        cx: &Call,
        line: u32,
        id: OrderId,
        view: View,
    ) -> impl ::core::future::Future<
        Output = Outcome<Line, OrderError>,
    > + ::core::marker::Send {
        <__T as Orders>::line(self, cx, line, id, view)
    }
    fn cancel(
        &self,
        cx: &Call,
        id: OrderId,
    ) -> impl ::core::future::Future<
        Output = Outcome<NoContent>,
    > + ::core::marker::Send {
        <__T as Orders>::cancel(self, cx, id)
    }
}
