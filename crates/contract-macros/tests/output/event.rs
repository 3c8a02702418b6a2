#[automatically_derived]
impl ::partie_contract::Event for OrderPlaced {
    const TYPE: &'static str = "order.placed";
    const VERSION: u16 = 2u16;
    fn subject(&self) -> ::std::string::String {
        <OrderId as ::std::string::ToString>::to_string(&self.order_id)
    }
}
