//! From the name of a broker to the engine.

use std::sync::Arc;

use super::{BrokerUrl, BrokerUrlError};
use crate::broker::log::Log;
use crate::broker::vendor::LogConfig;

// === impl BrokerUrl ===

impl BrokerUrl {
    /// The engine. Nothing is asked of the vendor yet.
    ///
    /// # Errors
    /// [`BrokerUrlError::NotBuilt`] when the engine was left out, [`BrokerUrlError::Misconfigured`] when it does not take
    /// what was said.
    pub fn open(&self, config: &LogConfig) -> Result<Arc<dyn Log>, BrokerUrlError> {
        match self {
            #[cfg(feature = "nats")]
            Self::Nats { servers, credentials } => {
                Ok(Arc::new(crate::broker::NatsLog::new(servers, credentials.clone(), config.clone())?))
            }
            #[cfg(not(feature = "nats"))]
            Self::Nats { .. } => self.not_built("nats", config),
            #[cfg(feature = "rabbitmq")]
            Self::RabbitMq { at, credentials, vhost } => {
                Ok(Arc::new(crate::broker::RabbitLog::new(at, credentials.clone(), vhost, config.clone())?))
            }
            #[cfg(not(feature = "rabbitmq"))]
            Self::RabbitMq { .. } => self.not_built("rabbitmq", config),
            #[cfg(feature = "kafka")]
            Self::Kafka { brokers } => Ok(Arc::new(crate::broker::KafkaLog::new(brokers, config.clone())?)),
            #[cfg(not(feature = "kafka"))]
            Self::Kafka { .. } => self.not_built("kafka", config),
        }
    }

    /// Settings that make no sense are named all the same.
    #[cfg(not(all(feature = "kafka", feature = "nats", feature = "rabbitmq")))]
    fn not_built(&self, feature: &'static str, config: &LogConfig) -> Result<Arc<dyn Log>, BrokerUrlError> {
        config.check()?;
        Err(BrokerUrlError::NotBuilt { url: self.to_string(), feature })
    }
}
