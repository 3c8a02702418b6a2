#[automatically_derived]
impl ::partie_contract::Event for OrderPlaced {
    const TYPE: &'static str = "order.placed";
    const VERSION: u16 = 2u16;
    const PREVIOUS: ::std::option::Option<::partie_contract::EventSpec> = ::std::option::Option::Some(
        ::partie_contract::EventSpec::before::<Self, v1::OrderPlaced>(),
    );
    fn from_older(
        version: u16,
        data: ::partie_contract::__private::serde_json::Value,
    ) -> ::std::option::Option<
        ::std::result::Result<Self, ::partie_contract::__private::serde_json::Error>,
    > {
        ::partie_contract::__private::from_previous::<
            Self,
            v1::OrderPlaced,
        >(version, data)
    }
    fn subject(&self) -> ::std::string::String {
        <OrderId as ::std::string::ToString>::to_string(&self.order_id)
    }
}
