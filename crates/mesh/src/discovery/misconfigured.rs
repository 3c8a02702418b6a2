//! A registry engine cannot be built from its settings.

/// A setting of a registry engine makes no sense. Nothing was asked of the registry yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the registry's setting `{setting}`: {reason}")]
pub struct Misconfigured {
    /// Which.
    pub setting: &'static str,
    /// Why, for people.
    pub reason: String,
}

// === impl Misconfigured ===

impl Misconfigured {
    #[cfg_attr(not(any(feature = "consul", feature = "dns", feature = "etcd")), expect(dead_code))]
    pub(super) fn new(setting: &'static str, reason: impl Into<String>) -> Self {
        Self { setting, reason: reason.into() }
    }
}
