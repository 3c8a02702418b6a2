//! Ids of messaging's own rows.

partie_contract::id! {
    /// Names an event, a timer, a job.
    pub(crate) struct RawId;
    /// Names a durable timer. Replacing the timer gives it a new one.
    pub struct TimerId;
    /// Names a job, the same through all its attempts; providers know it as the key of the call.
    pub struct JobId;
}
