trait SeedNotify: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn notify(
        &self,
        cx: &Call,
        message: Message,
    ) -> impl ::core::future::Future<Output = Outcome<Sent>> + ::core::marker::Send;
    /// The table, and an endpoint of this implementation for each of its operations.
    #[allow(dead_code, deprecated)]
    fn routes() -> ::partie::contract::Routes<Self>
    where
        Self: ::core::marker::Sized,
    {
        fn notify<__S: SeedNotify>(
            service: ::std::sync::Arc<__S>,
            mut inbound: ::partie::contract::Inbound,
        ) -> ::partie::contract::BoxFuture<'static, ::partie::contract::Response> {
            ::partie::contract::boxed(move || async move {
                let message = match <Message as ::partie::contract::Argument>::from_body(
                    &mut inbound,
                ) {
                    ::core::result::Result::Ok(message) => message,
                    ::core::result::Result::Err(fault) => return inbound.refuse(fault),
                };
                let outcome = __S::notify(&service, &inbound.call, message).await;
                <Outcome<Sent> as ::partie::contract::Answer>::answer(outcome, inbound)
            })
        }
        const { ::partie::contract::Routes::new(&SEED_NOTIFY, &[notify::<Self>]) }
    }
}
/// The operation table of [`SeedNotify`].
#[allow(dead_code)]
static SEED_NOTIFY: ::partie::contract::Contract = ::partie::contract::Contract {
    service: "notifications",
    name: "seed_notify",
    version: 0u16,
    doc: "",
    compat: true,
    operations: &[
        ::partie::contract::Operation {
            service: "notifications",
            contract: "seed_notify",
            version: 0u16,
            name: "notify",
            doc: "",
            verb: ::partie::contract::Verb::Post,
            path: "/api/notify",
            access: ::partie::contract::Access::Public,
            keyed: true,
            key_optional: true,
            precondition: false,
            no_store: false,
            params: &[],
            query: ::core::option::Option::None,
            body: ::core::option::Option::Some(
                <Message as ::partie::contract::Argument>::SCHEMA,
            ),
            reply: <Outcome<Sent> as ::partie::contract::Answer>::REPLY.storable(),
            problems: <Outcome<Sent> as ::partie::contract::Answer>::PROBLEMS,
            timeout: ::core::option::Option::None,
        },
    ],
};
/// Calls [`SeedNotify`], wherever it is served.
#[allow(dead_code)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct SeedNotifyClient {
    channel: ::partie::contract::Channel,
}
#[automatically_derived]
impl ::partie::contract::Client for SeedNotifyClient {
    const CONTRACT: &'static ::partie::contract::Contract = &SEED_NOTIFY;
    fn over(channel: ::partie::contract::Channel) -> Self {
        Self { channel }
    }
}
#[allow(dead_code, missing_docs)]
impl SeedNotifyClient {
    async fn notify(
        &self,
        cx: &::partie::contract::Call,
        message: Message,
    ) -> Outcome<Sent> {
        let outbound = ::partie::contract::Outbound::new(&SEED_NOTIFY.operations[0]);
        let outbound = <Message as ::partie::contract::Argument>::to_body(
            &message,
            outbound,
        );
        let answer = self.channel.exchange(cx, outbound).await;
        <Outcome<Sent> as ::partie::contract::Answer>::read(answer)
    }
}
#[automatically_derived]
impl SeedNotify for SeedNotifyClient {
    fn notify(
        &self,
        cx: &Call,
        message: Message,
    ) -> impl ::core::future::Future<Output = Outcome<Sent>> + ::core::marker::Send {
        SeedNotifyClient::notify(self, cx, message)
    }
}
#[automatically_derived]
#[allow(deprecated)]
impl<__T: SeedNotify> SeedNotify for ::std::sync::Arc<__T> {
    fn notify(
        &self,
        cx: &Call,
        message: Message,
    ) -> impl ::core::future::Future<Output = Outcome<Sent>> + ::core::marker::Send {
        <__T as SeedNotify>::notify(self, cx, message)
    }
}
