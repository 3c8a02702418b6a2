//! The cases every operation goes through.

use std::fmt;

macro_rules! cases {
    ($($(#[$meta:meta])* $name:ident = $text:literal;)+) => {
        /// One way to call an operation, and what has to come of it. A case that says nothing about an operation, such
        /// as a reused key where there are no keys, does not apply to it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Case {
            $($(#[$meta])* $name,)+
        }

        impl Case {
            /// All cases, in the order in which they are tried.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name for people.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

cases! {
    /// The example earns the status of the table.
    Success = "success";
    /// A stream begins with an event within seconds.
    FirstEvent = "first event";
    /// `HEAD` has the status of `GET`.
    Head = "HEAD";
    /// A method the address does not have: 405 with `Allow`.
    WrongMethod = "wrong method";
    /// An address below the operation's own: 404.
    UnknownPath = "unknown path";
    /// Broken percent escapes in the path: 400.
    BadEscape = "bad escape";
    /// A path parameter that is no id, or no number: 400.
    BadParam = "bad parameter";
    /// Broken percent escapes in the query: 400.
    BadQueryEscape = "bad escape in the query";
    /// A query parameter nobody knows: 422 with its pointer; from a service it is passed over.
    UnknownQuery = "unknown query parameter";
    /// No body where one is needed, or one that breaks off: 400.
    TruncatedJson = "truncated JSON";
    /// An object that repeats a key: 400.
    DuplicateKey = "duplicate key";
    /// `NaN` and `Infinity`: 400.
    NotANumber = "NaN";
    /// Nested deeper than 64 levels: 400.
    TooDeep = "too deep";
    /// More after the value: 400.
    TrailingData = "trailing data";
    /// Half of a surrogate pair: 400.
    LoneSurrogate = "lone surrogate";
    /// Bytes that are not UTF-8: 400.
    NotUtf8 = "not UTF-8";
    /// One byte more than 1 MiB, its length said or not: 413.
    TooLarge = "1 MiB + 1";
    /// A body that is not `application/json`, or does not say what it is: 415.
    WrongContentType = "wrong content type";
    /// Only something else is accepted: 406.
    NotAcceptable = "not acceptable";
    /// A member nobody knows: 422 with its pointer; from a service it is passed over.
    UnknownField = "unknown field";
    /// A member that has to be there: 422.
    MissingField = "missing field";
    /// Text instead of the body's type: 422.
    WrongType = "wrong type";
    /// Nobody calls where somebody has to: 401 with a challenge.
    MissingToken = "missing token";
    /// A token that is none: 401 with a challenge.
    BrokenToken = "broken token";
    /// Somebody calls who may not: 403.
    WrongRole = "wrong role";
    /// A keyed operation without a key: 400.
    MissingKey = "missing key";
    /// A key that is longer than 255 characters: 400.
    BadKey = "bad key";
    /// The same request with the same key is answered by the first answer.
    Replay = "replay";
    /// Another request with the same key: 422.
    ReusedKey = "reused key";
    /// `If-Match` is missing: 428.
    MissingPrecondition = "missing precondition";
    /// `If-Match` names another version: 412.
    StalePrecondition = "stale precondition";
    /// `If-Match` cannot be read: 400.
    BadPrecondition = "bad precondition";
    /// Odd values in every place there is: anything but a 5xx.
    OddValues = "odd values";
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
