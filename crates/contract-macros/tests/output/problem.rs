const _: () = ::partie_contract::__private::own_code("order-not-found");
const _: () = ::partie_contract::__private::own_code("invalid-transition");
const _: () = ::partie_contract::__private::own_code("restaurant-closed");
#[automatically_derived]
impl ::partie_contract::Problem for OrderError {
    const KINDS: &'static [::partie_contract::ProblemKind] = &[
        ::partie_contract::ProblemKind {
            status: 404u16,
            code: "order-not-found",
            title: "There is no such order.",
            members: &[],
        },
        ::partie_contract::ProblemKind {
            status: 409u16,
            code: "invalid-transition",
            title: "Invalid transition.",
            members: &[
                (
                    "current_state",
                    <Status as ::partie_contract::__private::Member>::SCHEMA,
                ),
                (
                    "allowed",
                    <Vec<Status> as ::partie_contract::__private::Member>::SCHEMA,
                ),
            ],
        },
        ::partie_contract::ProblemKind {
            status: 409u16,
            code: "restaurant-closed",
            title: "Closed.",
            members: &[
                (
                    "next_open",
                    <Option<Timestamp> as ::partie_contract::__private::Member>::SCHEMA,
                ),
            ],
        },
    ];
    fn kind(&self) -> &'static ::partie_contract::ProblemKind {
        match self {
            Self::NotFound { .. } => &Self::KINDS[0],
            Self::InvalidTransition { .. } => &Self::KINDS[1],
            Self::Closed { .. } => &Self::KINDS[2],
        }
    }
    fn members(&self) -> ::partie_contract::__private::Members {
        let mut members = ::partie_contract::__private::Members::new();
        match self {
            Self::InvalidTransition { current_state, allowed } => {
                <Status as ::partie_contract::__private::Member>::put(
                    current_state,
                    "current_state",
                    &mut members,
                );
                <Vec<
                    Status,
                > as ::partie_contract::__private::Member>::put(
                    allowed,
                    "allowed",
                    &mut members,
                );
            }
            Self::Closed { next_open } => {
                <Option<
                    Timestamp,
                > as ::partie_contract::__private::Member>::put(
                    next_open,
                    "next_open",
                    &mut members,
                );
            }
            _ => {}
        }
        members
    }
    fn decode(
        code: &str,
        mut members: ::partie_contract::__private::Members,
    ) -> ::core::option::Option<Self> {
        match code {
            "order-not-found" => ::core::option::Option::Some(Self::NotFound),
            "invalid-transition" => {
                ::core::option::Option::Some(Self::InvalidTransition {
                    current_state: <Status as ::partie_contract::__private::Member>::take(
                        "current_state",
                        &mut members,
                    )?,
                    allowed: <Vec<
                        Status,
                    > as ::partie_contract::__private::Member>::take(
                        "allowed",
                        &mut members,
                    )?,
                })
            }
            "restaurant-closed" => {
                ::core::option::Option::Some(Self::Closed {
                    next_open: <Option<
                        Timestamp,
                    > as ::partie_contract::__private::Member>::take(
                        "next_open",
                        &mut members,
                    )?,
                })
            }
            _ => ::core::option::Option::None,
        }
    }
}
